"""Real sockets: an upstream that behaves, and ones that do not."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import pytest

from aos.infra.errors import ExternalCallsDisabled
from aos.infra.outbound import OutboundPolicy, guarded_connector
from aos.messages import Dialect, reader
from aos.providers import (
    AnswerTooLarge,
    Provider,
    ProviderConfig,
    UpstreamAnswer,
    UpstreamBroken,
    Upstreams,
    UpstreamTimeout,
    UpstreamUnreachable,
    make_provider,
)

CALL = reader(Dialect.OPENAI_CHAT).read_call(b'{"model":"m","messages":[]}')
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def upstream(serve: Serve) -> AsyncIterator[Provider]:
    serving: set[asyncio.Task[None]] = set()

    async def handle(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        try:
            await serve(incoming, outgoing)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # The client has seen enough.
        finally:
            outgoing.close()

    def accept(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(handle(incoming, outgoing))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield provider_at(f"http://127.0.0.1:{port}/v1")
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)


def provider_at(base_url: str) -> Provider:
    return make_provider(ProviderConfig("fake", "openai-compatible", base_url, "secret"))


@pytest.fixture
async def upstreams() -> AsyncIterator[Upstreams]:
    opened = await Upstreams(silence_seconds_max=0.2, connect_seconds_max=2).open()
    yield opened
    await opened.close()


async def request_of(incoming: asyncio.StreamReader) -> bytes:
    head = await incoming.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head + await incoming.readexactly(length)


async def send(upstreams: Upstreams, provider: Provider) -> UpstreamAnswer:
    request = provider.request(CALL, "/chat/completions?x=a%2Fb", CALL.body, {"user-agent": "me"})
    return await upstreams.send(provider, request)


def answers(*parts: bytes, then: float = 0) -> Serve:
    async def serve(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        await request_of(incoming)
        for part in parts:
            outgoing.write(part)
            await outgoing.drain()
            await asyncio.sleep(0.01)
        await asyncio.sleep(then)

    return serve


async def test_the_request_arrives_as_it_was_built_and_the_answer_as_it_was_sent(
    upstreams: Upstreams,
) -> None:
    seen: list[bytes] = []

    async def serve(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        for _ in range(2):
            seen.append(await request_of(incoming))
            outgoing.write(
                b"HTTP/1.1 429 Too Many\r\nX-RateLimit-Limit: 5\r\nx-two: a\r\nx-two: b\r\n"
                b"content-length: 4\r\n\r\nbusy"
            )

    async with upstream(serve) as provider:
        for _ in range(2):
            answer = await send(upstreams, provider)
            assert answer.status == 429
            assert (b"X-RateLimit-Limit", b"5") in answer.headers
            assert [value for name, value in answer.headers if name == b"x-two"] == [b"a", b"b"]
            assert await answer.read(100) == b"busy"
            await answer.close()
    assert len(seen) == 2  # On one connection: the server accepted but one.
    head, body = seen[0].split(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v1/chat/completions?x=a%2Fb HTTP/1.1"
    assert {line.split(b":")[0].lower() for line in lines[1:]} == {
        b"host",
        b"user-agent",
        b"accept-encoding",
        b"content-type",
        b"authorization",
        b"content-length",
    }
    assert body == CALL.body


async def test_a_stream_comes_as_it_comes(upstreams: Upstreams) -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    async with upstream(answers(head, b"3\r\nabc\r\n", b"2\r\nde\r\n", b"0\r\n\r\n")) as provider:
        answer = await send(upstreams, provider)
        chunks = [chunk async for chunk in answer.chunks()]
        assert b"".join(chunks) == b"abcde"
        assert len(chunks) > 1
        await answer.close()


async def test_never_reached(upstreams: Upstreams) -> None:
    for address in (
        "http://127.0.0.1:1/v1",
        "http://nowhere.invalid/v1",
        "http://127.0.0.1:99999/v1",
        "http://a..b/v1",
    ):
        with pytest.raises(UpstreamUnreachable) as caught:
            await send(upstreams, provider_at(address))
        assert "secret" not in caught.value.message


async def test_no_tls_there(upstreams: Upstreams) -> None:
    async def serve(_incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        outgoing.write(b"HTTP/1.1 400 This is plain HTTP\r\n\r\n")
        await outgoing.drain()

    async with upstream(serve) as provider:
        address = provider.config.base_url.replace("http:", "https:")
        with pytest.raises(UpstreamUnreachable):
            await send(upstreams, provider_at(address))


async def test_a_certificate_that_nobody_vouches_for() -> None:
    """aiohttp's error for it is a connector's error without the parts that others have."""

    class Distrustful(aiohttp.TCPConnector):
        async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109
            error = ssl.SSLCertVerificationError(1, "self-signed certificate")
            raise aiohttp.ClientConnectorCertificateError(req.connection_key, error)

    upstreams = await Upstreams(silence_seconds_max=1, connector=Distrustful).open()
    with pytest.raises(UpstreamUnreachable, match="certificate"):
        await send(upstreams, provider_at("https://localhost:1/v1"))
    await upstreams.close()


async def test_silence_before_the_answer(upstreams: Upstreams) -> None:
    async with upstream(answers(then=5)) as provider:
        with pytest.raises(UpstreamTimeout) as caught:
            await send(upstreams, provider)
        assert caught.value.details["answered"] is False


async def test_silence_in_the_middle(upstreams: Upstreams) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"
    async with upstream(answers(head, then=5)) as provider:
        answer = await send(upstreams, provider)
        with pytest.raises(UpstreamTimeout) as caught:
            await answer.read(100)
        assert caught.value.details["answered"] is True
        await answer.close()


@pytest.mark.parametrize("sent", [(), (b"HTTP/1.1 2",), (b"\x16\x03\x01 not HTTP at all\r\n\r\n",)])
async def test_cut_before_the_answer(upstreams: Upstreams, sent: tuple[bytes, ...]) -> None:
    """The request may have been served: never sent again from here."""
    requests = 0

    async def serve(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += 1
        await answers(*sent)(incoming, outgoing)

    async with upstream(serve) as provider:
        with pytest.raises(UpstreamBroken) as caught:
            await send(upstreams, provider)
        assert caught.value.details["answered"] is False
    assert requests == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n",
    ],
)
async def test_cut_in_the_middle(upstreams: Upstreams, sent: bytes) -> None:
    async with upstream(answers(sent)) as provider:
        with pytest.raises(UpstreamBroken):
            answer = await send(upstreams, provider)
            try:
                await answer.read(100)
            finally:
                await answer.close()


async def test_a_kept_connection_that_was_closed_meanwhile_is_not_used(
    upstreams: Upstreams,
) -> None:
    """Closed before we write: the pool sees it, and a new connection is made."""
    ok = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    async with upstream(answers(ok)) as provider:
        for _ in range(3):
            answer = await send(upstreams, provider)
            assert await answer.read(100) == b"ok"
            await answer.close()
            await asyncio.sleep(0.05)


async def test_too_much_of_an_answer(upstreams: Upstreams) -> None:
    sent = b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n" + b"x" * 5000
    async with upstream(answers(sent)) as provider:
        answer = await send(upstreams, provider)
        with pytest.raises(AnswerTooLarge):
            await answer.read(4999)
        await answer.close()


async def test_a_small_answer_that_unpacks_to_a_large_one(upstreams: Upstreams) -> None:
    packed = gzip.compress(b"\0" * 50_000_000)
    sent = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    async with upstream(answers(sent + packed)) as provider:
        answer = await send(upstreams, provider)
        with pytest.raises(AnswerTooLarge):
            await answer.read(1_000_000)
        await answer.close()


async def test_redirects_are_answers_like_any_other(upstreams: Upstreams) -> None:
    """Following one would carry the provider's key to somebody else."""
    sent = b"HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    async with upstream(answers(sent)) as provider:
        answer = await send(upstreams, provider)
        assert answer.status == 307
        await answer.close()


