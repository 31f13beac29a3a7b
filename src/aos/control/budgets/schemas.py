"""Bodies and answers of `/api/v1/budgets`."""

import datetime as dt
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from aos.budgets import (
    AccountStatus,
    Alert,
    AlertKind,
    BreachAction,
    Budget,
    BudgetPeriod,
    BudgetScope,
    BudgetTerms,
    DaySpend,
    Standing,
    Summary,
    account_remaining,
    percent_used,
    thresholds_of,
)
from aos.control.schemas import Answer, Body, Instant, Label, Name, Usd, UsdInput
from aos.kit.money import Nanousd

Percent = Annotated[int, Field(ge=1, le=100)]
_FIELDS: Final = {
    "limit_usd": "limit",
    "action_on_breach": "action",
    "warning_threshold_percent": "warning_percent",
    "critical_threshold_percent": "critical_percent",
}
"""Names at the door that differ from the room's."""


class BudgetBody(Body):
    name: Name = Field(description="Unique among the tenant's live budgets.")
    scope: BudgetScope
    scope_value: Label | None = Field(
        default=None, description="Whose; without it each agent, key, … has an account of its own."
    )
    period: BudgetPeriod
    timezone: Label = Field(default="UTC", description="IANA name: where midnight is.")
    limit_usd: UsdInput
    action_on_breach: BreachAction = BreachAction.BLOCK
    downgrade_model: Label | None = None
    warning_threshold_percent: Percent = 80
    critical_threshold_percent: Percent = 100

    def terms(self) -> BudgetTerms:
        return BudgetTerms(**_renamed(dict(self)))


class BudgetChanges(Body):
    """Only what is there changes; null takes away what can be absent."""

    name: Name = Field(default_factory=str)
    scope: BudgetScope = BudgetScope.GLOBAL
    scope_value: Label | None = None
    period: BudgetPeriod = BudgetPeriod.TOTAL
    timezone: Label = Field(default_factory=str)
    limit_usd: UsdInput = Field(default_factory=lambda: Nanousd(0))
    action_on_breach: BreachAction = BreachAction.BLOCK
    downgrade_model: Label | None = None
    warning_threshold_percent: Percent = Field(default_factory=int)
    critical_threshold_percent: Percent = Field(default_factory=int)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("names nothing to change")
        return self

    def changed(self) -> dict[str, Any]:
        """The fields of BudgetTerms that are there."""
        return _renamed({name: getattr(self, name) for name in self.model_fields_set})


class ThresholdAnswer(Answer):
    percent: int
    amount_usd: Usd
    crossed_at: Instant | None = Field(description="In this period; null = not yet.")


class AccountAnswer(Answer):
    subject: str = Field(description="The agent, key, …; empty where the budget has one account.")
    current_spend_usd: Usd
    pending_usd: Usd
    remaining_usd: Usd
    percent_used: float
    thresholds: list[ThresholdAnswer]


class BudgetAnswer(Answer):
    """The figures are those of the fullest account: of the subject that is stopped first."""

    id: str
    tenant_id: str
    name: str
    scope: BudgetScope
    scope_value: str | None
    period: BudgetPeriod
    timezone: str
    limit_usd: Usd
    action_on_breach: BreachAction
    downgrade_model: str | None
    warning_threshold_percent: int
    critical_threshold_percent: int
    managed_by: str | None = Field(
        description="`agent:<id>` or `key:<id>` where it is a field of that, and changed there."
    )
    current_spend_usd: Usd
    pending_usd: Usd = Field(description="Held by calls under way.")
    remaining_usd: Usd
    percent_used: float
    subjects: int = Field(description="Accounts in this period, one for each agent, key, ….")
    period_start: Instant
    reset_at: Instant | None = Field(description="Null = never.")
    created_at: Instant
    last_reset_at: Instant | None = Field(description="Of the last reset by hand.")

    @classmethod
    def of(cls, standing: Standing) -> Self:
        budget, fullest = standing.budget, standing.fullest
        return cls(
            id=budget.id,
            tenant_id=budget.tenant_id,
            name=budget.name,
            scope=budget.scope,
            scope_value=budget.scope_value,
            period=budget.period,
            timezone=budget.timezone,
            limit_usd=budget.limit or 0,
            action_on_breach=budget.action,
            downgrade_model=budget.downgrade_model,
            warning_threshold_percent=budget.warning_percent,
            critical_threshold_percent=budget.critical_percent,
            managed_by=budget.managed_by,
            current_spend_usd=fullest.posted,
            pending_usd=fullest.pending,
            remaining_usd=account_remaining(budget, fullest) or 0,
            percent_used=float(percent_used(budget, fullest)),
            subjects=standing.subjects,
            period_start=standing.period.start,
            reset_at=standing.period.end,
            created_at=budget.created_at,
            last_reset_at=budget.reset_at_last,
        )


