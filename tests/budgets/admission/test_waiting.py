"""Who waits for room, who does not, and what wakes them."""

import asyncio
from datetime import timedelta
from time import monotonic

import pytest

from aos.budgets import BreachAction, BudgetBusy, BudgetExceeded, Clamp, Hold
from aos.infra.postgres import Changes, Database
from aos.kit.money import Nanousd
from aos.ledger import Lease
from tests.budgets.admission.conftest import START, Gate, budget, match, open_gate


async def until_waiting(gate: Gate, count: int) -> None:
    async with asyncio.timeout(5):
        while gate.admission.waiting != count:  # noqa: ASYNC110 - there is nothing to wait on
            await asyncio.sleep(0.001)


async def test_a_settlement_makes_room_at_once(gate: Gate) -> None:
    of = budget(1000)
    first = await gate.hold(900, of)
    waiting = asyncio.create_task(gate.hold(800, of, wait_seconds=5))
    await until_waiting(gate, 1)
    began = monotonic()
    await gate.end(first, 100)
    second = await waiting
    assert monotonic() - began < 0.2  # Not by the retry of every 250 ms.
    assert second.remaining == 100
    assert second.waited_seconds > 0
    assert gate.admission.waiting == 0


async def test_waiting_ends_in_429_and_leaves_the_line(gate: Gate) -> None:
    of = budget(1000)
    await gate.hold(900, of)
    with pytest.raises(BudgetBusy):
        await gate.hold(200, of, wait_seconds=0.3)
    assert gate.admission.waiting == 0


async def test_first_come_first_served_and_nobody_overtakes(gate: Gate) -> None:
    of = budget(1000)
    first = await gate.hold(900, of)
    order: list[str] = []

    async def take(name: str, amount: int) -> Hold:
        hold = await gate.hold(amount, of, wait_seconds=5)
        order.append(name)
        return hold

    large = asyncio.create_task(take("large", 800))
    await until_waiting(gate, 1)
    small = asyncio.create_task(take("small", 50))  # Would fit now, and comes second.
    await until_waiting(gate, 2)
    await asyncio.sleep(0.3)
    assert order == []
    await gate.end(first, 100)
    await asyncio.gather(large, small)
    assert order == ["large", "small"]


async def test_whoever_waits_for_its_own_budget_is_in_nobody_elses_way(gate: Gate) -> None:
    everybody, agent = budget(10_000), budget(100)
    await gate.hold(100, everybody, agent)
    blocked = asyncio.create_task(gate.hold(50, everybody, agent, wait_seconds=5))
    await until_waiting(gate, 1)
    began = monotonic()
    await gate.hold(50, everybody, wait_seconds=5)
    assert monotonic() - began < 0.2
    blocked.cancel()
    await asyncio.gather(blocked, return_exceptions=True)
    assert gate.admission.waiting == 0


async def test_who_can_never_fit_is_refused_in_front_of_the_line(gate: Gate) -> None:
    of = budget(1000)
    await gate.hold(900, of)
    waiting = asyncio.create_task(gate.hold(200, of, wait_seconds=5))
    await until_waiting(gate, 1)
    with pytest.raises(BudgetExceeded):
        await gate.hold(5_000, of, wait_seconds=5)
    waiting.cancel()


async def test_when_the_money_is_spent_everybody_hears_it_at_once(gate: Gate) -> None:
    of = budget(1000)
    first = await gate.hold(900, of)
    waiting = [asyncio.create_task(gate.hold(200, of, wait_seconds=5)) for _ in range(50)]
    await until_waiting(gate, 50)
    began = monotonic()
    await gate.end(first, 900)
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(answer) for answer in answers} == {BudgetExceeded}
    assert monotonic() - began < 1


async def test_a_cancelled_waiter_lets_the_next_one_try(gate: Gate) -> None:
    of = budget(1000)
    await gate.hold(900, of)
    large = asyncio.create_task(gate.hold(800, of, wait_seconds=5))
    await until_waiting(gate, 1)
    small = asyncio.create_task(gate.hold(50, of, wait_seconds=5))
    await until_waiting(gate, 2)
    large.cancel()
    assert (await small).amount == 50


async def test_alert_only_never_waits(gate: Gate) -> None:
    of = budget(100, action=BreachAction.ALERT_ONLY)
    await gate.hold(100, of)
    began = monotonic()
    await gate.hold(100, of, wait_seconds=5)
    assert monotonic() - began < 0.2


async def test_a_call_that_can_be_clamped_waits_for_its_least(gate: Gate) -> None:
    of = budget(1000)
    clamp = Clamp(Nanousd(100), 1_000, 1, tokens_max=2_000, tokens_floor=100)
    first = await gate.hold(950, of)
    waiting = asyncio.create_task(gate.hold(2_100, of, clamp=clamp, wait_seconds=5))
    await until_waiting(gate, 1)
    await gate.end(first, 300)
    hold = await waiting
    assert hold.clamped_tokens == 600
    assert hold.remaining == 0


async def test_a_raised_limit_wakes_those_who_wait(gate: Gate) -> None:
    of = budget(1000)
    await gate.hold(900, of)
    waiting = asyncio.create_task(gate.hold(200, of, wait_seconds=5))
    await until_waiting(gate, 1)
    async with gate.database.tenant("ten_a") as tx:
        await gate.ledger.set_terms(tx, of.id, Nanousd(2000), (50,))
    began = monotonic()
    await gate.admission.budgets_changed()
    assert (await waiting).remaining == 900
    assert monotonic() - began < 0.2


async def test_a_reset_gives_those_who_wait_the_new_period(gate: Gate) -> None:
    of = budget(1000)
    await gate.hold(900, of)
    waiting = asyncio.create_task(gate.hold(200, of, wait_seconds=5))
    await until_waiting(gate, 1)
    gate.binding[:] = [match(of, START + timedelta(days=1))]
    await gate.admission.budgets_changed()
    assert (await waiting).remaining == 800


async def test_another_processs_settlement_wakes_this_one(
    gate: Gate, database_url: str, lease: Lease
) -> None:
    changes = Changes(database_url)
    changes.listen("aos_room", gate.admission.heard)
    await changes.start()
    elsewhere = await Database(database_url).open()
    other = await open_gate(elsewhere, lease)
    of = budget(1000)
    delays = []
    for _ in range(5):
        first = await other.hold(900, of)
        waiting = asyncio.create_task(gate.hold(800, of, wait_seconds=5))
        await until_waiting(gate, 1)
        await asyncio.sleep(0.02)
        began = monotonic()
        await other.end(first, 0)
        second = await waiting
        delays.append(monotonic() - began)
        await gate.end(second, 0)
    await changes.stop()
    await elsewhere.close()
    assert max(delays) < 0.3
    assert min(delays) < 0.1  # By the notice, not by chance of the retry.


async def test_a_settlement_between_the_refusal_and_the_wait_is_not_lost(gate: Gate) -> None:
    """Many rounds of taking and giving back at the same moment: nobody sleeps through it."""
    of = budget(1000)
    for _ in range(30):
        first = await gate.hold(900, of)
        waiting = asyncio.create_task(gate.hold(800, of, wait_seconds=5))
        ending = asyncio.create_task(gate.end(first, 0))
        began = monotonic()
        second = await waiting
        await ending
        assert monotonic() - began < 0.24
        await gate.end(second, 0)
