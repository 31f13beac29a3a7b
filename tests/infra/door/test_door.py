"""Strangers at the door, with raw sockets."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from aos.infra.door import Door, DoorProtocol, open_sockets
from aos.infra.errors import AddressInUse

PROTOCOL = "aos.infra.door.protocol"


class App:
    """Echoes the length of what it was sent; counts the callers who left."""

    def __init__(self) -> None:
        self.left = 0
        self.served = 0
        self.wait_seconds = 0.0
        self.answers_early = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        size, more = 0, True
        while more and not self.answers_early:
            await asyncio.sleep(self.wait_seconds)
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return
            size, more = size + len(message["body"]), message["more_body"]
        self.served += 1
        body = str(size).encode()
        status = 413 if self.answers_early else 200
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Stranger:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, *pieces: bytes, pause_seconds: float = 0.0) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(pause_seconds)

    async def answer(self) -> tuple[int, bytes]:
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            return int(head.split()[1]), await self.reader.readexactly(length)

    async def closed(self) -> float:
        """How long until the other side hangs up."""
        started = time.monotonic()
        async with asyncio.timeout(5):
            while await self.reader.read(65536):
                pass
        return time.monotonic() - started


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
async def port(app: App) -> AsyncIterator[int]:
    sockets = open_sockets("127.0.0.1", 0)
    number = int(sockets[0].getsockname()[1])
    opened = asyncio.Event()
    door = Door(app, on_open=opened.set)
    serving = asyncio.create_task(door.serve(sockets))
    await opened.wait()
    yield number
    door.should_exit = True
    door.force_exit = True
    await serving


Connect = Callable[[], Awaitable[Stranger]]


@pytest.fixture
async def connect(port: int) -> AsyncIterator[Connect]:
    strangers: list[Stranger] = []

    async def connected() -> Stranger:
        strangers.append(Stranger(*await asyncio.open_connection("127.0.0.1", port)))
        return strangers[-1]

    yield connected
    for stranger in strangers:
        stranger.writer.transport.abort()


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST /v1/x HTTP/1.1", b"host: x", b"content-length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def test_ordinary_requests_pass_and_keep_their_connection(connect: Connect, app: App) -> None:
    stranger = await connect()
    for size in (0, 5, 500_000):
        await stranger.say(post(b"x" * size))
        assert await stranger.answer() == (200, str(size).encode())
    await stranger.say(post(b"abc")[:30], post(b"abc")[30:-2], b"bc", pause_seconds=0.05)
    assert await stranger.answer() == (200, b"3")
    await stranger.say(post(b"a" * 100_000) + post(b"b") + post(b"c"))
    assert [await stranger.answer() for _ in range(3)] == [
        (200, b"100000"),
        (200, b"1"),
        (200, b"1"),
    ]
    assert app.served == 7


async def test_a_head_of_64_megabytes_is_431_and_is_not_kept(connect: Connect, app: App) -> None:
    stranger = await connect()
    piece = b"y" * 65536
    sent = 0
    await stranger.say(b"GET / HTTP/1.1\r\nx-big: ")
    try:
        for _ in range(1024):
            await stranger.say(piece)
            sent += len(piece)
    except ConnectionError:
        pass
    assert sent < 64 * 1024 * 1024 or app.served == 0
    stranger = await connect()
    await stranger.say(b"GET / HTTP/1.1\r\nx-big: " + b"y" * 200_000)
    status, body = await stranger.answer()
    assert status == 431
    assert json.loads(body)["error"]["code"] == "head_too_large"
    assert await stranger.closed() < 2


async def test_many_small_headers_over_the_limit_are_431(connect: Connect, app: App) -> None:
    stranger = await connect()
    await stranger.say(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 8000 + b"\r\n")
    assert (await stranger.answer())[0] == 431
    just_fits = b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 32_000 + b"\r\n\r\n"
    stranger = await connect()
    await stranger.say(just_fits)
    assert (await stranger.answer())[0] == 200
    assert app.served == 1


async def test_a_trickled_head_is_cut_off(
    connect: Connect, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{PROTOCOL}.DOOR_HEAD_SECONDS_MAX", 0.3)
    stranger = await connect()
    started = time.monotonic()
    trickle = asyncio.create_task(
        stranger.say(*([b"GET / HTTP/1.1\r\n"] + [b"a: b\r\n"] * 40), pause_seconds=0.05)
    )
    assert (await stranger.answer())[0] == 408
    assert time.monotonic() - started < 1
    trickle.cancel()
    await asyncio.gather(trickle, return_exceptions=True)
    assert app.served == 0


@pytest.mark.parametrize("noise", [b"", b"\r\n"])
async def test_who_asks_nothing_is_shown_out(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, noise: bytes
) -> None:
    """Also after a served request: blank lines must not hold a connection open."""
    monkeypatch.setattr(f"{PROTOCOL}.DOOR_HEAD_SECONDS_MAX", 0.3)
    stranger = await connect()
    if noise:
        await stranger.say(post(b""))
        await stranger.answer()
        await stranger.say(noise)
    assert await stranger.closed() < 1


async def test_a_trickled_body_is_cut_off_and_the_application_hears_of_it(
    connect: Connect, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{PROTOCOL}.DOOR_BODY_WINDOW_SECONDS", 0.3)
    stranger = await connect()
    await stranger.say(post(b"x" * 10_000)[:-9_000])
    trickle = asyncio.create_task(stranger.say(*([b"x"] * 60), pause_seconds=0.05))
    status, body = await stranger.answer()
    assert (status, json.loads(body)["error"]["code"]) == (408, "body_too_slow")
    trickle.cancel()
    await asyncio.gather(trickle, return_exceptions=True)
    await asyncio.sleep(0.05)
    assert (app.served, app.left) == (0, 1)


async def test_a_steady_body_may_take_many_windows_but_not_for_ever(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{PROTOCOL}.DOOR_BODY_WINDOW_SECONDS", 0.1)
    monkeypatch.setattr(f"{PROTOCOL}.DOOR_BODY_SECONDS_MAX", 1.0)
    stranger = await connect()
    request = post(b"x" * 12_000)
    head = request[: -len(b"x" * 12_000)]
    await stranger.say(head, *([b"x" * 2_000] * 6), pause_seconds=0.06)
    assert await stranger.answer() == (200, b"12000")

    await stranger.say(head)
    trickle = asyncio.create_task(stranger.say(*([b"x" * 200] * 60), pause_seconds=0.01))
    await trickle
    assert await stranger.answer() == (200, b"12000")

    await stranger.say(post(b"x" * 1_000_000)[:-990_000])
    trickle = asyncio.create_task(stranger.say(*([b"x" * 2_000] * 200), pause_seconds=0.02))
    assert (await stranger.answer())[0] == 408
    trickle.cancel()
    await asyncio.gather(trickle, return_exceptions=True)


async def test_a_slow_application_is_not_the_senders_fault(
    connect: Connect, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{PROTOCOL}.DOOR_BODY_WINDOW_SECONDS", 0.1)
    app.wait_seconds = 0.3
    stranger = await connect()
    await stranger.say(post(b"x" * 1_500_000))
    status, body = await asyncio.wait_for(stranger.answer(), 10)
    assert (status, body) == (200, b"1500000")


async def test_an_answer_before_the_end_of_the_body_can_be_read(connect: Connect, app: App) -> None:
    """A 413 must not be lost to a reset because the rest of the body is still on its way."""
    app.answers_early = True
    stranger = await connect()
    await stranger.say(post(b"x" * 20_000_000))
    assert (await stranger.answer())[0] == 413
    app.answers_early = False
    await stranger.say(post(b"again"))
    assert await stranger.answer() == (200, b"5")


async def test_a_websocket_is_refused_at_once(connect: Connect, app: App) -> None:
    stranger = await connect()
    await stranger.say(
        b"GET /v1/responses HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
    )
    assert (await stranger.answer())[0] == 426
    assert app.served == 0


async def test_an_offer_of_http2_is_ignored_and_the_request_served(connect: Connect) -> None:
    stranger = await connect()
    await stranger.say(
        post(
            b"hello", b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: x"
        )
    )
    assert await stranger.answer() == (200, b"5")


async def test_what_is_no_http_is_400(connect: Connect, app: App) -> None:
    for nonsense in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"GET / HTTP/9.9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"CONNECT host:1 HTTP/1.1\r\n\r\n",
    ):
        stranger = await connect()
        await stranger.say(nonsense)
        assert (await stranger.answer())[0] == 400, nonsense
    assert app.served == 0


async def test_endless_pipelining_is_refused(connect: Connect, app: App) -> None:
    app.wait_seconds = 0.2
    stranger = await connect()
    await stranger.say(post(b"") * 5000)
    assert (await stranger.answer())[0] == 429


async def test_over_the_cap_is_503_and_the_others_are_served(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DoorProtocol, "connections_max", 3)
    inside = [await connect() for _ in range(3)]
    await asyncio.sleep(0.05)
    late = await connect()
    status, _ = await late.answer()
    assert status == 503
    for stranger in inside:
        await stranger.say(post(b"x"))
        assert await stranger.answer() == (200, b"1")


def test_an_address_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(AddressInUse, match=str(number)):
            open_sockets("127.0.0.1", number)
    with pytest.raises(AddressInUse):
        open_sockets("no-such-host.invalid", 0)
    both = open_sockets("localhost", 0)
    assert len({opened.getsockname()[1] for opened in both}) == 1
    for opened in both:
        opened.close()
