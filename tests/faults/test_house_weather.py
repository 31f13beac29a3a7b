"""The database goes away under calls, keys are revoked under streams, houses share a database."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from aos.infra.limits import HEALTH_KEPT_SECONDS
from aos.kit.clock import ManualClock, SystemClock
from tests.answers import CHAT_COST, every_dialect
from tests.conftest import rows_as_owner
from tests.houses import Gate, Key, open_gate, until
from tests.upstreams import FakeProvider, answers, chat_answer, chat_events, fake_provider, streams
from tests.wires import Wire, wire_to

CHAT: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
}
STREAMED = {**CHAT, "stream": True}
HANG_SECONDS_MAX = 3.0
SHORT_LEASES: Any = {"AOS_LEASE_BEAT_SECONDS": "0.1", "AOS_LEASE_DEAD_SECONDS": "0.6"}


@dataclass
class Weather:
    """What callers and the provider saw; times are seconds since it began."""

    gate: Gate
    key: Key
    provider: FakeProvider
    outcomes: list[tuple[float, int, float]] = field(default_factory=list)
    """(asked at, status, seconds until its last byte)."""
    dispatched: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    over: bool = False
    callers: list[asyncio.Task[None]] = field(default_factory=list)

    def now(self) -> float:
        return time.monotonic() - self.began

    async def caller(self, number: int) -> None:
        body = STREAMED if number % 2 else CHAT
        while not self.over:
            at = self.now()
            status, _, _ = await self.gate.call(body, **self.key.headers)
            self.outcomes.append((at, status, self.now() - at))
            await asyncio.sleep(0.02)

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        self.dispatched.append(self.now())
        await asyncio.sleep(0.15)
        return await every_dialect(request, body)


@asynccontextmanager
async def weather(wire: Wire) -> AsyncIterator[Weather]:
    async with (
        fake_provider() as provider,
        open_gate(wire.url, provider.url) as gate,
    ):
        seen = Weather(gate, await gate.key(limit_usd="1.00"), provider)
        provider.handler = seen.answer
        seen.callers = [asyncio.create_task(seen.caller(number)) for number in range(20)]
        yield seen


@pytest.mark.parametrize(("how", "seconds"), [("cut", 10.0), ("dead", 5.0)])
async def test_the_database_is_gone_while_calls_are_in_flight(
    priced_url: str, how: str, seconds: float
) -> None:
    async with wire_to(priced_url) as wire, weather(wire) as seen:
        await asyncio.sleep(0.7)
        away = seen.now()
        if how == "cut":
            await wire.cut()
        else:
            wire.deaden()
        await asyncio.sleep(seconds)
        back = seen.now()
        await wire.mend()
        await asyncio.sleep(2.5)
        seen.over = True
        await asyncio.gather(*seen.callers)

        assert {status for _, status, _ in seen.outcomes} == {200, 503}
        assert max(lasted for _, _, lasted in seen.outcomes) < HANG_SECONDS_MAX
        # A hold may have been on its way back when the wire broke; none after that.
        assert [at for at in seen.dispatched if away + 0.2 < at < back] == []
        assert [o for o in seen.outcomes if away + 0.2 < o[0] < back - 2.5 and o[1] == 200] == []
        assert [o for o in seen.outcomes if o[0] > back + 1.5 and o[1] != 200] == []
        assert len([o for o in seen.outcomes if o[0] > back + 1.5]) > 20

        await seen.gate.at_rest()
        rows = await rows_as_owner(
            seen.gate.house.core.database,
            "SELECT count(*) AS count, sum(cost_nanousd)::bigint AS cost,"
            " bool_or(estimated) AS estimated FROM aos.call_attempts",
        )
        assert rows[0]["count"] == len(seen.dispatched)
        told = await seen.gate.api("GET", "/api/v1/keys/self", **seen.key.headers)
        assert told["budgets"][0]["pending_usd"] == "0.000000000"
        assert told["budgets"][0]["current_spend_usd"] == f"0.{rows[0]['cost']:09d}"
        assert rows[0]["estimated"] is False


async def test_a_stop_while_the_database_is_gone_does_not_hang(priced_url: str) -> None:
    async with wire_to(priced_url) as wire, fake_provider() as provider:
        release = asyncio.Event()

        async def held_back(request: web.Request, body: bytes) -> web.StreamResponse:
            await release.wait()
            return await answers(chat_answer())(request, body)

        provider.handler = held_back
        async with asyncio.timeout(20):
            async with open_gate(wire.url, provider.url) as gate:
                call = asyncio.create_task(gate.call(CHAT))
                await until(lambda: provider.received)
                await wire.cut()
                release.set()
                status, headers, _ = await call
                assert (status, headers["x-aos-cost-usd"]) == (200, CHAT_COST)


async def test_two_houses_on_one_database_spend_no_more_than_one(priced_url: str) -> None:
    async with (
        fake_provider(answers(chat_answer(prompt=60, completion=1000))) as provider,
        open_gate(priced_url, provider.url) as one,
        open_gate(priced_url, provider.url) as other,
    ):
        key = await one.key(limit_usd="0.01")
        body = {**CHAT, "max_tokens": 1000, "response_format": {"type": "json_object"}}
        gates = [one, other] * 30
        done = await asyncio.gather(*(gate.call(body, **key.headers) for gate in gates))
        served = [status for status, _, _ in done].count(200)
        assert {status for status, _, _ in done} == {200, 402}
        told = await other.api("GET", "/api/v1/keys/self", **key.headers)
        assert told["budgets"][0]["current_spend_usd"] == f"0.{served * 609_000:09d}"
        assert served == len(provider.received)
        # Full, but for what one hold would still have needed.
        assert 8_000_000 < served * 609_000 <= 10_000_000
        await one.at_rest()
        await other.at_rest()


async def test_room_made_by_one_house_is_taken_by_another(priced_url: str) -> None:
    release = asyncio.Event()

    async def held_back(request: web.Request, body: bytes) -> web.StreamResponse:
        await release.wait()
        return await answers(chat_answer())(request, body)

    async with (
        fake_provider(held_back) as provider,
        open_gate(priced_url, provider.url) as one,
        open_gate(priced_url, provider.url) as other,
    ):
        key = await one.key(limit_usd="0.0002")
        body = {**CHAT, "response_format": {"type": "json_object"}}
        first = asyncio.create_task(one.call(body, **key.headers))
        await until(lambda: len(provider.received) == 1)
        second = asyncio.create_task(other.call(body, **key.headers))
        await until(lambda: other.house.core.admission.waiting == 1)
        release.set()
        started = time.monotonic()
        assert (await first)[0] == (await second)[0] == 200
        assert time.monotonic() - started < 1.5


async def test_a_key_revoked_in_mid_stream_is_refused_everywhere_within_a_second(
    priced_url: str,
) -> None:
    async with (
        fake_provider(streams(chat_events(words=60), pause_seconds=0.02)) as provider,
        open_gate(priced_url, provider.url) as one,
        open_gate(priced_url, provider.url) as other,
    ):
        key = await one.key(limit_usd="1.00")
        assert (await other.call(CHAT, **key.headers))[0] == 200
        stream = asyncio.create_task(one.call(STREAMED, **key.headers))
        await until(lambda: len(provider.received) == 2)
        await asyncio.sleep(0.2)
        await one.api("DELETE", f"/api/v1/keys/{key.id}")
        await asyncio.sleep(1)
        provider.handler = every_dialect
        for gate in (one, other):
            status, _, body = await gate.call(CHAT, **key.headers)
            assert (status, body["error"]["code"]) == (401, "key_revoked")
        # The stream that was under way is served to its end, and paid for.
        status, headers, got = await stream
        assert status == 200
        assert got.endswith(b"data: [DONE]\n\n")
        assert (await one.story(headers))["cost_usd"] == CHAT_COST


async def test_an_hour_long_stream_keeps_its_hold(priced_url: str) -> None:
    release = asyncio.Event()

    async def hours(request: web.Request, _body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        first, *rest = chat_events()
        await response.write(first)
        await release.wait()
        for event in rest:
            await response.write(event)
        return response

    clock = ManualClock(SystemClock().now())
    async with (
        fake_provider(hours) as provider,
        open_gate(priced_url, provider.url, clock=clock, **SHORT_LEASES) as gate,
        open_gate(priced_url, provider.url, **SHORT_LEASES) as reaping,
    ):
        key = await gate.key(limit_usd="1.00")
        sent = {"authorization": f"Bearer {key.secret}"}
        async with gate.session.post(
            f"{gate.url}/v1/chat/completions", json=STREAMED, headers=sent
        ) as answer:
            await answer.content.readuntil(b"\n\n")
            for _ in range(60):
                clock.advance(60)
                await asyncio.sleep(0.03)  # Three lives of a lease that nobody beats.
            assert reaping.house.core.lease.alive_seconds > 0.6
            held = await rows_as_owner(gate.house.core.database, "SELECT state FROM aos.holds")
            assert [row["state"] for row in held] == ["dispatched"]
            release.set()
            assert (await answer.read()).endswith(b"data: [DONE]\n\n")
        story = await gate.story({k.lower(): v for k, v in answer.headers.items()})
        assert (story["status"], story["cost_usd"]) == ("ok", CHAT_COST)
        assert story["latency_ms"] >= 3_600_000
        assert [entry["kind"] for entry in story["entries"]].count("expire") == 0


async def test_a_house_without_leases_kept_is_expired_and_corrected(priced_url: str) -> None:
    """The other side of the test above: who does not beat loses its holds, and the truth that
    comes later is booked as a correction.
    """
    release = asyncio.Event()

    async def held_back(request: web.Request, body: bytes) -> web.StreamResponse:
        await release.wait()
        return await answers(chat_answer())(request, body)

    async with (
        fake_provider(held_back) as provider,
        open_gate(priced_url, provider.url, AOS_LEASE_BEAT_SECONDS="3600") as gate,
        open_gate(priced_url, provider.url, **SHORT_LEASES) as reaping,
    ):
        key = await gate.key(limit_usd="1.00")
        call = asyncio.create_task(gate.call(CHAT, **key.headers))
        [lost] = await reaping.ended(key)
        assert (lost["status"], lost["estimated"]) == ("lost", True)
        release.set()
        status, headers, _ = await call
        assert status == 200
        story = await gate.story(headers)
        assert (story["status"], story["cost_usd"], story["estimated"]) == ("ok", CHAT_COST, False)
        assert story["settlement"]["posted_usd"] == CHAT_COST
        await gate.at_rest()


async def test_a_hold_that_cannot_be_read_does_not_end_the_reaper(priced_url: str) -> None:
    release = asyncio.Event()

    async def held_back(request: web.Request, body: bytes) -> web.StreamResponse:
        await release.wait()
        return await answers(chat_answer())(request, body)

    async with (
        fake_provider(held_back) as provider,
        open_gate(priced_url, provider.url, AOS_LEASE_BEAT_SECONDS="3600") as gate,
    ):
        database = gate.house.core.database
        key = await gate.key(limit_usd="1.00")
        call = asyncio.create_task(gate.call(CHAT, **key.headers))
        await until(lambda: provider.received)
        [held] = await rows_as_owner(
            database, "WITH was AS (SELECT id, call FROM aos.holds) UPDATE aos.holds AS h"
            " SET call = '{}' FROM was WHERE was.id = h.id RETURNING was.call::text AS call",
        )  # fmt: skip
        async with open_gate(priced_url, provider.url, **SHORT_LEASES) as reaping:
            await asyncio.sleep(1.5)
            assert await reaping.calls(key) == []
            await rows_as_owner(
                database, "UPDATE aos.holds SET call = %s RETURNING id", (held["call"],)
            )
            [lost] = await reaping.ended(key)
            assert lost["status"] == "lost"
        release.set()
        assert (await call)[0] == 200
        await gate.at_rest()


async def test_a_bare_house_says_that_its_database_is_gone(priced_url: str) -> None:
    async with (
        wire_to(priced_url) as wire,
        fake_provider() as provider,
        open_gate(wire.url, provider.url) as gate,
    ):
        async with gate.session.get(f"{gate.url}/health") as healthy:
            assert healthy.status == 200
        await wire.cut()
        await asyncio.sleep(HEALTH_KEPT_SECONDS)
        async with gate.session.get(f"{gate.url}/health") as sick:
            assert (sick.status, (await sick.json())["status"]) == (503, "down")
        async with asyncio.timeout(HANG_SECONDS_MAX):
            status, _, body = await gate.call(CHAT)
        assert (status, body["error"]["code"]) == (503, "database_unavailable")
        assert provider.received == []
        await wire.mend()
