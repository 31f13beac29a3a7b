"""Questions about budgets, answered from the ledger. Implements identity's `SpendReader`."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from aos.budgets.definitions import (
    Budget,
    BudgetBook,
    BudgetMatch,
    BudgetScope,
    day_beginnings,
    own_budget_id,
    period_of,
)
from aos.budgets.definitions.store import find_live
from aos.budgets.standing import rules, store
from aos.budgets.standing.limits import (
    ACCOUNTS_SHOWN_MAX,
    SUMMARY_ALERTS_MAX,
    SUMMARY_BUDGETS_MAX,
)
from aos.budgets.standing.model import UNUSED, AccountStatus, Alert, DaySpend, Standing, Summary
from aos.identity import BindingBudget, Caller, Owner, OwnerKind
from aos.infra.postgres import Transaction
from aos.kit.clock import Clock
from aos.kit.money import Nanousd
from aos.usage import spent_by_day, spent_by_key


class Standings:
    """`book` gives the budgets as they are in force now."""

    def __init__(self, book: Callable[[], BudgetBook], clock: Clock) -> None:
        self._book = book
        self._clock = clock

    async def of(self, tx: Transaction, budget: Budget) -> Standing:
        """How one budget stands, subject by subject."""
        [standing] = await self._read(tx, [budget], ACCOUNTS_SHOWN_MAX)
        return standing

    async def of_each(self, tx: Transaction, budgets: Sequence[Budget]) -> list[Standing]:
        """How these stand, in order, each by its fullest account alone."""
        return await self._read(tx, budgets, 1)

    async def summary(self, tx: Transaction) -> Summary:
        """All live budgets of the tenant."""
        budgets = await find_live(tx)
        standings = await self.of_each(tx, budgets)
        standings.sort(key=lambda s: rules.percent_used(s.budget, s.fullest), reverse=True)
        return Summary(
            standings=tuple(standings[:SUMMARY_BUDGETS_MAX]),
            limit=Nanousd(sum(budget.limit or 0 for budget in budgets)),
            spent=Nanousd(sum(standing.fullest.posted for standing in standings)),
            alerts=tuple(await self._alerts(tx, standings)),
        )

    async def history(self, tx: Transaction, budget: Budget, *, days: int) -> list[DaySpend]:
        """The last days in the budget's zone, today the last: every call that it covers, also of
        days before it was made. By the call's beginning, while a period counts by the hold's.
        """
        beginnings = day_beginnings(budget.timezone, self._clock.now(), days)
        spent = await spent_by_day(
            tx, rules.calls_covered(budget), [instant for _, instant in beginnings]
        )
        return [
            DaySpend(day, of_day.cost, of_day.calls, of_day.total_tokens)
            for (day, _), of_day in zip(beginnings, spent, strict=True)
        ]

    async def spent(self, tx: Transaction, owners: Sequence[Owner]) -> dict[Owner, Nanousd]:
        """What each has spent in its whole life; absent = nothing.

        An agent's is on the ledger's lifetime account; a key's is the sum of its calls.
        """
        agents = {own_budget_id(o.id): o for o in owners if o.kind is OwnerKind.AGENT}
        keys = {owner.id: owner for owner in owners if owner.kind is OwnerKind.KEY}
        spent: dict[Owner, Nanousd] = {}
        if agents:
            posted = await store.read_posted(tx, list(agents))
            spent |= {agents[budget_id]: amount for budget_id, amount in posted.items()}
        if keys:
            by_key = await spent_by_key(tx, list(keys))
            spent |= {keys[key_id]: amount for key_id, amount in by_key.items()}
        return spent

    async def binding(self, tx: Transaction, caller: Caller) -> tuple[BindingBudget, ...]:
        """The budgets that every call of this caller must fit in, whatever its model."""
        facts = rules.facts_of(caller, self._clock.now())
        matches = [
            match
            for match in self._book().match(facts)
            if match.budget.scope is not BudgetScope.PER_MODEL and match.budget.limit is not None
        ]
        accounts = await store.read_subjects(tx, [match.account for match in matches])
        return tuple(_binding(match, accounts.get(match.account)) for match in matches)

    async def _read(
        self, tx: Transaction, budgets: Sequence[Budget], accounts_max: int
    ) -> list[Standing]:
        now = self._clock.now()
        unused = [Standing(budget, period_of(budget, now)) for budget in budgets]
        found = await store.read_accounts(tx, _running(unused), accounts_max)
        standings = []
        for standing in unused:
            accounts = found.get(standing.budget.id, store.Accounts())
            standings.append(replace(standing, accounts=accounts.fullest, subjects=accounts.count))
        return standings

    async def _alerts(self, tx: Transaction, standings: Sequence[Standing]) -> list[Alert]:
        by_id = {standing.budget.id: standing.budget for standing in standings}
        percents = [(budget.warning_percent, budget.critical_percent) for budget in by_id.values()]
        crossed = await store.read_crossings(tx, _running(standings), percents, SUMMARY_ALERTS_MAX)
        return [
            rules.alert_of(by_id[budget_id], subject, crossing)
            for budget_id, subject, crossing in crossed
        ]


def _running(standings: Sequence[Standing]) -> list[store.Running]:
    return [store.Running(item.budget.id, item.period.start) for item in standings]


def _binding(match: BudgetMatch, account: AccountStatus | None) -> BindingBudget:
    budget = match.budget
    account = account or UNUSED
    return BindingBudget(
        id=budget.id,
        name=budget.name,
        scope=budget.scope,
        action=budget.action,
        limit=budget.limit or Nanousd(0),
        spent=account.posted,
        pending=account.pending,
        remaining=rules.account_remaining(budget, account) or Nanousd(0),
        reset_at=match.account.period_end,
    )
