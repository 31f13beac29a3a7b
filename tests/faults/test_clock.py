"""Clocks across midnight, the end of a week and a month, and changes to and from summer time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from aiohttp import web

from aos.kit.clock import ManualClock
from aos.kit.money import format_usd
from tests.answers import CHAT_COST
from tests.conftest import rows_as_owner
from tests.houses import Gate, open_gate, until
from tests.upstreams import FakeProvider, answers, chat_answer, fake_provider

WHOLE: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
    "response_format": {"type": "json_object"},
}
HOUR = 3600
NOTHING = "0.000000000"


@asynccontextmanager
async def at(
    database_url: str, monkeypatch: pytest.MonkeyPatch, start: str
) -> AsyncIterator[tuple[Gate, ManualClock, FakeProvider]]:
    """A gate whose clock stands at `start`, however far that is from the database's."""
    monkeypatch.setattr("aos.ledger.store.CLOCK_SKEW_SECONDS_MAX", 10.0**9)
    clock = ManualClock(datetime.fromisoformat(start))
    async with (
        fake_provider(answers(chat_answer())) as provider,
        open_gate(database_url, provider.url, clock=clock) as gate,
    ):
        yield gate, clock, provider
        await gate.at_rest()


async def hold_of_one(gate: Gate) -> int:
    """What a call must hold at this time, in nano-dollars: prices have dates too."""
    assert (await gate.call(WHOLE))[0] == 200
    rows = await rows_as_owner(
        gate.house.core.database, "SELECT max(hold_nanousd) AS hold FROM aos.call_attempts"
    )
    return int(rows[0]["hold"])


@dataclass(frozen=True)
class Turn:
    """The last hours of a period in its own zone, and the reset of the one that follows."""

    period: str
    zone: str
    start: str
    hours: int
    next_reset: str


@pytest.mark.parametrize(
    "turn",
    [
        Turn("DAILY", "UTC", "2026-05-10T23:30Z", 1, "2026-05-12T00:00:00Z"),
        Turn("DAILY", "Asia/Kolkata", "2026-05-10T18:00Z", 1, "2026-05-11T18:30:00Z"),
        Turn("WEEKLY", "Europe/Berlin", "2026-05-10T21:30Z", 1, "2026-05-17T22:00:00Z"),
        Turn("MONTHLY", "UTC", "2026-01-31T23:30Z", 1, "2026-03-01T00:00:00Z"),
        Turn("MONTHLY", "America/New_York", "2028-03-01T04:30Z", 1, "2028-04-01T04:00:00Z"),
        Turn("MONTHLY", "UTC", "2026-12-31T23:30Z", 1, "2027-02-01T00:00:00Z"),
        # A day of 25 hours and one of 23, in New York.
        Turn("DAILY", "America/New_York", "2026-11-01T04:30Z", 25, "2026-11-03T05:00:00Z"),
        Turn("DAILY", "America/New_York", "2026-03-08T05:30Z", 23, "2026-03-10T04:00:00Z"),
    ],
    ids=lambda turn: f"{turn.period} {turn.zone} {turn.start}",
)
async def test_a_budget_is_whole_again_when_its_period_ends_and_not_before(
    priced_url: str, monkeypatch: pytest.MonkeyPatch, turn: Turn
) -> None:
    async with at(priced_url, monkeypatch, turn.start) as (gate, clock, _):
        limit = format_usd(await hold_of_one(gate) + 4_000)
        budget_id = await gate.budget(limit, period=turn.period, timezone=turn.zone)
        assert (await gate.call(WHOLE))[0] == 200
        assert (await gate.call(WHOLE))[0] == 402
        clock.advance(turn.hours * HOUR - 31 * 60)
        status, _, body = await gate.call(WHOLE)
        assert status == 402
        assert datetime.fromisoformat(body["error"]["reset_at"]) > clock.now()
        assert await gate.spent(budget_id) == (CHAT_COST, NOTHING)
        clock.advance(31 * 60)
        assert await gate.spent(budget_id) == (NOTHING, NOTHING)
        assert (await gate.call(WHOLE))[0] == 200
        status, _, body = await gate.call(WHOLE)
        assert (status, body["error"]["reset_at"]) == (402, turn.next_reset)


async def test_a_call_across_midnight_is_paid_by_the_day_that_held_it(
    priced_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = asyncio.Event()

    async def held_back(request: web.Request, body: bytes) -> web.StreamResponse:
        await release.wait()
        return await answers(chat_answer())(request, body)

    async with at(priced_url, monkeypatch, "2026-05-10T23:59:59Z") as (gate, clock, provider):
        budget_id = await gate.budget("1.00", period="DAILY")
        provider.handler = held_back
        late = asyncio.create_task(gate.call(WHOLE))
        await until(lambda: provider.received)
        clock.advance(2)
        # The new day owes nothing for what is still pending in the old one.
        assert await gate.spent(budget_id) == (NOTHING, NOTHING)
        provider.handler = answers(chat_answer())
        assert (await gate.call(WHOLE))[0] == 200
        release.set()
        assert (await late)[0] == 200
        assert await gate.spent(budget_id) == (CHAT_COST, NOTHING)
        history = await gate.api("GET", f"/api/v1/budgets/{budget_id}/history?days=2")
        assert [(day["date"], day["cost_usd"]) for day in history] == [
            ("2026-05-10", CHAT_COST),
            ("2026-05-11", CHAT_COST),
        ]


async def test_who_waits_across_midnight_is_served_by_the_new_day(
    priced_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = asyncio.Event()

    async def held_back(request: web.Request, body: bytes) -> web.StreamResponse:
        await release.wait()
        return await answers(chat_answer())(request, body)

    async with at(priced_url, monkeypatch, "2026-05-10T23:59:59Z") as (gate, clock, provider):
        hold = await hold_of_one(gate)
        provider.received.clear()
        await gate.budget(format_usd(hold + hold // 2), period="DAILY")
        provider.handler = held_back
        first = asyncio.create_task(gate.call(WHOLE))
        await until(lambda: provider.received)
        second = asyncio.create_task(gate.call(WHOLE))
        await until(lambda: gate.house.core.admission.waiting == 1)
        clock.advance(2)
        # Its turn comes within the quarter of a second after which the head of a line asks again.
        await until(lambda: len(provider.received) == 2, 2)
        release.set()
        assert (await first)[0] == (await second)[0] == 200


async def test_a_clock_that_is_wrong_admits_nothing(priced_url: str) -> None:
    clock = ManualClock(datetime.fromisoformat("2026-05-10T12:00Z"))
    async with (
        fake_provider(answers(chat_answer())) as provider,
        open_gate(priced_url, provider.url, clock=clock) as gate,
    ):
        status, _, body = await gate.call(WHOLE)
        assert (status, body["error"]["code"]) == (503, "clock_skewed")
        assert provider.received == []
        await gate.at_rest()
