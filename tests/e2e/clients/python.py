"""The official Python SDK. PORTICO_ERA: `modern` negotiates 2026-07-28, `legacy` does the 2025 handshake.

Speaks to the runner like the other clients: one JSON object a line (see lib/report.mjs).
"""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

ENDPOINT = os.environ["PORTICO_MCP_URL"]
ERA = os.environ["PORTICO_ERA"]


def say(**fields):
    print(json.dumps(fields), flush=True)


@asynccontextmanager
async def step(sentence):
    """One rule of the journey: reported when it held, named when it did not."""
    try:
        yield
    except BaseException as error:
        print(f"{sentence}: {error!r}", file=sys.stderr)
        raise
    say(passed=sentence)


class Memory(TokenStorage):
    """What an application keeps between its starts."""

    def __init__(self):
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


class Callback:
    """The loopback address where a native client waits for its answer (RFC 8252 section 7.3)."""

    async def listen(self):
        self.answer = asyncio.get_running_loop().create_future()
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.redirect_uri = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/callback"

    async def _serve(self, reader, writer):
        target = (await reader.readline()).split()[1].decode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()
        if target.startswith("/callback?") and not self.answer.done():
            self.answer.set_result({key: values[0] for key, values in parse_qs(urlsplit(target).query).items()})

    async def wait(self):
        answer = await self.answer
        return AuthorizationCodeResult(code=answer.get("code"), state=answer.get("state"), iss=answer.get("iss"))


async def ask_the_person(url):
    say(authorize=url)


def content_of(answer):
    """The same object twice: structured, and as the one text item that older clients read."""
    assert not answer.is_error, answer.content
    (item,) = answer.content
    assert json.loads(item.text) == answer.structured_content
    return answer.structured_content


async def use_tools(client):
    async with step("the tools are listed"):
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert {"search", "fetch"} <= set(names), names
    async with step("search finds a document"):
        found = content_of(await client.call_tool("search", {"query": "skipper lamp"}))["results"][0]
        assert found["title"] == "The lighthouse at Amrum", found
    async with step("fetch returns the document that search named"):
        document = content_of(await client.call_tool("fetch", {"id": found["id"]}))
        assert "seven and a half seconds" in document["text"], document


def assert_way(trace, wanted):
    """`wanted` (method, path prefix, status) happened in this order; anything may stand between."""
    rest = iter(trace)
    for method, prefix, status in wanted:
        for seen in rest:
            if seen[0] == method and seen[1].startswith(prefix) and seen[2] == status:
                break
        else:
            raise AssertionError(f"expected {method} {prefix} {status}; the client went {trace}")


async def main():
    callback = Callback()
    await callback.listen()
    memory = Memory()
    trace = []

    async def note(response):
        trace.append((response.request.method, response.request.url.path, response.status_code))

    provider = OAuthClientProvider(
        server_url=ENDPOINT,
        client_metadata=OAuthClientMetadata(
            client_name=f"Python SDK ({ERA})",
            redirect_uris=[callback.redirect_uri],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
            token_endpoint_auth_method="none",
        ),
        storage=memory,
        redirect_handler=ask_the_person,
        callback_handler=callback.wait,
    )
    timeout = httpx2.Timeout(30.0, read=60.0)
    http = httpx2.AsyncClient(auth=provider, timeout=timeout, event_hooks={"response": [note]})
    async with http, Client(
        streamable_http_client(ENDPOINT, http_client=http), mode="auto" if ERA == "modern" else "legacy"
    ) as client:
        async with step("the signed-in client connects in its era"):
            assert client.protocol_version == ("2026-07-28" if ERA == "modern" else "2025-11-25"), client.protocol_version
        async with step("discovery, registration and token went the way of the specification"):
            assert_way(
                trace,
                [
                    ("POST", "/mcp", 401),
                    ("GET", "/.well-known/oauth-protected-resource", 200),
                    ("GET", "/.well-known/oauth-authorization-server", 200),
                    ("POST", "/register", 201),
                    ("POST", "/token", 200),
                    ("POST", "/mcp", 200),
                ],
            )
        await use_tools(client)
        async with step("an access token past its time is refreshed without the person"):
            before = memory.tokens.refresh_token
            trace.clear()
            provider.context.token_expiry_time = 1.0
            await client.call_tool("echo", {"message": "still there?"})
            assert_way(trace, [("POST", "/token", 200), ("POST", "/mcp", 200)])
            assert memory.tokens.refresh_token != before, "refresh tokens of public clients rotate"
        await use_tools(client)


asyncio.run(main())
