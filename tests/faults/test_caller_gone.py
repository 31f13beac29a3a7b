"""Callers who leave: what is posted is right, and the upstream is stopped (or read to its end)."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from tests.answers import CHAT_COST
from tests.houses import Gate, Key, open_gate, until
from tests.upstreams import FakeProvider, answers, chat_answer, chat_events, hangs, streams

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
}
STREAMED = {**CHAT, "stream": True}


@pytest_asyncio.fixture(loop_scope="module")
async def key(gate: Gate) -> Key:
    return await gate.key(limit_usd="1.00")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def draining(module_priced_url: str, shared_provider: FakeProvider) -> AsyncIterator[Gate]:
    """Reads on when callers leave."""
    async with open_gate(
        module_priced_url, shared_provider.url, AOS_ON_CALLER_GONE="drain"
    ) as gate:
        yield gate
        await gate.at_rest()


class Leaver:
    """A caller on a bare socket, who can leave at any moment."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def ask(
        cls, gate: Gate, key: Key, body: dict[str, Any], *, bytes_sent: int | None = None
    ) -> "Leaver":
        host, port = gate.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        content = json.dumps(body).encode()
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: gate\r\n"
            + f"authorization: {key.headers['authorization']}\r\n".encode()
            + f"content-length: {len(content)}\r\n\r\n".encode()
            + content[:bytes_sent]
        )
        await writer.drain()
        return cls(reader, writer)

    def leave(self) -> None:
        self.writer.transport.abort()


async def ended(gate: Gate, key: Key) -> dict[str, Any]:
    """The story of the key's one call, once there is one."""
    [row] = await gate.ended(key)
    return await gate.story({"x-aos-request-id": row["id"]})


async def test_in_the_middle_of_its_own_request(
    gate: Gate, provider: FakeProvider, key: Key
) -> None:
    caller = await Leaver.ask(gate, key, CHAT, bytes_sent=20)
    await asyncio.sleep(0.05)
    caller.leave()
    await asyncio.sleep(0.1)
    assert provider.received == []
    assert await gate.calls(key) == []


@pytest.mark.parametrize("drain", [False, True])
async def test_while_waiting_for_room_in_its_budget(
    *, gate: Gate, draining: Gate, provider: FakeProvider, drain: bool
) -> None:
    """It is not dispatched when its turn comes: nobody would read the answer."""
    here = draining if drain else gate
    key = await here.key(limit_usd="0.0001")
    release = asyncio.Event()

    async def slow(request: web.Request, body: bytes) -> web.StreamResponse:
        await release.wait()
        return await answers(chat_answer())(request, body)

    provider.handler = slow
    first = asyncio.create_task(here.call(CHAT, **key.headers))
    await until(lambda: len(provider.received) == 1)
    second = await Leaver.ask(here, key, CHAT)
    await until(lambda: here.house.core.admission.waiting == 1)
    second.leave()
    await until(lambda: here.house.core.admission.waiting == 0)
    release.set()
    assert (await first)[0] == 200
    gone, served = await here.ended(key, 2)
    assert (served["status"], gone["status"]) == ("ok", "cancelled")
    assert (gone["cost_usd"], gone["attempts"]) == ("0.000000000", 0)
    assert len(provider.received) == 1


@pytest.mark.parametrize("body", [CHAT, STREAMED], ids=["plain", "streamed"])
async def test_before_the_first_byte(
    gate: Gate, provider: FakeProvider, key: Key, body: dict[str, Any]
) -> None:
    provider.handler = hangs()
    caller = await Leaver.ask(gate, key, body)
    await until(lambda: provider.received)
    caller.leave()
    story = await ended(gate, key)
    assert (story["status"], story["estimated"]) == ("cancelled", True)
    assert story["error"]["code"] == "client_closed_request"
    assert story["cost_usd"] == story["attempts"][0]["hold_usd"]
    await until(lambda: provider.cut_off == 1)


