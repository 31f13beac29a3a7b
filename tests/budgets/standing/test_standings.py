"""What is told of budgets, read from a real ledger and a real call log."""

from datetime import timedelta

from aos.budgets import (
    AlertKind,
    BudgetPeriod,
    BudgetScope,
    Standing,
    account_remaining,
    percent_used,
)
from aos.identity import Caller, Owner, OwnerKind, Scope
from aos.kit import ids
from aos.kit.clock import SystemClock
from aos.kit.money import Nanousd, parse_usd
from aos.messages import TokenUsage
from aos.usage import CallStatus, record
from tests.budgets.conftest import Bench
from tests.usage.samples import call


def left(standing: Standing) -> Nanousd | None:
    return account_remaining(standing.budget, standing.fullest)


def used(standing: Standing) -> str:
    return str(percent_used(standing.budget, standing.fullest))


async def test_a_budget_without_a_call_stands_at_nothing(bench: Bench) -> None:
    standing = await bench.standing(await bench.create())
    assert standing.accounts == ()
    assert (standing.fullest.posted, standing.fullest.pending, standing.subjects) == (0, 0, 0)
    assert left(standing) == parse_usd("1")
    assert used(standing) == "0.00"


async def test_what_is_spent_what_is_pending_and_what_is_left(bench: Bench) -> None:
    budget = await bench.create(limit=parse_usd("0.03"))
    await bench.spend("0.01")
    await bench.hold("0.005")
    standing = await bench.standing(budget)
    assert standing.fullest.posted == parse_usd("0.01")
    assert standing.fullest.pending == parse_usd("0.005")
    assert left(standing) == parse_usd("0.015")
    assert used(standing) == "33.33"
    assert standing.period.end is not None


async def test_the_figures_are_those_of_the_subject_that_stops_first(bench: Bench) -> None:
    budget = await bench.create(scope=BudgetScope.PER_KEY, limit=parse_usd("0.02"))
    await bench.spend("0.001", key_id="key_a")
    await bench.spend("0.003", key_id="key_b")
    await bench.hold("0.009", key_id="key_c")
    standing = await bench.standing(budget)
    assert [account.subject for account in standing.accounts] == ["key_c", "key_b", "key_a"]
    assert standing.subjects == 3
    assert left(standing) == parse_usd("0.011")
    async with bench.database.tenant("default") as tx:
        [brief] = await bench.standings.of_each(tx, [budget])
    assert [account.subject for account in brief.accounts] == ["key_c"]
    assert brief.subjects == 3


async def test_crossed_thresholds_are_told_once(bench: Bench) -> None:
    budget = await bench.create(limit=parse_usd("0.01"), warning_percent=60, critical_percent=90)
    await bench.spend("0.0055")
    [account] = (await bench.standing(budget)).accounts
    assert [crossing.percent for crossing in account.crossings] == [50]
    await bench.spend("0.0035")
    [account] = (await bench.standing(budget)).accounts
    assert [crossing.percent for crossing in account.crossings] == [50, 60, 75, 90]
    async with bench.database.tenant("default") as tx:
        summary = await bench.standings.summary(tx)
    assert [(alert.kind, alert.crossing.percent) for alert in summary.alerts] == [
        (AlertKind.BUDGET_BREACH, 90),
        (AlertKind.BUDGET_WARNING, 60),
    ]


async def test_a_reset_begins_without_alerts(bench: Bench) -> None:
    budget = await bench.create(limit=parse_usd("0.01"))
    await bench.spend("0.01")
    await bench.run(bench.budgets.reset, budget.id)
    async with bench.database.tenant("default") as tx:
        summary = await bench.standings.summary(tx)
    assert summary.alerts == ()
    assert summary.spent == 0


async def test_the_summary_has_the_fullest_first_and_counts_all(bench: Bench) -> None:
    await bench.create(name="wide", limit=parse_usd("10"))
    tight = await bench.create(name="tight", limit=parse_usd("0.02"), period=BudgetPeriod.WEEKLY)
    await bench.spend("0.01")
    async with bench.database.tenant("default") as tx:
        summary = await bench.standings.summary(tx)
    assert summary.standings[0].budget == tight
    assert summary.limit == parse_usd("10.02")
    assert summary.spent == parse_usd("0.02")
    async with bench.database.tenant("other") as tx:
        assert (await bench.standings.summary(tx)).standings == ()


