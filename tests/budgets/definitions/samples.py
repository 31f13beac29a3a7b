from datetime import UTC, datetime
from typing import Any

from aos.budgets import (
    BreachAction,
    Budget,
    BudgetPeriod,
    BudgetScope,
    BudgetTerms,
    SpendFacts,
)
from aos.kit.money import Nanousd, parse_usd

CREATED = datetime(2026, 11, 1, tzinfo=UTC)


def budget(**changes: Any) -> Budget:
    fields: dict[str, Any] = {
        "id": "bgt_1",
        "tenant_id": "ten_1",
        "name": "all",
        "scope": BudgetScope.GLOBAL,
        "scope_value": None,
        "period": BudgetPeriod.DAILY,
        "timezone": "UTC",
        "limit": Nanousd(1_000_000_000),
        "action": BreachAction.BLOCK,
        "downgrade_model": None,
        "warning_percent": 80,
        "critical_percent": 100,
        "created_at": CREATED,
    }
    return Budget(**fields | changes)


def facts(**changes: Any) -> SpendFacts:
    fields: dict[str, Any] = {
        "tenant_id": "ten_1",
        "key_id": "key_1",
        "model": "gpt-4o-mini",
        "at": datetime(2026, 11, 20, 12, tzinfo=UTC),
    }
    return SpendFacts(**fields | changes)


def terms(**changes: Any) -> BudgetTerms:
    """GLOBAL, DAILY, one dollar, BLOCK."""
    fields: dict[str, Any] = {
        "name": "all",
        "scope": BudgetScope.GLOBAL,
        "period": BudgetPeriod.DAILY,
        "limit": parse_usd("1"),
    }
    return BudgetTerms(**fields | changes)
