"""Budgets as people define them. Limits are nano-dollars; instants are aware, in UTC."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from aos.kit.money import Nanousd
from aos.ledger import AccountKey


class BudgetScope(StrEnum):
    """Whose spend counts. Without a `scope_value`, PER_* keeps one account per subject."""

    GLOBAL = "GLOBAL"
    PER_AGENT = "PER_AGENT"
    PER_MODEL = "PER_MODEL"
    PER_WORKFLOW = "PER_WORKFLOW"
    PER_KEY = "PER_KEY"
    PER_USER = "PER_USER"
    PER_TEAM = "PER_TEAM"


class BudgetPeriod(StrEnum):
    """When it starts anew, in the budget's own time zone."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    TOTAL = "TOTAL"


class BreachAction(StrEnum):
    """What happens to a call that does not fit."""

    ALERT_ONLY = "ALERT_ONLY"
    BLOCK = "BLOCK"
    DOWNGRADE_MODEL = "DOWNGRADE_MODEL"


@dataclass(frozen=True, slots=True)
class Period:
    """The instants from `start` up to, not including, `end`; without an end where it is None."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Budget:
    """One definition. `reset_at_last` is the instant of the last manual reset, if any.

    Without a `limit` it only counts: the lifetime account of an agent that has no budget.
    """

    id: str
    tenant_id: str
    name: str
    scope: BudgetScope
    scope_value: str | None
    period: BudgetPeriod
    timezone: str
    limit: Nanousd | None
    action: BreachAction
    downgrade_model: str | None
    warning_percent: int
    critical_percent: int
    created_at: datetime
    reset_at_last: datetime | None = None
    active: bool = True
    managed_by: str | None = None
    """`agent:<id>` or `key:<id>` where the budget is a field of another thing."""


@dataclass(frozen=True, slots=True)
class BudgetTerms:
    """What people decide about a budget. `timezone` is an IANA name, `limit` above zero."""

    name: str
    scope: BudgetScope
    period: BudgetPeriod
    limit: Nanousd
    scope_value: str | None = None
    timezone: str = "UTC"
    action: BreachAction = BreachAction.BLOCK
    downgrade_model: str | None = None
    warning_percent: int = 80
    critical_percent: int = 100


@dataclass(frozen=True, slots=True)
class SpendFacts:
    """All that a budget may ask of a call. `fixed_tags` are those the key itself sets.

    `workflow` is what the caller says. A budget by workflow binds on the key's own tag `workflow`
    only: otherwise a caller could spend another's budget, or leave its own, by a header.
    """

    tenant_id: str
    key_id: str
    model: str
    at: datetime
    agent_id: str | None = None
    user_id: str | None = None
    team_id: str | None = None
    run_id: str | None = None
    workflow: str | None = None
    fixed_tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BudgetMatch:
    """A budget that binds a call, and the account of the period that the call falls in."""

    budget: Budget
    account: AccountKey
