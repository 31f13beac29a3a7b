"""Bodies and answers of `/agents`."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from aos.control.schemas import Answer, Body, Instant, Name, Usd
from aos.identity import BUDGET_CENTS_MAX, Agent, AgentStatus
from aos.kit.money import Nanousd, to_cents

Cents = Annotated[
    int,
    Field(ge=0, le=BUDGET_CENTS_MAX, description="A blocking lifetime budget; 0 or null = none."),
]
Threshold = Annotated[
    float,
    Field(gt=0, le=1, description="The share of the budget at which BUDGET_WARNING is raised."),
]


class AgentBody(Body):
    name: Name
    budget_cents: Cents | None = None
    budget_alert_threshold: Threshold | None = None


class AgentChanges(Body):
    """Only what is there changes; null takes the budget away."""

    name: Name = Field(default_factory=str)
    budget_cents: Cents | None = None
    budget_alert_threshold: Threshold = Field(default_factory=float)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("names nothing to change")
        return self


class AgentAnswer(Answer):
    id: str
    name: str
    status: AgentStatus
    budget_cents: int | None
    spent_cents: float = Field(description="From the ledger; parts of a cent are told.")
    spent_usd: Usd
    budget_alert_threshold: float
    created_at: Instant

    @classmethod
    def of(cls, agent: Agent, spent: Nanousd) -> Self:
        return cls(
            id=agent.id,
            name=agent.name,
            status=agent.status,
            budget_cents=agent.budget_cents,
            spent_cents=float(to_cents(spent)),
            spent_usd=spent,
            budget_alert_threshold=agent.budget_alert_threshold,
            created_at=agent.created_at,
        )
