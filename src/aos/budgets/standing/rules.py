"""What a budget covers, and which crossings are alerts."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from aos.budgets.definitions import Budget, BudgetScope, SpendFacts
from aos.budgets.standing.model import AccountStatus, Alert, AlertKind, Crossing
from aos.identity import Caller
from aos.kit.money import Nanousd
from aos.usage import CallFilter, CallLabel

_LABEL_OF: Final = {
    BudgetScope.PER_AGENT: CallLabel.AGENT,
    BudgetScope.PER_KEY: CallLabel.KEY,
    BudgetScope.PER_USER: CallLabel.USER,
    BudgetScope.PER_TEAM: CallLabel.TEAM,
    BudgetScope.PER_MODEL: CallLabel.MODEL,
    BudgetScope.PER_WORKFLOW: CallLabel.WORKFLOW_TAG,
}


def calls_covered(budget: Budget) -> CallFilter:
    """The calls that a budget counts, or would have counted before it was made."""
    if budget.scope is BudgetScope.GLOBAL:
        return CallFilter()
    return CallFilter(label=(_LABEL_OF[budget.scope], budget.scope_value))


def alert_of(budget: Budget, subject: str, crossing: Crossing) -> Alert:
    """A crossing of one of the budget's own two thresholds, as people are told of it."""
    critical = crossing.percent >= budget.critical_percent
    kind = AlertKind.BUDGET_BREACH if critical else AlertKind.BUDGET_WARNING
    return Alert(kind, budget, subject, crossing)


def facts_of(caller: Caller, at: datetime) -> SpendFacts:
    """What is true of every call of this caller, whatever its model."""
    return SpendFacts(
        tenant_id=caller.tenant_id,
        key_id=caller.key_id,
        model="",
        at=at,
        agent_id=caller.agent_id,
        user_id=caller.user_id,
        team_id=caller.team_id,
        fixed_tags=caller.tags,
    )


def percent_used(budget: Budget, account: AccountStatus) -> Decimal:
    """Of the limit, to two places, rounded down: 100.00 means that it is reached."""
    return Decimal(account.posted * 10_000 // (budget.limit or 1)).scaleb(-2)


def account_remaining(budget: Budget, account: AccountStatus) -> Nanousd | None:
    """What can still be held; never below zero, also after the limit was lowered."""
    if budget.limit is None:
        return None
    return Nanousd(max(0, budget.limit - account.posted - account.pending))
