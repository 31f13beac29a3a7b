"""Pure: from what happened to what is written."""

from datetime import datetime
from typing import Final

import orjson

from aos.gateway.errors import CallerGone
from aos.gateway.model import Candidate
from aos.gateway.objects.rules import may_be_object_id
from aos.gateway.progress.model import Attempt, Progress
from aos.gateway.settlement.model import Ending, Outcome
from aos.kit import ids
from aos.kit.errors import AosError, Who
from aos.kit.money import Nanousd
from aos.ledger import DeadHold, Settlement, SettlementKind
from aos.messages import Dialect, ModelCall, Reported, TokenUsage
from aos.usage import (
    AttemptRow,
    CallContent,
    CallRow,
    CallStatus,
    call_values,
    content_of,
    storable,
)

_REFUSALS: Final = {402: CallStatus.REFUSED_BUDGET, 429: CallStatus.REFUSED_BUDGET}
_LOST_FIELDS: Final = (
    "id", "tenant_id", "created_at", "key_id", "dialect", "model_requested", "stream", "agent_id",
    "team_id", "user_id", "run_id", "workflow", "session_id", "end_user", "service_tier", "tags",
    "attempts", "story",
)  # fmt: skip


def attempt_row(progress: Progress, attempt: Attempt, outcome: Outcome, now: float) -> AttemptRow:
    overrun = 0
    if outcome.spent and attempt.candidate.bound is not None:
        overrun = max(0, outcome.posted - attempt.hold.amount)
    return AttemptRow(
        id=attempt.hold.id,
        call_id=progress.incoming.id,
        tenant_id=progress.incoming.caller.tenant_id,
        created_at=attempt.created_at,
        number=attempt.number,
        provider=attempt.candidate.provider.config.id,
        model=(outcome.reported and outcome.reported.model) or attempt.candidate.model,
        status=outcome.status,
        hold=attempt.hold.amount,
        cost=outcome.cost,
        estimated=outcome.estimated,
        overrun=Nanousd(overrun),
        usage=outcome.usage,
        cost_lines=outcome.cost_lines,
        price_id=outcome.price_id,
        upstream_status=attempt.upstream_status,
        upstream_request_id=attempt.upstream_request_id,
        latency_ms=round((now - attempt.started) * 1000),
        error=outcome.error,
        agent_id=progress.incoming.labels.agent_id or progress.incoming.caller.agent_id,
        run_id=progress.incoming.labels.run_id,
    )


def call_row(
    progress: Progress,
    status: CallStatus,
    now: float,
    error: dict[str, object] | None = None,
) -> CallRow:
    """The call as all its attempts together made it; its cost is their sum."""
    incoming, call = progress.incoming, progress.call
    caller, labels, attempts = incoming.caller, incoming.labels, progress.attempts
    last = attempts[-1] if attempts else None
    first_token_ms = None
    if progress.first_token_at is not None:
        first_token_ms = round((progress.first_token_at - incoming.started) * 1000)
    return CallRow(
        id=incoming.id,
        tenant_id=caller.tenant_id,
        created_at=incoming.received_at,
        key_id=caller.key_id,
        dialect=incoming.operation.dialect,
        model_requested=call.model if call else "",
        status=status,
        stream=call.stream if call else False,
        agent_id=labels.agent_id or caller.agent_id,
        team_id=caller.team_id,
        user_id=caller.user_id,
        run_id=labels.run_id,
        workflow=labels.workflow,
        session_id=labels.session_id,
        end_user=labels.end_user or (call.end_user if call else None),
        provider=last.provider if last else None,
        model=last.model if last else None,
        service_tier=call.service_tier if call else None,
        usage=_total_usage(attempts),
        cost=_total_cost(attempts),
        estimated=any(a.estimated for a in attempts),
        overrun=Nanousd(sum(a.overrun for a in attempts)),
        latency_ms=round((now - incoming.started) * 1000),
        time_to_first_token_ms=first_token_ms,
        attempts=len(attempts),
        tags=labels.tags,
        error=error or (last.error if last else None),
        story=progress.story,
    )