async def test_endless_headers(upstreams: Upstreams) -> None:
    sent = b"HTTP/1.1 200 OK\r\n" + b"x-many: %b\r\n" % (b"y" * 100_000) + b"\r\n"
    async with upstream(answers(sent)) as provider:
        with pytest.raises(UpstreamBroken):
            await send(upstreams, provider)


async def test_closing_an_unread_answer_cuts_it(upstreams: Upstreams) -> None:
    """So that an upstream stops generating when the caller has left."""
    gone = asyncio.Event()

    async def serve(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        await request_of(incoming)
        outgoing.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await incoming.read()
        gone.set()

    async with upstream(serve) as provider:
        answer = await send(upstreams, provider)
        async for _ in answer.chunks():
            break
        await answer.close()
        await asyncio.wait_for(gone.wait(), 2)


async def test_a_stream_that_said_it_is_over_gives_its_connection_back(
    upstreams: Upstreams,
) -> None:
    connections = 0

    async def serve(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(2):
            await request_of(incoming)
            outgoing.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
            await asyncio.sleep(0.02)
            outgoing.write(b"0\r\n\r\n")

    async with upstream(serve) as provider:
        for _ in range(2):
            answer = await send(upstreams, provider)
            async for _ in answer.chunks():
                break
            await answer.close(ended=True)
            await asyncio.sleep(0.1)
    assert connections == 1


async def test_what_the_guard_refuses_stays_refused() -> None:
    guarded = await Upstreams(
        silence_seconds_max=1,
        connector=partial(guarded_connector, OutboundPolicy(external=False)),
    ).open()
    with pytest.raises(ExternalCallsDisabled):
        await send(guarded, provider_at("http://example.com/v1"))
    await guarded.close()
