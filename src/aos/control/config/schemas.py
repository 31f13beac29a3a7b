"""`aos.yaml` as it must look. Unknown fields are mistakes, and every message says where.

A field left out has its default. Money is dollars as text (`"0.50"`); prices are dollars for a
million tokens. Secrets are never in the file: `api_key_env` names an environment variable.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from aos.control.config.limits import ENTRIES_MAX
from aos.control.schemas import Answer, Body, Label, check_printable
from aos.kit.money import InvalidAmount, format_usd, parse_usd


def _dollars(value: object) -> str:
    try:
        amount = parse_usd(value if isinstance(value, str | int | float) else str(value))
    except InvalidAmount as error:
        raise ValueError(error.message) from None
    if amount < 0:
        raise ValueError("dollars cannot be negative here")
    whole, _, places = format_usd(amount).partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


def _no_last_slash(value: str) -> str:
    return value.rstrip("/")


def _none_for_zero(value: int | None) -> int | None:
    return value or None


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _sorted(value: list[str]) -> list[str]:
    return sorted(set(value))


Dollars = Annotated[str, BeforeValidator(_dollars)]
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=r"^\S(.*\S)?$"),
    AfterValidator(check_printable),
]
Period = Literal["DAILY", "WEEKLY", "MONTHLY", "TOTAL"]
Breach = Literal["ALERT_ONLY", "BLOCK", "DOWNGRADE_MODEL"]
Percent = Annotated[int, Field(ge=1, le=100)]


class Spec(BaseModel):
    """One thing, or a part of one, as the file says it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kept: ClassVar[frozenset[str]] = frozenset()
    """Fields that stay as they are where the file leaves them out."""

    def written(self) -> Any:
        """As a file would say it, without what it may leave out."""
        return self.model_dump(mode="json", exclude_defaults=True)


class ModelSpec(Spec):
    """A model of a declared provider. Without a price its calls are unpriced, never free."""

    context_window: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    output_tokens_max: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    price: Annotated[dict[str, Dollars], Field(min_length=1)] | None = None
    """Dollars for a million tokens of a kind (input, output, cache_read, …), or for a thousand
    requests or searches."""


class ProviderSpec(Spec):
    kind: Literal["openai", "anthropic", "openai-compatible", "anthropic-compatible"]
    base_url: Annotated[str, StringConstraints(max_length=2000), AfterValidator(_no_last_slash)]
    api_key_env: str | None = None
    prices_of: Label | None = None
    """Id of the provider in the catalogue whose models and prices hold here."""
    models: dict[Name, ModelSpec] = Field(default_factory=dict, max_length=500)

    @model_validator(mode="before")
    @classmethod
    def _own_prices_go_without_saying(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("prices_of") == given.get("kind"):
            return {name: value for name, value in given.items() if name != "prices_of"}
        return given


class AliasSpec(Spec):
    models: Annotated[list[Name], BeforeValidator(_one_or_more)] = Field(
        min_length=1, max_length=10
    )

    def written(self) -> Any:
        return self.models[0] if len(self.models) == 1 else list(self.models)


class AgentSpec(Spec):
    kept: ClassVar[frozenset[str]] = frozenset({"budget_alert_threshold"})

    budget_cents: Annotated[
        Annotated[int, Field(ge=0, le=100_000_000_000)] | None, AfterValidator(_none_for_zero)
    ] = None
    """0 and left out both mean no lifetime budget."""
    budget_alert_threshold: Annotated[float, Field(gt=0, le=1)] | None = None


class OwnBudgetSpec(Spec):
    """The budget that is a field of a key."""

    limit_usd: Dollars
    period: Period = "TOTAL"
    timezone: Label = "UTC"
    action_on_breach: Breach = "BLOCK"
    downgrade_model: Label | None = None
    warning_threshold_percent: Percent = 80
    critical_threshold_percent: Percent = 100


class KeySpec(Spec):
    agent: Name | None = None
    """Name of the agent that the key's calls are charged to."""
    scopes: Annotated[
        list[Literal["admin", "invoke", "read"]],
        Field(min_length=1),
        AfterValidator(_sorted),
    ] = ["invoke"]
    models: list[Name] = Field(default_factory=list, max_length=100)
    team_id: Label | None = None
    user_id: Label | None = None
    tags: dict[str, str] = Field(default_factory=dict, max_length=32)
    rpm: Annotated[int, Field(ge=1)] | None = None
    tpm: Annotated[int, Field(ge=1)] | None = None
    max_parallel: Annotated[int, Field(ge=1)] | None = None
    expires_at: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = None
    budget: OwnBudgetSpec | None = None


class BudgetSpec(Spec):
    scope: Literal[
        "GLOBAL", "PER_AGENT", "PER_MODEL", "PER_WORKFLOW", "PER_KEY", "PER_USER", "PER_TEAM"
    ]
    scope_value: Label | None = None
    """Whose. An agent or a key is named by its name; left out: one account for each."""
    period: Period
    limit_usd: Dollars
    timezone: Label = "UTC"
    action_on_breach: Breach = "BLOCK"
    downgrade_model: Label | None = None
    warning_threshold_percent: Percent = 80
    critical_threshold_percent: Percent = 100


def _alias(value: object) -> object:
    return {"models": value} if isinstance(value, str | list) else value


Alias = Annotated[AliasSpec, BeforeValidator(_alias)]


class Document(Spec):
    """The whole file. A section left out is empty."""

    version: Literal[1]
    providers: dict[Name, ProviderSpec] = Field(default_factory=dict, max_length=ENTRIES_MAX)
    aliases: dict[Name, Alias] = Field(default_factory=dict, max_length=ENTRIES_MAX)
    agents: dict[Name, AgentSpec] = Field(default_factory=dict, max_length=ENTRIES_MAX)
    keys: dict[Name, KeySpec] = Field(default_factory=dict, max_length=ENTRIES_MAX)
    budgets: dict[Name, BudgetSpec] = Field(default_factory=dict, max_length=ENTRIES_MAX)


class ApplyBody(Body):
    """`document` is checked by hand: a message names the place in the file, not in the request."""

    document: dict[str, Any] = Field(description="The content of aos.yaml.")
    dry_run: bool = Field(default=False, description="Tell what would change; change nothing.")
    prune: bool = Field(
        default=False, description="Take away what an earlier apply made and this leaves out."
    )


class ChangeAnswer(Answer):
    kind: str
    name: str
    action: Literal["create", "update", "delete"]
    fields: dict[str, tuple[Any, Any]] = Field(description="Name → [before, after].")


class CreatedKeyAnswer(Answer):
    id: str
    name: str
    key: str | None = Field(
        description="The secret, this once. Null when a repeated request is answered again."
    )


class ApplyAnswer(Answer):
    """What was done, or with `dry_run` what would be."""

    applied: bool
    changes: list[ChangeAnswer]
    created_keys: list[CreatedKeyAnswer]
    warnings: list[str] = Field(
        default=[], description="What was applied and cannot work yet, and what is missing."
    )

    def lasting(self) -> Self:
        keys = [key.model_copy(update={"key": None}) for key in self.created_keys]
        return self.model_copy(update={"created_keys": keys})
