"""What both lines of the official Python SDK share on their journey.

Speaks to the runner like the other clients: one JSON object a line (see lib/report.mjs).
"""

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from mcp.shared.auth import OAuthClientMetadata

SIGN_IN_WAY = [
    ("POST", "/mcp", 401),
    ("GET", "/.well-known/oauth-protected-resource", 200),
    ("GET", "/.well-known/oauth-authorization-server", 200),
    ("POST", "/register", 201),
    ("POST", "/token", 200),
    ("POST", "/mcp", 200),
]
REFRESH_WAY = [("POST", "/token", 200), ("POST", "/mcp", 200)]


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


class Memory:
    """What an application keeps between its starts: the SDK's TokenStorage."""

    def __init__(self):
        self.tokens = None
        self.client = None

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


class Trace:
    """Every request of the SDK's HTTP client, so that the journey can be checked for the way it took."""

    def __init__(self):
        self.seen = []

    async def note(self, response):
        self.seen.append((response.request.method, response.request.url.path, response.status_code))

    def forget(self):
        self.seen.clear()

    def assert_way(self, wanted):
        """`wanted` (method, path prefix, status) happened in this order; anything may stand between."""
        rest = iter(self.seen)
        for method, prefix, status in wanted:
            for seen in rest:
                if seen[0] == method and seen[1].startswith(prefix) and seen[2] == status:
                    break
            else:
                raise AssertionError(f"expected {method} {prefix} {status}; the client went {self.seen}")


def metadata(name, callback):
    return OAuthClientMetadata(
        client_name=name,
        redirect_uris=[callback.redirect_uri],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="none",
    )


async def ask_the_person(url):
    say(authorize=url)


async def use_tools(client, call):
    """`call(name, arguments)` returns whether it failed, the content, and the structured content."""
    async with step("the tools are listed"):
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert {"search", "fetch", "echo"} <= set(names), names
    async with step("search finds a document"):
        found = content_of(await call("search", {"query": "skipper lamp"}))["results"][0]
        assert found["title"] == "The lighthouse at Amrum", found
    async with step("fetch returns the document that search named"):
        document = content_of(await call("fetch", {"id": found["id"]}))
        assert "seven and a half seconds" in document["text"], document


def content_of(answer):
    """The same object twice: structured, and as the one text item that older clients read."""
    is_error, content, structured = answer
    assert not is_error, content
    (item,) = content
    assert json.loads(item.text) == structured
    return structured