class StatusAnswer(Answer):
    """The figures are those of the fullest account: of the subject that is stopped first."""

    id: str
    name: str
    limit_usd: Usd
    current_spend_usd: Usd
    pending_usd: Usd
    remaining_usd: Usd = Field(description="Zero also where more was spent than is now allowed.")
    percent_used: float
    thresholds: list[ThresholdAnswer]
    period_start: Instant
    reset_at: Instant | None
    action_on_breach: BreachAction
    subjects: int
    accounts: list[AccountAnswer] = Field(description="At most a hundred, the fullest first.")

    @classmethod
    def of(cls, standing: Standing) -> Self:
        budget = standing.budget
        fullest = _account(budget, standing.fullest)
        return cls(
            id=budget.id,
            name=budget.name,
            limit_usd=budget.limit or 0,
            current_spend_usd=fullest.current_spend_usd,
            pending_usd=fullest.pending_usd,
            remaining_usd=fullest.remaining_usd,
            percent_used=fullest.percent_used,
            thresholds=fullest.thresholds,
            period_start=standing.period.start,
            reset_at=standing.period.end,
            action_on_breach=budget.action,
            subjects=standing.subjects,
            accounts=[_account(budget, account) for account in standing.accounts],
        )


class AlertAnswer(Answer):
    type: AlertKind
    budget_id: str
    budget_name: str
    subject: str
    percent: int
    crossed_at: Instant

    @classmethod
    def of(cls, alert: Alert) -> Self:
        return cls(
            type=alert.kind,
            budget_id=alert.budget.id,
            budget_name=alert.budget.name,
            subject=alert.subject,
            percent=alert.crossing.percent,
            crossed_at=alert.crossing.crossed_at,
        )


class SummaryAnswer(Answer):
    """A call counts in each budget that binds it: the totals are no sum of what was paid."""

    budgets: list[BudgetAnswer] = Field(description="At most two hundred, the fullest first.")
    total_limit_usd: Usd
    total_spend_usd: Usd
    alerts: list[AlertAnswer] = Field(description="Of the running periods, the newest first.")

    @classmethod
    def of(cls, summary: Summary) -> Self:
        return cls(
            budgets=[BudgetAnswer.of(standing) for standing in summary.standings],
            total_limit_usd=summary.limit,
            total_spend_usd=summary.spent,
            alerts=[AlertAnswer.of(alert) for alert in summary.alerts],
        )


class DayAnswer(Answer):
    date: dt.date = Field(description="In the budget's time zone.")
    cost_usd: Usd
    calls: int
    total_tokens: int

    @classmethod
    def of(cls, day: DaySpend) -> Self:
        return cls(date=day.day, cost_usd=day.cost, calls=day.calls, total_tokens=day.total_tokens)


class DeletedAnswer(Answer):
    id: str
    deleted: bool = True


def _account(budget: Budget, account: AccountStatus) -> AccountAnswer:
    crossed = {crossing.percent: crossing.crossed_at for crossing in account.crossings}
    return AccountAnswer(
        subject=account.subject,
        current_spend_usd=account.posted,
        pending_usd=account.pending,
        remaining_usd=account_remaining(budget, account) or 0,
        percent_used=float(percent_used(budget, account)),
        thresholds=[
            ThresholdAnswer(
                percent=percent,
                amount_usd=-(-(budget.limit or 0) * percent // 100),
                crossed_at=crossed.get(percent),
            )
            for percent in thresholds_of(budget)
        ],
    )


def _renamed(fields: dict[str, Any]) -> dict[str, Any]:
    return {_FIELDS.get(name, name): value for name, value in fields.items()}
