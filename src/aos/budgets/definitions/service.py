"""The verbs of budgets, and the book that every call is matched with.

A verb that takes a transaction works in it and never commits. After the commit its edge calls
`refresh`, so that the change binds the next call of this process; the others hear of it within a
second. What the ledger enforces (limit, deletion) holds for all of them from the commit on.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from enum import Enum, auto
from typing import Any, Final

from aos.budgets.definitions import rules, store
from aos.budgets.definitions.errors import (
    BudgetManaged,
    BudgetNotFound,
    InvalidBudget,
    TooManyBudgets,
)
from aos.budgets.definitions.limits import (
    BOOK_STALE_SECONDS_MAX,
    BUDGETS_PER_TENANT_MAX,
    CHECK_SECONDS_MAX,
)
from aos.budgets.definitions.model import (
    BreachAction,
    Budget,
    BudgetPeriod,
    BudgetScope,
    BudgetTerms,
)
from aos.budgets.definitions.rules import BudgetBook
from aos.identity import OwnBudget, Owner, OwnerKind
from aos.infra.batching import Batcher
from aos.infra.errors import DatabaseUnavailable
from aos.infra.postgres import Changes, Database, Transaction
from aos.kit import ids
from aos.kit.clock import Clock
from aos.kit.money import Nanousd
from aos.ledger import Ledger

_SCOPE_OF: Final = {OwnerKind.AGENT: BudgetScope.PER_AGENT, OwnerKind.KEY: BudgetScope.PER_KEY}
_TERMS: Final = tuple(field.name for field in fields(BudgetTerms))
_BEGINS_ANEW: Final = ("scope", "scope_value", "period", "timezone")


class _Wish(Enum):
    CHECK = auto()
    """Load only if something has changed."""
    LOAD = auto()


class Budgets:
    """One a process. Implements identity's `OwnBudgets`; `listen` before `Changes.start`."""

    def __init__(
        self, database: Database, ledger: Ledger, clock: Clock, changes: Changes | None = None
    ) -> None:
        """Without `changes` the book knows only what this process did: for commands and tests."""
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._changes = changes
        self._book = BudgetBook()
        self._mark: store.Mark | None = None
        self._loads: Batcher[_Wish, None] = Batcher(self._load)

    def listen(self) -> None:
        """Hear of changes from now on."""
        assert self._changes is not None, "made without news"
        self._changes.subscribe(store.TOPIC, self.refresh)

    @property
    def book(self) -> BudgetBook:
        """The budgets as last loaded, however old; for the path of a call: `book_if_fresh`."""
        return self._book

    def book_if_fresh(self) -> BudgetBook | None:
        """The book, if every change has been heard; None: ask `fresh_book`."""
        if self._changes is None:
            return self._book
        stale_seconds = self._changes.stale_seconds(store.TOPIC)
        return self._book if stale_seconds <= BOOK_STALE_SECONDS_MAX else None

    async def fresh_book(self) -> BudgetBook:
        """The book, checked against the database. Raises DatabaseUnavailable: no spend unseen."""
        try:
            async with asyncio.timeout(CHECK_SECONDS_MAX):
                await self._loads.submit(_Wish.CHECK)
        except TimeoutError as error:
            raise DatabaseUnavailable("the database did not answer in time") from error
        return self._book

    async def refresh(self) -> None:
        """Read what was written since. Calls that come while it reads share one more reading."""
        await self._loads.submit(_Wish.LOAD)

    async def create(self, tx: Transaction, terms: BudgetTerms) -> Budget:
        """A new budget. Raises InvalidBudget, UnknownSubject, BudgetNameTaken, TooManyBudgets."""
        rules.check_terms(terms)
        await self._check_room(tx)
        now = self._clock.now()
        budget = await store.insert(tx, ids.new("bgt", now), now, terms)
        await self._set_limit(tx, budget.id, terms)
        await store.announce(tx)
        return budget

    async def get(self, tx: Transaction, budget_id: str) -> Budget:
        """Raises BudgetNotFound."""
        return _found(await store.find(tx, budget_id), budget_id)

    async def list(
        self, tx: Transaction, wanted: store.BudgetFilter, *, limit: int
    ) -> list[Budget]:
        """Live budgets of the transaction's tenant, the newest first."""
        return await store.page(tx, wanted, limit)

    async def replace(self, tx: Transaction, budget_id: str, terms: BudgetTerms) -> Budget:
        """All new terms. A budget that counts something else than before begins anew.

        Raises BudgetNotFound, BudgetManaged, InvalidBudget, UnknownSubject, BudgetNameTaken.
        """
        budget = await self._to_change(tx, budget_id)
        rules.check_terms(terms)
        anew = any(getattr(terms, name) != getattr(budget, name) for name in _BEGINS_ANEW)
        reset_at = self._clock.now() if anew else None
        changed = await store.update(tx, budget_id, terms, reset_at)
        await self._set_limit(tx, budget_id, terms)
        await store.announce(tx)
        return changed

    async def change(self, tx: Transaction, budget_id: str, changes: Mapping[str, Any]) -> Budget:
        """Some new terms; `changes` are fields of BudgetTerms. Raises as `replace`."""
        budget = await self._to_change(tx, budget_id)
        terms = BudgetTerms(**{name: getattr(budget, name) for name in _TERMS})
        return await self.replace(tx, budget_id, replace(terms, **changes))

    async def delete(self, tx: Transaction, budget_id: str) -> None:
        """Live → deleted: it binds nobody; its accounts stay on the books.

        Raises BudgetNotFound, BudgetManaged.
        """
        await self._to_change(tx, budget_id)
        await store.delete(tx, budget_id)
        await self._ledger.retire(tx, budget_id)
        await store.announce(tx)

    async def reset(self, tx: Transaction, budget_id: str) -> Budget:
        """Begin the running period anew; it ends when it would have ended. What is pending
        settles in the period that took it.

        Raises BudgetNotFound, and BudgetManaged for an agent's: that is for its whole life.
        """
        budget = _found(await store.find(tx, budget_id, lock=True), budget_id)
        if budget.managed_by is not None and budget.managed_by.startswith(OwnerKind.AGENT):
            raise BudgetManaged(
                f"budget {budget_id} is for the whole life of its agent: raise budget_cents there"
            )
        changed = await store.set_reset(tx, budget_id, self._clock.now())
        await store.announce(tx)
        return changed

    async def set_own(
        self, tx: Transaction, tenant_id: str, owner: Owner, own: OwnBudget | None
    ) -> None:
        """Make, change or (None) end the budget that is a field of `owner`.

        It has always the same id, so that a lifetime budget which is taken away and given back
        goes on where it was. Raises InvalidBudget, UnknownSubject, TooManyBudgets.
        """
        budget_id = rules.own_budget_id(owner.id)
        if own is None:
            await self._end_own(tx, budget_id, owner)
            return
        terms = _own_terms(owner, own)
        rules.check_terms(terms)
        await self._check_room(tx)
        own_row = store.OwnRow(
            budget_id, tenant_id, str(owner), rules.lifetime_start(owner.id), self._clock.now()
        )
        await store.upsert_own(tx, own_row, terms)
        await self._set_limit(tx, budget_id, terms)
        await store.announce(tx)

    async def find_own(self, tx: Transaction, owners: Sequence[Owner]) -> dict[Owner, OwnBudget]:
        """Those of these owners that have one."""
        by_name = {str(owner): owner for owner in owners}
        budgets = await store.find_own(tx, list(by_name))
        return {by_name[budget.managed_by or ""]: _own_budget(budget) for budget in budgets}

    async def _end_own(self, tx: Transaction, budget_id: str, owner: Owner) -> None:
        if not await store.delete(tx, budget_id):
            return
        if owner.kind is OwnerKind.AGENT:
            await self._ledger.set_terms(tx, budget_id, None, ())  # It goes on counting.
        else:
            await self._ledger.retire(tx, budget_id)
        await store.announce(tx)

    async def _to_change(self, tx: Transaction, budget_id: str) -> Budget:
        budget = _found(await store.find(tx, budget_id, lock=True), budget_id)
        if budget.managed_by is not None:
            raise BudgetManaged(
                f"budget {budget_id} belongs to {budget.managed_by}: change it there",
                managed_by=budget.managed_by,
            )
        return budget

    async def _check_room(self, tx: Transaction) -> None:
        if await store.count_live(tx) >= BUDGETS_PER_TENANT_MAX:
            raise TooManyBudgets(
                f"this tenant has {BUDGETS_PER_TENANT_MAX} budgets: delete some, or use one"
                " PER_AGENT budget without a scope_value for all agents"
            )

    async def _set_limit(self, tx: Transaction, budget_id: str, terms: BudgetTerms) -> None:
        await self._ledger.set_terms(tx, budget_id, terms.limit, rules.thresholds_of(terms))

    async def _load(self, wishes: Sequence[_Wish]) -> Sequence[None]:
        if _Wish.LOAD in wishes or not await self._is_current():
            before = self._mark
            mark, written = await store.read_since(self._database, before)
            anew = before is None or mark.transaction < before.transaction
            self._book = BudgetBook(written) if anew else self._book.changed(written)
            self._mark = mark
        return [None] * len(wishes)

    async def _is_current(self) -> bool:
        if self._mark is None:
            return False
        async with self._database.system() as tx:
            return await store.read_version(tx) == self._mark.version


