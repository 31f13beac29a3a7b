"""Answers of `/api/v1/usage`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final, Self

from pydantic import Field

from aos.control.schemas import Answer, Instant, Usd
from aos.ledger import Entry
from aos.usage import AttemptRow, CallContent, CallRow, CallStatus

_PICO_PER_USD: Final = 10**12
_ROOT: Final = "root"
"""The tenant's account that every call is on."""


class CallAnswer(Answer):
    """What the caller asked for and what came of it: one row a request."""

    id: str
    created_at: Instant
    tenant_id: str
    agent_id: str | None
    run_id: str | None
    workflow: str | None
    provider: str | None
    model_requested: str
    model: str | None = Field(description="As the provider names it.")
    dialect: str
    stream: bool
    status: CallStatus
    input_tokens: int = Field(description="Every prompt token, cached ones too.")
    output_tokens: int = Field(description="Every generated token, reasoning included.")
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    total_tokens: int
    cost_usd: Usd | None = Field(description="Of all attempts together; null = unpriced.")
    estimated: bool = Field(description="No usage was reported; the cost is a bound.")
    overrun_usd: Usd = Field(description="By how much the cost exceeded what was held.")
    latency_ms: int
    time_to_first_token_ms: int | None
    user_id: str | None
    team_id: str | None
    key_id: str
    end_user: str | None
    session_id: str | None
    service_tier: str | None
    tags: dict[str, str]
    security: dict[str, Any] | None = Field(description="Null: no check has run on it.")
    error: dict[str, Any] | None


class CallItem(CallAnswer):
    attempts: int = Field(description="How often it was sent to a provider.")

    @classmethod
    def of(cls, row: CallRow) -> Self:
        return cls(attempts=row.attempts, **_fields(row))


class CostLineAnswer(Answer):
    unit: str
    quantity: int
    pico_per_unit: int = Field(description="Price of one unit, in millionths of a micro-dollar.")
    amount_usd: str = Field(description="Exact; the cost is the sum of the lines, rounded once.")

    @classmethod
    def of(cls, line: dict[str, Any]) -> Self:
        whole, pico = divmod(line["quantity"] * line["pico_per_unit"], _PICO_PER_USD)
        return cls(
            unit=line["unit"],
            quantity=line["quantity"],
            pico_per_unit=line["pico_per_unit"],
            amount_usd=f"{whole}.{pico:012d}",
        )


class AttemptAnswer(Answer):
    """One dispatch to one provider, with its own hold and its own cost."""

    id: str
    number: int
    created_at: Instant
    provider: str
    model: str
    status: CallStatus
    hold_usd: Usd
    cost_usd: Usd | None
    estimated: bool
    overrun_usd: Usd
    usage: dict[str, int] = Field(description="Counts that are not zero.")
    cost_lines: list[CostLineAnswer]
    price_id: str | None
    upstream_status: int | None
    upstream_request_id: str | None
    latency_ms: int
    error: dict[str, Any] | None

    @classmethod
    def of(cls, row: AttemptRow) -> Self:
        return cls(
            id=row.id,
            number=row.number,
            created_at=row.created_at,
            provider=row.provider,
            model=row.model,
            status=row.status,
            hold_usd=row.hold,
            cost_usd=row.cost,
            estimated=row.estimated,
            overrun_usd=row.overrun,
            usage={name: count for name, count in asdict(row.usage).items() if count},
            cost_lines=[CostLineAnswer.of(line) for line in row.cost_lines],
            price_id=row.price_id,
            upstream_status=row.upstream_status,
            upstream_request_id=row.upstream_request_id,
            latency_ms=row.latency_ms,
            error=row.error,
        )


class HoldAnswer(Answer):
    amount_usd: Usd = Field(description="Held for all attempts together, one after the other.")
    took_ms: float | None = Field(description="From asking until the last hold, waiting included.")


class WaitAnswer(Answer):
    waited_ms: float = Field(description="For calls under way to give back what they held.")


class ClampAnswer(Answer):
    output_tokens: int = Field(description="The output ceiling that the budget left room for.")


class SettlementAnswer(Answer):
    posted_usd: Usd = Field(description="What the ledger has booked for this call.")
    overrun_usd: Usd
    estimated: bool


