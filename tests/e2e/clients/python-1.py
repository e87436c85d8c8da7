"""The official Python SDK, 1.x line: the 2025 handshake."""

import asyncio
import os

import httpx
from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client

from journey import REFRESH_WAY, SIGN_IN_WAY, Callback, Memory, Trace, ask_the_person, metadata, step, use_tools

ENDPOINT = os.environ["PORTICO_MCP_URL"]


async def main():
    callback, memory, trace = Callback(), Memory(), Trace()
    await callback.listen()

    async def wait_for_answer():
        answer = await callback.answer
        return answer["code"], answer.get("state")

    provider = OAuthClientProvider(
        server_url=ENDPOINT,
        client_metadata=metadata("Python SDK 1.x", callback),
        storage=memory,
        redirect_handler=ask_the_person,
        callback_handler=wait_for_answer,
    )
    http = httpx.AsyncClient(auth=provider, timeout=httpx.Timeout(30.0, read=60.0), event_hooks={"response": [trace.note]})
    async with http, streamable_http_client(ENDPOINT, http_client=http) as (read, write, _), ClientSession(read, write) as client:
        async with step("the client signs its person in and initializes"):
            assert (await client.initialize()).protocolVersion == "2025-11-25"
        async with step("discovery, registration and token went the way of the specification"):
            trace.assert_way(SIGN_IN_WAY)

        async def call(name, arguments):
            answer = await client.call_tool(name, arguments)
            return answer.isError, answer.content, answer.structuredContent

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
