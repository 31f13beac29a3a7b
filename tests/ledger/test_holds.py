import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from aos.infra.postgres import Database
from aos.kit import ids
from aos.kit.clock import ManualClock
from aos.ledger import Claim, ClockSkewed, HoldOutcome, Ledger, SettlementKind, UnknownHold
from tests.ledger.conftest import START, Bench, request


async def test_a_hold_is_taken_and_the_rest_comes_back(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000)
    held = await bench.hold(600, account)
    assert held.granted
    assert held.balances[0].available == 400
    settled = await bench.end(held.hold_id, 250)
    assert settled.balances[0].available == 750
    assert not settled.overrun


async def test_a_hold_is_all_or_none(bench: Bench) -> None:
    wide, narrow = await bench.open("bgt_1", 1000), await bench.open("bgt_2", 100)
    held = await bench.hold(500, wide, narrow)
    assert held.outcome is HoldOutcome.FULL
    assert held.full is not None
    assert held.full.account_id == narrow
    assert (await bench.balance(wide)).pending == 0


async def test_the_account_that_can_never_fit_it_is_named_first(bench: Bench) -> None:
    pending, spent = await bench.open("bgt_1", 1000), await bench.open("bgt_2", 100)
    await bench.hold(900, pending)
    held = await bench.hold(200, pending, spent)
    assert held.full is not None
    assert held.full.account_id == spent


async def test_a_limit_that_is_not_enforced_is_only_counted(bench: Bench) -> None:
    account = await bench.open("bgt_1", 100)
    held = await bench.hold(500, account, claims=(Claim(account, enforced=False),))
    assert held.granted
    assert held.balances[0].pending == 500
    assert held.balances[0].available == 0


async def test_another_tenants_account_is_refused_and_its_neighbours_are_not(bench: Bench) -> None:
    own = await bench.open("bgt_1", 1000)
    foreign = await bench.open("bgt_2", 1000, tenant_id="ten_b")
    results = await asyncio.gather(
        bench.hold(10, own),
        bench.hold(10, own, foreign),
        bench.hold(10, foreign),
        bench.hold(10, own, 999_999),
        bench.hold(10, own),
    )
    assert [result.outcome for result in results] == [
        HoldOutcome.GRANTED,
        HoldOutcome.FOREIGN,
        HoldOutcome.FOREIGN,
        HoldOutcome.FOREIGN,
        HoldOutcome.GRANTED,
    ]
    assert (await bench.balance(own)).pending == 20
    assert (await bench.balance(foreign)).pending == 0


async def test_the_same_hold_twice_is_one_hold(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000)
    asked = request(600, account)
    together = await asyncio.gather(bench.ledger.hold(asked), bench.ledger.hold(asked))
    later = await bench.ledger.hold(asked)
    assert {result.granted for result in [*together, later]} == {True}
    assert later.outcome is HoldOutcome.GRANTED_BEFORE
    assert (await bench.balance(account)).pending == 600


async def test_an_id_has_one_body_and_one_life(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000)
    asked = request(600, account)
    await bench.ledger.hold(asked)
    other = await bench.hold(601, account, id=asked.id)
    assert other.outcome is HoldOutcome.CONFLICT
    await bench.end(asked.id, 100)
    assert (await bench.ledger.hold(asked)).outcome is HoldOutcome.ENDED


async def test_a_hold_needs_the_period_of_now(bench: Bench) -> None:
    over = await bench.open("bgt_1", 1000, period=(START, START + timedelta(days=1)))
    assert (await bench.hold(1, over)).outcome is HoldOutcome.CLOSED


async def test_a_clock_that_is_off_admits_nothing(database: Database, bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000)
    off = Ledger(database, bench.lease.process_id, ManualClock(datetime(2026, 1, 1, tzinfo=UTC)))
    with pytest.raises(ClockSkewed, match="synchronise"):
        await off.hold(request(1, account))


async def test_a_settlement_repeated_changes_nothing(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000)
    held = await bench.hold(600, account)
    await bench.end(held.hold_id, 250)
    again = await bench.end(held.hold_id, 999)
    assert again.repeated
    assert again.balances[0].posted == 250


async def test_a_void_gives_everything_back(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000)
    held = await bench.hold(600, account)
    voided = await bench.end(held.hold_id, 0, SettlementKind.VOID)
    assert voided.balances[0].available == 1000


async def test_a_cost_above_the_hold_is_posted_in_full(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000)
    held = await bench.hold(600, account)
    settled = await bench.end(held.hold_id, 1500)
    assert settled.overrun == 900
    assert settled.balances[0].posted == 1500
    assert settled.balances[0].available == 0


async def test_a_late_settlement_corrects_an_expired_hold(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000)
    held = await bench.hold(600, account)
    expired = await bench.end(held.hold_id, 600, SettlementKind.EXPIRE)
    assert expired.balances[0].posted == 600
    late = await bench.end(held.hold_id, 250)
    assert late.corrected
    assert late.balances[0].posted == 250
    assert (await bench.end(held.hold_id, 250)).repeated
    assert (await bench.end(held.hold_id, 600, SettlementKind.EXPIRE)).repeated


async def test_a_hold_of_another_tenant_cannot_be_settled(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000)
    held = await bench.hold(600, account)
    with pytest.raises(UnknownHold):
        await bench.end(held.hold_id, 1, tenant_id="ten_b")
    with pytest.raises(UnknownHold):
        await bench.end(ids.new("hold"), 1)
    assert (await bench.balance(account)).pending == 600
