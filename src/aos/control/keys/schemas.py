"""Bodies and answers of `/api/v1/keys`."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from aos.control.schemas import (
    Action,
    Answer,
    Body,
    Instant,
    InstantInput,
    Label,
    Name,
    Period,
    Usd,
    UsdInput,
)
from aos.identity import (
    GRACE_SECONDS_MAX,
    MODELS_MAX,
    RATE_MAX,
    TAG_NAME_LENGTH_MAX,
    TAG_VALUE_LENGTH_MAX,
    TAGS_MAX,
    ApiKey,
    BindingBudget,
    KeyTerms,
    OwnBudget,
    Scope,
)
from aos.kit.money import Nanousd

Scopes = Annotated[frozenset[Scope], Field(min_length=1)]
Models = Annotated[list[Label], Field(max_length=MODELS_MAX)]
Rate = Annotated[int, Field(ge=1, le=RATE_MAX)]
TagName = Annotated[Label, Field(max_length=TAG_NAME_LENGTH_MAX)]
TagValue = Annotated[str, Field(max_length=TAG_VALUE_LENGTH_MAX)]
Tags = Annotated[dict[TagName, TagValue], Field(max_length=TAGS_MAX)]
Percent = Annotated[int, Field(ge=1, le=100)]


class KeyBudgetBody(Body):
    """The key's own budget: as POST /budgets, with the key as its scope."""

    limit_usd: UsdInput
    name: Name | None = None
    scope: Literal["PER_KEY"] = "PER_KEY"
    period: Period = "TOTAL"
    timezone: Label = "UTC"
    action_on_breach: Action = "BLOCK"
    downgrade_model: Label | None = None
    warning_threshold_percent: Percent = 80
    critical_threshold_percent: Percent = 100

    def own(self) -> OwnBudget:
        return OwnBudget(
            limit=self.limit_usd,
            period=self.period,
            timezone=self.timezone,
            action=self.action_on_breach,
            downgrade_model=self.downgrade_model,
            warning_percent=self.warning_threshold_percent,
            critical_percent=self.critical_threshold_percent,
            name=self.name,
        )


class KeyBudgetAnswer(Answer):
    limit_usd: Usd
    name: str | None
    scope: Literal["PER_KEY"] = "PER_KEY"
    period: str
    timezone: str
    action_on_breach: str
    downgrade_model: str | None
    warning_threshold_percent: int
    critical_threshold_percent: int

    @classmethod
    def of(cls, own: OwnBudget) -> Self:
        return cls(
            limit_usd=own.limit,
            name=own.name,
            period=own.period,
            timezone=own.timezone,
            action_on_breach=own.action,
            downgrade_model=own.downgrade_model,
            warning_threshold_percent=own.warning_percent,
            critical_threshold_percent=own.critical_percent,
        )


class KeyBody(Body):
    name: Name
    scopes: Scopes = frozenset({Scope.INVOKE})
    agent_id: Label | None = Field(default=None, description="Every call is charged to it.")
    team_id: Label | None = None
    user_id: Label | None = None
    models: Models = Field(default=[], description="Globs or aliases; empty = every model.")
    tags: Tags = Field(default={})
    rpm: Rate | None = Field(default=None, description="Kept, not yet enforced.")
    tpm: Rate | None = Field(default=None, description="Kept, not yet enforced.")
    max_parallel: Rate | None = Field(default=None, description="Kept, not yet enforced.")
    expires_at: InstantInput | None = None
    budget: KeyBudgetBody | None = None

    def terms(self) -> KeyTerms:
        return KeyTerms(**self.model_dump(exclude={"budget", "models"}), models=tuple(self.models))


class KeyChanges(Body):
    """Only what is there changes; null takes away what can be absent."""

    name: Name = Field(default_factory=str)
    scopes: Scopes = Field(default_factory=frozenset)
    agent_id: Label | None = None
    team_id: Label | None = None
    user_id: Label | None = None
    models: Models = Field(default_factory=list)
    tags: Tags = Field(default_factory=dict)
    rpm: Rate | None = None
    tpm: Rate | None = None
    max_parallel: Rate | None = None
    expires_at: InstantInput | None = None
    budget: KeyBudgetBody | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("names nothing to change")
        return self

    def changed(self) -> dict[str, object]:
        """The fields of KeyTerms that are there."""
        fields = self.model_dump(exclude_unset=True, exclude={"budget"})
        if "models" in fields:
            fields["models"] = tuple(self.models)
        return fields


class RotateBody(Body):
    grace_seconds: Annotated[int, Field(ge=0, le=GRACE_SECONDS_MAX)] = Field(
        default=0, description="How long the old secret goes on working."
    )


class KeyAnswer(Answer):
    id: str
    name: str
    prefix: str
    origin: str
    status: Literal["active", "expired", "revoked"]
    scopes: list[Scope]
    agent_id: str | None
    team_id: str | None
    user_id: str | None
    models: list[str]
    tags: dict[str, str]
    rpm: int | None
    tpm: int | None
    max_parallel: int | None
    rates_enforced: Literal[False] = Field(
        default=False, description="rpm, tpm and max_parallel are kept and not yet enforced."
    )
    budget: KeyBudgetAnswer | None
    spent_usd: Usd
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None


class NewKeyAnswer(KeyAnswer):
    key: str | None = Field(
        description="The secret, this once. Null when a repeated request is answered again."
    )

    def lasting(self) -> Self:
        return self.model_copy(update={"key": None})


class BindingBudgetAnswer(Answer):
    id: str
    name: str
    scope: str
    action_on_breach: str
    limit_usd: Usd
    current_spend_usd: Usd
    pending_usd: Usd
    remaining_usd: Usd
    reset_at: Instant | None

    @classmethod
    def of(cls, budget: BindingBudget) -> Self:
        return cls(
            id=budget.id,
            name=budget.name,
            scope=budget.scope,
            action_on_breach=budget.action,
            limit_usd=budget.limit,
            current_spend_usd=budget.spent,
            pending_usd=budget.pending,
            remaining_usd=budget.remaining,
            reset_at=budget.reset_at,
        )


class OwnKeyAnswer(KeyAnswer):
    tenant_id: str
    budgets: list[BindingBudgetAnswer] = Field(
        description="All that this key's calls must fit in, not only its own."
    )


def key_fields(
    key: ApiKey, own: OwnBudget | None, spent: Nanousd, now: datetime
) -> dict[str, object]:
    """The fields of KeyAnswer."""
    terms = key.terms
    expired = terms.expires_at is not None and terms.expires_at <= now
    return {
        "id": key.id,
        "name": terms.name,
        "prefix": key.prefix,
        "origin": key.origin,
        "status": "revoked" if key.revoked_at else "expired" if expired else "active",
        "scopes": sorted(terms.scopes),
        "agent_id": terms.agent_id,
        "team_id": terms.team_id,
        "user_id": terms.user_id,
        "models": list(terms.models),
        "tags": terms.tags,
        "rpm": terms.rpm,
        "tpm": terms.tpm,
        "max_parallel": terms.max_parallel,
        "budget": None if own is None else KeyBudgetAnswer.of(own),
        "spent_usd": spent,
        "created_at": key.created_at,
        "expires_at": terms.expires_at,
        "revoked_at": key.revoked_at,
    }
