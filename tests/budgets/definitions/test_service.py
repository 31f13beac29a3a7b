"""Budgets through their verbs, with a real ledger under them."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
import pytest

from aos.budgets import (
    BreachAction,
    BudgetBook,
    BudgetBusy,
    BudgetExceeded,
    BudgetFilter,
    BudgetManaged,
    BudgetNameTaken,
    BudgetNotFound,
    BudgetPeriod,
    Budgets,
    BudgetScope,
    InvalidBudget,
    UnknownSubject,
    account_remaining,
    percent_used,
)
from aos.budgets.definitions.store import read_since
from aos.identity import OwnBudget, Owner, OwnerKind
from aos.infra.postgres import Changes, Database
from aos.kit.clock import ManualClock, SystemClock
from aos.kit.money import parse_usd
from aos.ledger import Ledger
from tests.budgets.conftest import Bench
from tests.budgets.definitions.samples import budget, facts, terms


async def test_a_budget_is_kept_as_it_was_made(bench: Bench) -> None:
    made = await bench.create(
        name="monthly",
        period=BudgetPeriod.MONTHLY,
        timezone="Africa/Cairo",
        action=BreachAction.DOWNGRADE_MODEL,
        downgrade_model="gpt-4o-mini",
        warning_percent=60,
        critical_percent=95,
    )
    found = await bench.run(bench.budgets.get, made.id)
    assert found == made
    assert (found.timezone, found.downgrade_model, found.warning_percent) == (
        "Africa/Cairo",
        "gpt-4o-mini",
        60,
    )
    assert bench.budgets.book.get(made.id) == made


async def test_what_means_nothing_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidBudget):
        await bench.create(timezone="Mars/Olympus")
    budget = await bench.create()
    with pytest.raises(InvalidBudget):
        await bench.run(bench.budgets.change, budget.id, {"warning_percent": 101})


@pytest.mark.parametrize("scope", [BudgetScope.PER_AGENT, BudgetScope.PER_KEY])
async def test_the_subject_is_one_of_this_tenant(bench: Bench, scope: BudgetScope) -> None:
    subject = (await bench.agent()).id if scope is BudgetScope.PER_AGENT else await bench.key()
    await bench.create(scope=scope, scope_value=subject)
    with pytest.raises(UnknownSubject):
        await bench.create(name="b", scope=scope, scope_value="agt_nobody")
    bench.tenant_id = "other"
    with pytest.raises(UnknownSubject):
        await bench.create(name="c", scope=scope, scope_value=subject)


async def test_names_are_taken_by_the_living_of_one_tenant(bench: Bench) -> None:
    first = await bench.create(name="n")
    with pytest.raises(BudgetNameTaken):
        await bench.create(name="n")
    await bench.run(bench.budgets.delete, first.id)
    second = await bench.create(name="n")
    third = await bench.create(name="m")
    with pytest.raises(BudgetNameTaken):
        await bench.run(bench.budgets.change, third.id, {"name": "n"})
    bench.tenant_id = "other"
    await bench.create(name="n")
    with pytest.raises(BudgetNotFound):
        await bench.run(bench.budgets.get, second.id)


async def test_a_list_is_the_newest_first_page_by_page(bench: Bench) -> None:
    made = [await bench.create(name=f"n{number}") for number in range(3)]
    first = await bench.run(bench.budgets.list, BudgetFilter(), limit=2)
    assert [budget.id for budget in first] == [made[2].id, made[1].id]
    rest = await bench.run(bench.budgets.list, BudgetFilter(after=first[-1].id), limit=2)
    assert [budget.id for budget in rest] == [made[0].id]
    assert await bench.run(bench.budgets.list, BudgetFilter(name="n1"), limit=2) == [made[1]]


async def test_a_new_budget_binds_the_next_call(bench: Bench) -> None:
    await bench.spend("5")
    await bench.create(limit=parse_usd("0.01"))
    with pytest.raises(BudgetExceeded):
        await bench.hold("0.02")
    await bench.hold("0.01")


async def test_a_changed_limit_binds_the_running_period(bench: Bench) -> None:
    budget = await bench.create(limit=parse_usd("0.01"))
    await bench.spend("0.008")
    with pytest.raises(BudgetExceeded):
        await bench.hold("0.004")
    await bench.run(bench.budgets.change, budget.id, {"limit": parse_usd("0.02")})
    held = await bench.hold("0.004")
    await bench.run(bench.budgets.change, budget.id, {"limit": parse_usd("0.005")})
    with pytest.raises(BudgetExceeded):
        await bench.hold("0.000001")
    await bench.settle(held, "0.004")
    standing = await bench.standing(budget)
    assert standing.fullest.posted == parse_usd("0.012")
    changed = standing.budget
    assert account_remaining(changed, standing.fullest) == 0
    assert str(percent_used(changed, standing.fullest)) == "240.00"


async def test_a_deleted_budget_binds_nobody(bench: Bench) -> None:
    budget = await bench.create(limit=parse_usd("0.01"))
    await bench.run(bench.budgets.delete, budget.id)
    await bench.spend("1")
    with pytest.raises(BudgetNotFound):
        await bench.run(bench.budgets.delete, budget.id)


async def test_a_reset_gives_the_whole_limit_back(bench: Bench) -> None:
    budget = await bench.create(limit=parse_usd("0.01"))
    before = await bench.hold("0.003")
    await bench.spend("0.007")
    await bench.run(bench.budgets.reset, budget.id)
    await bench.spend("0.01")
    await bench.settle(before, "0.003")  # In the period that took it.
    standing = await bench.standing(budget)
    assert standing.fullest.posted == parse_usd("0.01")
    assert standing.period.end is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": BudgetScope.PER_MODEL, "scope_value": "m"},
        {"period": BudgetPeriod.WEEKLY},
        {"period": BudgetPeriod.TOTAL},
        {"timezone": "Asia/Tokyo"},
    ],
)
async def test_a_budget_that_counts_something_else_begins_anew(
    bench: Bench, changes: dict[str, Any]
) -> None:
    budget = await bench.create(limit=parse_usd("0.01"))
    await bench.spend("0.01")
    await bench.run(bench.budgets.change, budget.id, changes)
    await bench.spend("0.01")
    with pytest.raises(BudgetExceeded):
        await bench.hold("0.000001")
    await bench.run(bench.budgets.change, budget.id, {"name": "only its name"})
    with pytest.raises(BudgetExceeded):
        await bench.hold("0.000001")


async def test_no_hold_that_begins_after_a_change_of_limit_exceeds_it(bench: Bench) -> None:
    budget = await bench.create(limit=parse_usd("0.05"))
    await bench.hold("0.03")
    lowered = asyncio.Event()
    late: list[str] = []

    async def hold_on() -> None:
        for _ in range(10):
            after = lowered.is_set()
            try:
                held = await bench.hold("0.0005")
            except (BudgetExceeded, BudgetBusy):
                continue
            if after:
                late.append(held.id)

    async def lower() -> None:
        await bench.run(bench.budgets.change, budget.id, {"limit": parse_usd("0.02")})
        lowered.set()

    await asyncio.gather(*(hold_on() for _ in range(4)), lower())
    assert late == []
    assert (await bench.standing(budget)).fullest.pending <= parse_usd("0.05")
    with pytest.raises(BudgetBusy):
        await bench.hold("0.000001")


async def test_the_book_of_another_process_hears_of_it(bench: Bench, database: Database) -> None:
    changes = Changes(database.url)
    other = Budgets(database, Ledger(database, "proc_other"), SystemClock(), changes)
    other.listen()
    await changes.start()
    try:
        made = await bench.create()
        async with asyncio.timeout(1):
            while other.book.get(made.id) is None:  # noqa: ASYNC110 - the book is no event
                await asyncio.sleep(0.01)
    finally:
        await changes.stop()


async def test_a_book_that_hears_nothing_is_checked_before_it_is_used(
    bench: Bench, database: Database
) -> None:
    deaf = Changes(database.url)
    other = Budgets(database, Ledger(database, "proc_other"), SystemClock(), deaf)
    other.listen()
    assert other.book_if_fresh() is None
    budget = await bench.create()
    first = await other.fresh_book()
    assert first.get(budget.id) == budget
    assert await other.fresh_book() is first  # Nothing has changed: it is not loaded again.
    await bench.run(bench.budgets.delete, budget.id)
    assert (await other.fresh_book()).get(budget.id) is None


async def test_a_budget_that_was_written_early_and_committed_late_is_not_missed(
    bench: Bench,
) -> None:
    async with bench.database.tenant("default") as tx:
        late = await bench.budgets.create(tx, terms(name="late"))
        async with bench.database.tenant("other"):
            await bench.budgets.refresh()
        assert bench.budgets.book.get(late.id) is None
    await bench.budgets.refresh()
    assert bench.budgets.book.get(late.id) == late


async def test_rows_signed_by_another_cluster_are_not_read_again_and_again(bench: Bench) -> None:
    """A restored database keeps signatures that its own transactions have yet to reach."""
    await bench.create()
    async with await psycopg.AsyncConnection.connect(bench.database.url) as connection:
        await connection.execute("SET ROLE aos_owner")
        await connection.execute("ALTER TABLE aos.budgets DISABLE TRIGGER budgets_signed")
        await connection.execute("UPDATE aos.budgets SET written_by = '99999999999'")
        await connection.execute("ALTER TABLE aos.budgets ENABLE TRIGGER budgets_signed")
    mark, live = await read_since(bench.database, None)
    assert len(live) == 1
    assert (await read_since(bench.database, mark))[1] == []
    changed = await bench.run(bench.budgets.change, live[0].id, {"limit": parse_usd("2")})
    assert (await read_since(bench.database, mark))[1] == [changed]


async def test_calls_that_wish_for_the_book_at_once_share_its_loading(bench: Bench) -> None:
    await bench.create()
    before = bench.budgets.book
    books: set[int] = set()

    async def refresh() -> None:
        await bench.budgets.refresh()
        books.add(id(bench.budgets.book))

    await asyncio.gather(*(refresh() for _ in range(50)))
    assert bench.budgets.book is not before
    assert len(books) <= 2


async def test_an_agents_budget_is_for_its_whole_life(bench: Bench) -> None:
    agent = await bench.agent(budget_cents=1)
    owner = Owner(OwnerKind.AGENT, agent.id)
    await bench.spend("0.007", agent_id=agent.id)
    with pytest.raises(BudgetExceeded):
        await bench.hold("0.004", agent_id=agent.id)
    await bench.run(bench.budgets.set_own, "default", owner, None)
    await bench.spend("0.1", agent_id=agent.id)
    assert await bench.run(bench.standings.spent, [owner]) == {owner: parse_usd("0.107")}
    await bench.run(bench.budgets.set_own, "default", owner, OwnBudget(parse_usd("0.11")))
    with pytest.raises(BudgetExceeded):
        await bench.hold("0.004", agent_id=agent.id)
    await bench.spend("0.003", agent_id=agent.id)
    assert await bench.run(bench.budgets.find_own, [owner]) == {owner: OwnBudget(parse_usd("0.11"))}


async def test_what_an_agent_spent_before_its_first_budget_counts(bench: Bench) -> None:
    agent = await bench.agent()
    await bench.spend("0.007", agent_id=agent.id)
    own = OwnBudget(parse_usd("0.01"))
    await bench.run(bench.budgets.set_own, "default", Owner(OwnerKind.AGENT, agent.id), own)
    with pytest.raises(BudgetExceeded):
        await bench.hold("0.004", agent_id=agent.id)


async def test_a_keys_own_budget(bench: Bench) -> None:
    key_id = await bench.key()
    owner = Owner(OwnerKind.KEY, key_id)
    own = OwnBudget(parse_usd("0.01"), period="MONTHLY", timezone="Asia/Tokyo", name="of k")
    await bench.run(bench.budgets.set_own, "default", owner, own)
    assert await bench.run(bench.budgets.find_own, [owner]) == {owner: own}
    with pytest.raises(BudgetExceeded):
        await bench.hold("0.02", key_id=key_id)
    await bench.run(bench.budgets.set_own, "default", owner, None)
    await bench.spend("0.02", key_id=key_id)
    assert await bench.run(bench.budgets.find_own, [owner]) == {}
    with pytest.raises(InvalidBudget):
        await bench.run(bench.budgets.set_own, "default", owner, replace(own, period="FORTNIGHTLY"))


async def test_a_budget_that_is_a_field_is_changed_at_its_owner(bench: Bench) -> None:
    agent = await bench.agent(budget_cents=1)
    [own] = await bench.run(bench.budgets.list, BudgetFilter(), limit=10)
    assert own.managed_by == f"agent:{agent.id}"
    with pytest.raises(BudgetManaged):
        await bench.run(bench.budgets.change, own.id, {"limit": parse_usd("9")})
    with pytest.raises(BudgetManaged):
        await bench.run(bench.budgets.delete, own.id)
    with pytest.raises(BudgetManaged):
        await bench.run(bench.budgets.reset, own.id)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM aos.budgets",
        "UPDATE aos.budgets SET tenant_id = 'other'",
        """INSERT INTO aos.budgets (id, tenant_id, name, scope, period, timezone, limit_nanousd,
        action, warning_percent, critical_percent, created_at) VALUES
        ('bgt_x', 'other', 'x', 'GLOBAL', 'DAILY', 'UTC', 1, 'BLOCK', 1, 1, now())""",
    ],
)
async def test_plain_sql_neither_deletes_a_budget_nor_gives_one_to_another_tenant(
    bench: Bench, statement: LiteralString
) -> None:
    await bench.create()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with bench.database.tenant("default") as tx:
            await tx.execute(statement)


async def test_plain_sql_of_another_tenant_finds_nothing(bench: Bench) -> None:
    made = await bench.create()
    async with bench.database.tenant("other") as tx:
        cursor = await tx.execute("SELECT id FROM aos.budgets")
        assert await cursor.fetchall() == []
        cursor = await tx.execute("UPDATE aos.budgets SET name = 'taken' RETURNING id")
        assert await cursor.fetchall() == []
    assert await bench.run(bench.budgets.get, made.id) == made


def test_a_daily_budget_of_a_standing_clock_goes_on_tomorrow() -> None:
    clock = ManualClock(datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC))
    book = BudgetBook([budget()])
    [today] = book.match(facts(at=clock.now()))
    clock.advance(1)
    [tomorrow] = book.match(facts(at=clock.now()))
    assert today.account.period_end == tomorrow.account.period_start
    assert tomorrow.account.period_start - today.account.period_start == timedelta(days=1)
    assert terms().limit == today.budget.limit