class EntryAnswer(Answer):
    """A line of the journal: how one account moved. The three amounts sum to zero."""

    hold_id: str
    kind: str
    budget_id: str = Field(description="`root` is the tenant's account that every call is on.")
    subject: str
    booked_at: Instant
    available_usd: Usd
    pending_usd: Usd
    posted_usd: Usd

    @classmethod
    def of(cls, entry: Entry) -> Self:
        return cls(
            hold_id=entry.hold_id,
            kind=entry.kind,
            budget_id=entry.budget_id,
            subject=entry.subject,
            booked_at=entry.booked_at,
            available_usd=entry.available,
            pending_usd=entry.pending,
            posted_usd=entry.posted,
        )


class ContentAnswer(Answer):
    """The two bodies as text, redacted of keys. `cut`: one was longer than what is kept."""

    request: str
    answer: str
    cut: bool


class CallStory(CallAnswer):
    """One call from its hold to its last line in the journal."""

    attempts: list[AttemptAnswer]
    hold: HoldAnswer | None = Field(description="Null: nothing was ever held.")
    wait: WaitAnswer | None = Field(description="Null: it did not wait.")
    clamp: ClampAnswer | None = Field(description="Null: its output ceiling was left alone.")
    downgraded_to: str | None = Field(description="The model that a budget's action chose.")
    settlement: SettlementAnswer | None = Field(description="Null: nothing was ever held.")
    verdict: dict[str, Any] | None = Field(description="Of the security checks, as `security`.")
    cost_lines: list[CostLineAnswer] = Field(description="Of all attempts.")
    entries: list[EntryAnswer] = Field(description="The ledger's journal of this call.")
    content: ContentAnswer | None = Field(
        description="Null: nothing of what was asked and answered is stored (AOS_STORE_PROMPTS)."
    )

    @classmethod
    def tell(
        cls,
        row: CallRow,
        attempts: Sequence[AttemptRow],
        entries: Sequence[Entry],
        content: CallContent | None,
    ) -> Self:
        told = [AttemptAnswer.of(attempt) for attempt in attempts]
        story = row.story
        waited, clamped = story.get("waited_ms"), story.get("clamped_output_tokens")
        return cls(
            attempts=told,
            hold=_hold(row, attempts),
            wait=None if waited is None else WaitAnswer(waited_ms=waited),
            clamp=None if clamped is None else ClampAnswer(output_tokens=clamped),
            downgraded_to=story.get("downgraded_to"),
            settlement=_settlement(row, entries),
            verdict=None,
            cost_lines=[line for attempt in told for line in attempt.cost_lines],
            entries=[EntryAnswer.of(entry) for entry in entries],
            content=None
            if content is None
            else ContentAnswer(request=content.request, answer=content.answer, cut=content.cut),
            **_fields(row),
        )


def _hold(row: CallRow, attempts: Sequence[AttemptRow]) -> HoldAnswer | None:
    if not attempts:
        return None
    return HoldAnswer(
        amount_usd=sum(attempt.hold for attempt in attempts), took_ms=row.story.get("hold_ms")
    )


def _settlement(row: CallRow, entries: Sequence[Entry]) -> SettlementAnswer | None:
    if not entries:
        return None
    return SettlementAnswer(
        posted_usd=sum(entry.posted for entry in entries if entry.budget_id == _ROOT),
        overrun_usd=row.overrun,
        estimated=row.estimated,
    )


def _fields(row: CallRow) -> dict[str, Any]:
    """The fields of CallAnswer."""
    usage = row.usage
    return {
        "id": row.id,
        "created_at": row.created_at,
        "tenant_id": row.tenant_id,
        "agent_id": row.agent_id,
        "run_id": row.run_id,
        "workflow": row.workflow,
        "provider": row.provider,
        "model_requested": row.model_requested,
        "model": row.model,
        "dialect": row.dialect,
        "stream": row.stream,
        "status": row.status,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "total_tokens": usage.total_tokens,
        "cost_usd": row.cost,
        "estimated": row.estimated,
        "overrun_usd": row.overrun,
        "latency_ms": row.latency_ms,
        "time_to_first_token_ms": row.time_to_first_token_ms,
        "user_id": row.user_id,
        "team_id": row.team_id,
        "key_id": row.key_id,
        "end_user": row.end_user,
        "session_id": row.session_id,
        "service_tier": row.service_tier,
        "tags": row.tags,
        "security": None,
        "error": row.error,
    }
