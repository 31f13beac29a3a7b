"""What a budget covers, and which crossings are alerts."""

from datetime import datetime
from typing import Final

from aos.budgets.definitions import Budget, BudgetScope, SpendFacts
from aos.budgets.standing.model import Alert, AlertKind, Crossing
from aos.identity import Caller
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