async def test_after_a_request_that_fills_every_buffer(
    gate: Gate, provider: FakeProvider, key: Key
) -> None:
    """The door stops reading at 64 KB, and who does not read does not hear the other end leave."""
    provider.handler = hangs()
    caller = await Leaver.ask(gate, key, {**CHAT, "user": "x" * 500_000})
    await until(lambda: provider.received)
    caller.leave()
    assert (await ended(gate, key))["status"] == "cancelled"


async def test_in_mid_stream(gate: Gate, provider: FakeProvider, key: Key) -> None:
    provider.handler = streams(chat_events(words=2000), pause_seconds=0.005)
    caller = await Leaver.ask(gate, key, STREAMED)
    await caller.reader.readuntil(b"rd3")
    caller.leave()
    story = await ended(gate, key)
    assert (story["status"], story["estimated"]) == ("cancelled", True)
    # What came, at a token a byte, is far from the ceiling of a hundred tokens.
    assert "0" < story["cost_usd"] < story["attempts"][0]["hold_usd"]
    assert story["output_tokens"] >= 4
    await until(lambda: provider.cut_off == 1)


async def test_in_mid_body_of_a_plain_answer(gate: Gate, provider: FakeProvider, key: Key) -> None:
    begun = asyncio.Event()

    async def slow(request: web.Request, _body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"id"')
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    provider.handler = slow
    caller = await Leaver.ask(gate, key, CHAT)
    await begun.wait()
    caller.leave()
    story = await ended(gate, key)
    assert (story["status"], story["cost_usd"]) == ("cancelled", story["attempts"][0]["hold_usd"])
    await until(lambda: provider.cut_off == 1)


@pytest.mark.parametrize("body", [CHAT, STREAMED], ids=["plain", "streamed"])
async def test_a_draining_gate_reads_on_and_posts_the_truth(
    draining: Gate, provider: FakeProvider, body: dict[str, Any]
) -> None:
    key = await draining.key(limit_usd="1.00")
    release = asyncio.Event()

    async def slow(request: web.Request, content: bytes) -> web.StreamResponse:
        await release.wait()
        if body is STREAMED:
            return await streams(chat_events(), pause_seconds=0.01)(request, content)
        return await answers(chat_answer())(request, content)

    provider.handler = slow
    caller = await Leaver.ask(draining, key, body)
    await until(lambda: provider.received)
    caller.leave()
    await asyncio.sleep(0.05)
    release.set()
    story = await ended(draining, key)
    assert (story["status"], story["cost_usd"], story["estimated"]) == ("ok", CHAT_COST, False)
    assert provider.cut_off == 0


async def test_a_draining_gate_reads_on_in_mid_stream(
    draining: Gate, provider: FakeProvider
) -> None:
    key = await draining.key(limit_usd="1.00")
    provider.handler = streams(chat_events(words=50), pause_seconds=0.005)
    caller = await Leaver.ask(draining, key, STREAMED)
    await caller.reader.readuntil(b"rd3")
    caller.leave()
    story = await ended(draining, key)
    assert (story["status"], story["cost_usd"]) == ("ok", CHAT_COST)
    assert provider.cut_off == 0


async def test_a_crowd_that_leaves_at_every_moment_leaves_nothing_held(
    gate: Gate, provider: FakeProvider
) -> None:
    key = await gate.key(limit_usd="0.001")
    provider.handler = streams(chat_events(words=5), pause_seconds=0.002)

    async def visit(number: int) -> None:
        caller = await Leaver.ask(gate, key, STREAMED)
        await asyncio.sleep(number * 0.0015)
        caller.leave()

    await asyncio.gather(*(visit(number) for number in range(60)))
    await until(lambda: gate.house.core.admission.waiting == 0)
    await asyncio.sleep(0.3)
    await gate.at_rest()
    told = await gate.api("GET", "/api/v1/keys/self", **key.headers)
    [budget] = told["budgets"]
    assert budget["pending_usd"] == "0.000000000"
    rows = await gate.calls(key)
    posted = sum(float(row["cost_usd"]) for row in rows)
    assert float(budget["current_spend_usd"]) == pytest.approx(posted)
    assert posted <= 0.001