async def test_history_is_by_day_and_of_the_calls_that_the_budget_covers(bench: Bench) -> None:
    agent, key_id = await bench.agent(), await bench.key()
    now = SystemClock().now()
    mine = call(
        tenant_id="default",
        at=now,
        agent_id=agent.id,
        key_id=key_id,
        cost=Nanousd(7),
        usage=TokenUsage(input_tokens=3, output_tokens=4),
    )
    unpriced = call(tenant_id="default", at=now - timedelta(days=2), cost=None)
    foreign = call(tenant_id="other", at=now, agent_id=agent.id)
    old = call(tenant_id="default", at=now - timedelta(days=9), agent_id=agent.id)
    async with bench.database.system() as tx:
        await record(tx, [mine, unpriced, foreign, old], [])
    everything = await bench.create(name="everything", timezone="Asia/Tokyo")
    of_agent = await bench.create(name="a", scope=BudgetScope.PER_AGENT, scope_value=agent.id)
    of_agents = await bench.create(name="b", scope=BudgetScope.PER_AGENT)
    of_model = await bench.create(name="c", scope=BudgetScope.PER_MODEL, scope_value="gpt-5")
    of_models = await bench.create(name="d", scope=BudgetScope.PER_MODEL, scope_value="gpt-4o")
    async with bench.database.tenant("default") as tx:
        days = await bench.standings.history(tx, everything, days=7)
        by_agent = await bench.standings.history(tx, of_agent, days=1)
        by_agents = await bench.standings.history(tx, of_agents, days=10)
        by_model = await bench.standings.history(tx, of_model, days=7)
        by_models = await bench.standings.history(tx, of_models, days=7)
    assert len(days) == 7
    assert [day.calls for day in days] == [0, 0, 0, 0, 1, 0, 1]
    assert (days[-1].cost, days[-1].total_tokens) == (7, 7)
    assert (days[4].cost, days[4].total_tokens) == (0, 1050)
    assert (by_agent[0].cost, by_agent[0].calls) == (7, 1)
    assert sum(day.calls for day in by_agents) == 2
    assert sum(day.calls for day in by_model) == 0
    assert sum(day.calls for day in by_models) == 2


async def test_what_keys_and_agents_have_spent_in_their_lives(bench: Bench) -> None:
    agent, key_id = await bench.agent(), await bench.key()
    await bench.spend("0.02", agent_id=agent.id)
    rows = [
        call(tenant_id="default", key_id=key_id, cost=cost, status=CallStatus.OK)
        for cost in (Nanousd(5), Nanousd(6), None)
    ]
    async with bench.database.system() as tx:
        await record(tx, rows, [])
    owners = [
        Owner(OwnerKind.AGENT, agent.id),
        Owner(OwnerKind.KEY, key_id),
        Owner(OwnerKind.KEY, ids.new("key")),
    ]
    async with bench.database.tenant("default") as tx:
        assert await bench.standings.spent(tx, owners) == {
            owners[0]: parse_usd("0.02"),
            owners[1]: 11,
        }


async def test_what_binds_a_caller(bench: Bench) -> None:
    agent, key_id = await bench.agent(), await bench.key()
    of_all = await bench.create(name="all", limit=parse_usd("1"))
    of_agent = await bench.create(
        name="agents", scope=BudgetScope.PER_AGENT, period=BudgetPeriod.TOTAL
    )
    await bench.create(
        name="other key", scope=BudgetScope.PER_KEY, scope_value=await bench.key("o")
    )
    await bench.create(name="models", scope=BudgetScope.PER_MODEL)
    await bench.spend("0.25", agent_id=agent.id, key_id=key_id)
    caller = Caller("default", key_id, frozenset({Scope.INVOKE}), agent_id=agent.id)
    async with bench.database.tenant("default") as tx:
        binding = await bench.standings.binding(tx, caller)
    assert {budget.id for budget in binding} == {of_all.id, of_agent.id}
    assert {budget.spent for budget in binding} == {parse_usd("0.25")}
    assert {budget.remaining for budget in binding} == {parse_usd("0.75")}
    assert {budget.reset_at is None for budget in binding} == {True, False}
