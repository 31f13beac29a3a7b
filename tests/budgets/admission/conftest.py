"""Budgets and requests for money, in short words, and an admission over a real ledger."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from aos.budgets import (
    Admission,
    BreachAction,
    Budget,
    BudgetMatch,
    BudgetPeriod,
    BudgetScope,
    Hold,
    SpendFacts,
    SpendRequest,
)
from aos.infra.postgres import Database
from aos.infra.settings import LeaseSettings
from aos.kit import ids
from aos.kit.money import Nanousd
from aos.ledger import AccountKey, Lease, Ledger, Settlement, SettlementKind, SettlementResult

START = datetime(2020, 1, 1, tzinfo=UTC)


def budget(limit: int | None, **fields: Any) -> Budget:
    values: dict[str, Any] = {
        "id": ids.new("bgt"),
        "tenant_id": "ten_a",
        "name": "lab",
        "scope": BudgetScope.GLOBAL,
        "scope_value": None,
        "period": BudgetPeriod.TOTAL,
        "timezone": "UTC",
        "limit": None if limit is None else Nanousd(limit),
        "action": BreachAction.BLOCK,
        "downgrade_model": None,
        "warning_percent": 80,
        "critical_percent": 100,
        "created_at": START,
    }
    return Budget(**(values | fields))


def match(of: Budget, since: datetime = START) -> BudgetMatch:
    return BudgetMatch(of, AccountKey(of.tenant_id, of.id, "", since, None))


def spend(bound: int | None, *budgets: Budget, **fields: Any) -> SpendRequest:
    values: dict[str, Any] = {
        "hold_id": ids.new("hold"),
        "call_id": ids.new("call"),
        "facts": SpendFacts("ten_a", "key_1", "gpt-4o-mini", datetime.now(UTC)),  # noqa: TID251
        "matches": tuple(match(of) for of in budgets),
        "bound": None if bound is None else Nanousd(bound),
        "reserve": Nanousd(1_000_000_000),
        "call": b"{}",
        "wait_seconds": 0.0,
    }
    return SpendRequest(**(values | fields))


@dataclass
class Gate:
    """One process's admission. `binding` is what its snapshot says to whoever asks again."""

    database: Database
    ledger: Ledger
    admission: Admission
    binding: list[BudgetMatch] = field(default_factory=list)

    async def hold(self, bound: int | None, *budgets: Budget, **fields: Any) -> Hold:
        known = {found.budget.id for found in self.binding}
        self.binding += [match(of) for of in budgets if of.id not in known]
        answer = await self.admission.hold(spend(bound, *budgets, **fields))
        assert isinstance(answer, Hold)
        return answer

    async def end(self, hold: Hold, cost: int) -> SettlementResult:
        settlement = Settlement(hold.id, "ten_a", SettlementKind.POST, Nanousd(cost))
        async with self.database.system() as tx:
            results = await self.ledger.settle(tx, [settlement])
        self.admission.settled(results[0].balances)
        return results[0]


async def open_gate(database: Database, lease: Lease) -> Gate:
    ledger = Ledger(database, lease.process_id)
    binding: list[BudgetMatch] = []
    return Gate(database, ledger, Admission(ledger, lambda _facts: tuple(binding)), binding)


@pytest.fixture
async def lease(database: Database) -> AsyncIterator[Lease]:
    lease = Lease(database, LeaseSettings())
    await lease.start()
    yield lease
    await lease.stop()


@pytest.fixture
async def gate(database: Database, lease: Lease) -> Gate:
    return await open_gate(database, lease)