def ending_of(
    progress: Progress, attempt: Attempt, row: AttemptRow, outcome: Outcome, call: CallRow | None
) -> Ending:
    """The commit that ends an attempt, and with `call` the call."""
    kind = SettlementKind.POST if outcome.spent else SettlementKind.VOID
    price = attempt.candidate.price
    made: tuple[tuple[str, str, str], ...] = ()
    if call is not None and progress.call is not None and outcome.reported:
        made = _made(progress.call, row, outcome.reported)
    return Ending(
        settlement=Settlement(
            hold_id=attempt.hold.id,
            tenant_id=row.tenant_id,
            kind=kind,
            cost=outcome.posted,
            estimated=outcome.estimated,
        ),
        call=call,
        attempt=row,
        priced_as=price.model if price is not None else "unknown",
        content=_content(progress, call),
        made_objects=made,
    )


def _content(progress: Progress, call: CallRow | None) -> CallContent | None:
    if progress.kept is None or call is None:
        return None
    asked = progress.incoming.body
    return content_of(call.id, call.tenant_id, call.created_at, asked, bytes(progress.kept))


def _made(call: ModelCall, row: AttemptRow, reported: Reported) -> tuple[tuple[str, str, str], ...]:
    """What the provider keeps from now on. A name that no path could hold is no name."""
    names: tuple[str | None, ...] = reported.object_ids
    if _keeps_answer(call):
        names = (reported.response_id, *names)
    return tuple(
        (row.tenant_id, row.provider, named) for named in names if named and may_be_object_id(named)
    )


def _keeps_answer(call: ModelCall) -> bool:
    """Whether a later call can name this answer. Coding clients say no, and save a row a turn."""
    if call.dialect is Dialect.OPENAI_RESPONSES:
        start, end = call.places.get("store", (0, 0))
        return call.body[start:end] != b"false"
    return "thread" in call.places


def status_of(error: AosError) -> CallStatus:
    """How a call that ended with this failure is filed."""
    if isinstance(error, CallerGone):
        return CallStatus.CANCELLED
    if error.who is Who.CALLER:
        return _REFUSALS.get(error.status, CallStatus.INVALID)
    return CallStatus.UPSTREAM_ERROR if error.who is Who.UPSTREAM else CallStatus.REFUSED_LIMIT


def told(error: AosError) -> dict[str, object]:
    """A failure as it is kept on a row."""
    return {"code": error.code, "message": error.message, **error.details}


def _total_usage(attempts: list[AttemptRow]) -> TokenUsage:
    if len(attempts) == 1:
        return attempts[0].usage
    return sum((a.usage for a in attempts), TokenUsage())


def _total_cost(attempts: list[AttemptRow]) -> Nanousd | None:
    """None when any part of it is unknown: a sum with a hole in it is not a cost."""
    total = 0
    for attempt in attempts:
        if attempt.cost is None:
            return None
        total += attempt.cost
    return Nanousd(total)


def lost_call(progress: Progress, candidate: Candidate) -> bytes:
    """What a hold carries: all that `lost_rows` needs if this process dies before it settles.

    Bounded and mended as the row would be: a text of the caller's must not fail its own call.
    """
    row = call_row(progress, CallStatus.LOST, progress.incoming.started)
    values = call_values(row)
    kept = {name: value for name in _LOST_FIELDS if (value := values[name])}
    kept["provider"] = candidate.provider.config.id
    kept["model"] = candidate.model
    kept["attempts"] = row.attempts + 1
    kept["price_id"] = candidate.price.id if candidate.price and candidate.priced else None
    return storable(kept)


def lost_rows(dead: DeadHold) -> tuple[CallRow, AttemptRow]:
    """The rows of a call whose process died: it cost its bound at most, and says so."""
    kept = orjson.loads(dead.call)
    price_id, created_at = kept.pop("price_id"), datetime.fromisoformat(kept.pop("created_at"))
    error = {"code": "process_lost", "message": "the process that served this call died"}
    call = CallRow(
        **kept,
        created_at=created_at,
        status=CallStatus.LOST,
        cost=dead.amount if price_id else None,
        estimated=True,
        error=error,
    )
    attempt = AttemptRow(
        id=dead.id,
        call_id=dead.call_id,
        tenant_id=dead.tenant_id,
        created_at=ids.time_of(dead.id),
        number=call.attempts,
        provider=str(call.provider),
        model=str(call.model),
        status=CallStatus.LOST,
        hold=dead.amount,
        cost=call.cost,
        estimated=True,
        price_id=price_id,
        error=error,
    )
    return call, attempt
