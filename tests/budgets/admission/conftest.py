"""Budgets and requests for money, in short words."""

from datetime import UTC, datetime
from typing import Any

from aos.budgets import (
    BreachAction,
    Budget,
    BudgetMatch,
    BudgetPeriod,
    BudgetScope,
    SpendFacts,
    SpendRequest,
)
from aos.kit import ids
from aos.kit.money import Nanousd
from aos.ledger import AccountKey

START = datetime(2020, 1, 1, tzinfo=UTC)


def budget(limit: int, **fields: Any) -> Budget:
    values: dict[str, Any] = {
        "id": ids.new("bgt"),
        "tenant_id": "ten_a",
        "name": "lab",
        "scope": BudgetScope.GLOBAL,
        "scope_value": None,
        "period": BudgetPeriod.TOTAL,
        "timezone": "UTC",
        "limit": Nanousd(limit),
        "action": BreachAction.BLOCK,
        "downgrade_model": None,
        "warning_percent": 80,
        "critical_percent": 100,
        "created_at": START,
    }
    return Budget(**(values | fields))


def match(of: Budget, subject: str = "") -> BudgetMatch:
    return BudgetMatch(of, AccountKey(of.tenant_id, of.id, subject, START, None))


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
