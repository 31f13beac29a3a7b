"""What strangers may send to the real door: a refusal in time, and a server that lives on."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.answers import every_dialect
from tests.houses import ADMIN_KEY
from tests.processes import Server, serving
from tests.upstreams import FakeProvider, fake_provider

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

CHAT: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
PATH = "/v1/chat/completions"
MEGABYTE = 1 << 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[FakeProvider]:
    async with fake_provider(every_dialect) as provider:
        yield provider


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    module_priced_url: str, upstream: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    folder: Path = tmp_path_factory.mktemp("home")
    async with serving(module_priced_url, upstream.url, folder) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def lives_on(
    server: Server, session: aiohttp.ClientSession, upstream: FakeProvider
) -> AsyncIterator[None]:
    """After each of these it serves the next call, and nothing bad has reached a provider."""
    upstream.received.clear()
    yield
    assert upstream.received == []
    status, _ = await post(session, server, json.dumps(CHAT).encode())
    assert status == 200


async def post(
    session: aiohttp.ClientSession, server: Server, body: bytes, path: str = PATH, **headers: str
) -> tuple[int, dict[str, Any]]:
    sent = {"authorization": f"Bearer {ADMIN_KEY}", **headers}
    async with session.post(server.url + path, data=body, headers=sent) as answer:
        content = await answer.json(content_type=None)
        return answer.status, content


async def raw(server: Server, *pieces: bytes, seconds: float = 15) -> bytes:
    """What comes back for these bytes until the server closes or falls silent for a second."""
    reader, writer = await asyncio.open_connection(*server.address)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(65536), seconds)
    finally:
        writer.transport.abort()


def head(method: str, target: str, *more: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "host: gate", f"authorization: Bearer {ADMIN_KEY}"]
    return "\r\n".join([*lines, *more, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", PATH),
        (b"{", PATH),
        (b"null", PATH),
        (b"[]", PATH),
        (b'"text"', PATH),
        (b"\xff\xfe", PATH),
        (b'{"model": "gpt-4o-mini"}', PATH),
        (b'{"messages": []}', PATH),
        (b'{"model": 5, "messages": []}', PATH),
        (b'{"model": "", "messages": []}', PATH),
        (b'{"model": "gpt-4o-mini", "messages": "hello"}', PATH),
        (b'{"model": "gpt-4o-mini", "messages": [5]}', PATH),
        (b'{"model": "gpt-4o-mini", "messages": [], "max_tokens": "many"}', PATH),
        (b'{"model": "gpt-4o-mini", "messages": [], "max_tokens": -1}', PATH),
        (b'{"model": "gpt-4o-mini", "messages": [], "max_tokens": 1e99}', PATH),
        (b'{"model": "gpt-4o-mini", "messages": [], "n": 100000}', PATH),
        (b'{"model": "gpt-4o-mini", "messages": [], "stream": "yes"}', PATH),
        (b'{"model": "gpt-4o-mini", "model": "gpt-4o", "messages": []}', PATH),
        (b'{"model": "\\ud800", "messages": []}', PATH),
        (b'{"model": "gpt-4o-mini", "messages": ' + b"[" * 100_000, PATH),
        (b'{"model": "claude-sonnet-4-6", "messages": [], "max_tokens": {}}', "/v1/messages"),
        (b'{"model": "gpt-4o", "input": "x", "max_output_tokens": []}', "/v1/responses"),
        (b'{"model": "text-embedding-3-small"}', "/v1/embeddings"),
    ],
)  # fmt: skip
async def test_a_body_that_means_nothing_is_a_named_400(
    *, server: Server, session: aiohttp.ClientSession, body: bytes, path: str
) -> None:
    status, told = await post(session, server, body, path)
    assert status == 400
    error = told["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_request")
    assert error["message"]


@pytest.mark.parametrize("name", ["gpt-nobody-has", "x" * 200, "a\0b", "a\r\nx-evil: 1", "../etc"])
async def test_an_unknown_model_is_a_404(
    server: Server, session: aiohttp.ClientSession, name: str
) -> None:
    status, told = await post(session, server, json.dumps({**CHAT, "model": name}).encode())
    assert (status, told["error"]["code"]) == (404, "model_not_found")
    async with session.get(
        f"{server.url}/api/v1/usage/calls?limit=1",
        headers={"authorization": f"Bearer {ADMIN_KEY}"},
    ) as answer:
        [row] = (await answer.json())["items"]
    assert row["status"] == "invalid"


@pytest.mark.parametrize("key", ["aos_sk_unknown", "", "x" * 5000, "é"])
async def test_an_unknown_key_is_a_401(
    server: Server, session: aiohttp.ClientSession, key: str
) -> None:
    status, told = await post(
        session, server, json.dumps(CHAT).encode(), authorization=f"Bearer {key}"
    )
    assert status == 401
    assert told["error"]["type"] == "authentication_error"


async def test_a_hundred_megabytes_are_refused_unread(server: Server) -> None:
    announced = await raw(server, head("POST", PATH, f"content-length: {100 * MEGABYTE}"))
    assert announced.startswith(b"HTTP/1.1 413 ")
    assert b"request_too_large" in announced


async def flood(server: Server, beginning: bytes, piece: bytes) -> tuple[bytes, int]:
    """Send `piece` again and again, up to a hundred megabytes: (answer, bytes until it came)."""
    reader, writer = await asyncio.open_connection(*server.address)
    answer = asyncio.create_task(reader.read(65536))
    sent = 0
    try:
        writer.write(beginning)
        while sent < 100 * MEGABYTE and not answer.done():
            writer.write(piece)
            await writer.drain()
            sent += len(piece)
            await asyncio.sleep(0.001)  # An answer may be here: look.
    except ConnectionError:
        pass
    try:
        return await asyncio.wait_for(answer, 5), sent
    finally:
        writer.transport.abort()


async def test_a_hundred_megabytes_without_announcement_are_refused(server: Server) -> None:
    piece = b"%x\r\n" % MEGABYTE + bytes(MEGABYTE) + b"\r\n"
    answer, sent = await flood(server, head("POST", PATH, "transfer-encoding: chunked"), piece)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert sent < 64 * MEGABYTE


async def test_sixty_four_megabytes_of_headers_are_refused(server: Server) -> None:
    line = b"x-filler: " + b"a" * 65_000 + b"\r\n"
    beginning = b"POST /v1/chat/completions HTTP/1.1\r\nhost: gate\r\n"
    answer, sent = await flood(server, beginning, line)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert sent < 16 * MEGABYTE


async def test_slow_lorises_are_shown_out_while_others_are_served(
    server: Server, session: aiohttp.ClientSession, upstream: FakeProvider
) -> None:
    async def trickle(beginning: bytes, crumb: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(beginning)
        answer = asyncio.create_task(reader.read(65536))
        while not answer.done():
            await asyncio.sleep(0.2)
            writer.write(crumb)
        writer.transport.abort()
        return await answer

    async with asyncio.timeout(16):
        lorises = [
            asyncio.create_task(trickle(b"POST / HTTP/1.1\r\n", b"x-slow: 1\r\n")),
            asyncio.create_task(trickle(head("POST", PATH, "content-length: 9000"), b" ")),
        ]
        await asyncio.sleep(1)
        assert (await post(session, server, json.dumps(CHAT).encode()))[0] == 200
        upstream.received.clear()
        slow_head, slow_body = await asyncio.gather(*lorises)
    assert slow_head.startswith(b"HTTP/1.1 408 ")
    assert slow_body.startswith(b"HTTP/1.1 408 ")


async def test_a_websocket_is_refused_at_once(server: Server) -> None:
    upgrade = ("upgrade: websocket", "connection: upgrade", "sec-websocket-key: eA==",
               "sec-websocket-version: 13")  # fmt: skip
    for target in ("/v1/responses", "/", PATH):
        answer = await raw(server, head("GET", target, *upgrade), seconds=2)
        assert answer.startswith(b"HTTP/1.1 426 ")


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("CONNECT", "example.com:443", (400, 404, 405)),
        ("TRACE", PATH, (404, 405)),
        ("PUT", PATH, (404,)),
        ("GET", PATH, (404,)),
        ("OPTIONS", PATH, (404, 405)),
        ("HEAD", "/", (200,)),
        ("BREW", PATH, (400,)),
        ("POST", "/v1/images/generations", (404,)),
        ("POST", "/v1/../v1/files", (404,)),
        ("POST", "/v1/%2e%2e/admin", (404,)),
        ("POST", "//v1/chat/completions", (404,)),
        ("GET", "/v1/responses/..%2f..%2fmodels", (404,)),
        ("GET", "/v1/models/%00", (404,)),
        ("GET", "/v1/models/" + "x" * 3000, (404,)),
        ("GET", "http://169.254.169.254/latest", (404,)),
    ],
)
async def test_odd_methods_and_paths_lead_nowhere(
    server: Server, method: str, target: str, status: tuple[int, ...]
) -> None:
    answer = await raw(server, head(method, target, "content-length: 0"), seconds=3)
    assert int(answer.split()[1]) in status


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-aos-tags", "a=" + "b" * 5000),
        ("x-aos-tags", ",".join(f"t{n}=1" for n in range(33))),
        ("x-aos-tags", "no equals sign"),
        ("x-aos-tags", "a=\xff\xfe"),
        ("x-aos-tags", "a=\xed\xa0\x80"),
        ("x-aos-agent", "x" * 201),
        ("x-aos-run", "a\x7fb"),
        ("x-aos-workflow", "a\xc2\x85b"),
    ],
)
async def test_labels_that_no_row_could_hold_are_refused(
    server: Server, name: str, value: str
) -> None:
    body = json.dumps(CHAT).encode()
    sent = head("POST", PATH, f"{name}: {value}", f"content-length: {len(body)}")
    answer = await raw(server, sent, body, seconds=5)
    assert answer.startswith((b"HTTP/1.1 422 ", b"HTTP/1.1 400 "))


async def test_nul_in_a_header_is_no_http(server: Server) -> None:
    answer = await raw(server, head("POST", PATH, "x-aos-run: a\0b", "content-length: 0"))
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "deflate", "br"])
async def test_an_encoding_that_lies_is_refused(
    server: Server, session: aiohttp.ClientSession, encoding: str
) -> None:
    sent = {"content-encoding": encoding}
    status, told = await post(session, server, b"not that at all", **sent)
    assert status == (415 if encoding == "br" else 400)
    assert told["error"]["code"]