def _found(budget: Budget | None, budget_id: str) -> Budget:
    if budget is None:
        raise BudgetNotFound(f"there is no budget {budget_id} in this tenant")
    return budget


def _own_terms(owner: Owner, own: OwnBudget) -> BudgetTerms:
    if own.period not in BudgetPeriod.__members__:
        raise InvalidBudget(f"the period is one of {', '.join(BudgetPeriod)}", field="period")
    if own.action not in BreachAction.__members__:
        actions = ", ".join(BreachAction)
        raise InvalidBudget(f"the action is one of {actions}", field="action_on_breach")
    return BudgetTerms(
        name=own.name or str(owner),
        scope=_SCOPE_OF[owner.kind],
        scope_value=owner.id,
        period=BudgetPeriod(own.period),
        limit=own.limit,
        timezone=own.timezone,
        action=BreachAction(own.action),
        downgrade_model=own.downgrade_model,
        warning_percent=own.warning_percent,
        critical_percent=own.critical_percent,
    )


def _own_budget(budget: Budget) -> OwnBudget:
    assert budget.limit is not None, "only synthetic budgets have no limit"
    return OwnBudget(
        limit=Nanousd(budget.limit),
        period=budget.period,
        timezone=budget.timezone,
        action=budget.action,
        downgrade_model=budget.downgrade_model,
        warning_percent=budget.warning_percent,
        critical_percent=budget.critical_percent,
        name=None if budget.name == budget.managed_by else budget.name,
    )
