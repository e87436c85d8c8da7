"""The official Python SDK, 2.x line. PORTICO_ERA: `modern` negotiates 2026-07-28, `legacy` does the 2025 handshake."""

import asyncio
import os

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client

from journey import REFRESH_WAY, SIGN_IN_WAY, Callback, Memory, Trace, ask_the_person, metadata, step, use_tools

ENDPOINT = os.environ["PORTICO_MCP_URL"]
IS_MODERN = os.environ["PORTICO_ERA"] == "modern"


async def main():
    callback, memory, trace = Callback(), Memory(), Trace()
    await callback.listen()

    async def wait_for_answer():
        answer = await callback.answer
        return AuthorizationCodeResult(code=answer.get("code"), state=answer.get("state"), iss=answer.get("iss"))

    provider = OAuthClientProvider(
        server_url=ENDPOINT,
        client_metadata=metadata(f"Python SDK 2.x ({os.environ['PORTICO_ERA']})", callback),
        storage=memory,
        redirect_handler=ask_the_person,
        callback_handler=wait_for_answer,
    )
    http = httpx2.AsyncClient(auth=provider, timeout=httpx2.Timeout(30.0, read=60.0), event_hooks={"response": [trace.note]})
    mode = "auto" if IS_MODERN else "legacy"
    async with http, Client(streamable_http_client(ENDPOINT, http_client=http), mode=mode) as client:
        async with step("the client signs its person in and connects in its era"):
            assert client.protocol_version == ("2026-07-28" if IS_MODERN else "2025-11-25"), client.protocol_version
        async with step("discovery, registration and token went the way of the specification"):
            trace.assert_way(SIGN_IN_WAY)

        async def call(name, arguments):
            answer = await client.call_tool(name, arguments)
            return answer.is_error, answer.content, answer.structured_content

        await use_tools(client, call)
        async with step("an access token past its time is refreshed without the person"):
            before = memory.tokens.refresh_token
            trace.forget()
            provider.context.token_expiry_time = 1.0
            await client.call_tool("echo", {"message": "still there?"})
            trace.assert_way(REFRESH_WAY)
            assert memory.tokens.refresh_token != before, "refresh tokens of public clients rotate"
        await use_tools(client, call)


asyncio.run(main())
