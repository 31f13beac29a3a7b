"""Rows of calls and attempts, in and out."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

import orjson
from psycopg import sql

from aos.infra.postgres import Transaction
from aos.kit.ids import time_of
from aos.kit.money import Nanousd
from aos.messages import TokenUsage
from aos.usage.limits import CALL_EARLIEST, CALL_LONGEST, COUNT_MAX, TEXT_CHARACTERS_MAX
from aos.usage.model import (
    AttemptRow,
    CallCursor,
    CallFilter,
    CallLabel,
    CallRow,
    CallStatus,
    Spend,
)

_RECORD: Final = "SELECT aos.usage_record(%s, %s)"
_OPTION: Final = orjson.OPT_STRICT_INTEGER
_USAGE_FIELDS: Final = tuple(field.name for field in fields(TokenUsage))
_NUL: Final = b"\\u0000"


async def record(tx: Transaction, calls: Sequence[CallRow], attempts: Sequence[AttemptRow]) -> None:
    """Write a batch of any tenants' rows: one round trip, whoever the transaction acts for.

    A row that is there already is replaced (a late settlement replaces an estimate), never a true
    one by an estimate. A text that PostgreSQL cannot hold is mended rather than refused: the money
    of this batch must not fail for what a caller or an upstream wrote.
    """
    await tx.execute(_RECORD, encoded_rows(calls, attempts))


def encoded_rows(calls: Sequence[CallRow], attempts: Sequence[AttemptRow]) -> tuple[str, str]:
    """Calls and attempts as `aos.usage_record` takes them.

    For whoever records inside a larger statement; everybody else calls `record`.
    """
    by_id = {call.id: call for call in calls}
    return (
        storable([call_values(call) for call in by_id.values()]).decode(),
        storable(
            [attempt_values(row, by_id.get(row.call_id)) for row in _latest(attempts)]
        ).decode(),
    )


def _latest(attempts: Sequence[AttemptRow]) -> Sequence[AttemptRow]:
    return attempts if len(attempts) == 1 else list({row.id: row for row in attempts}.values())


def call_values(call: CallRow) -> dict[str, Any]:
    """What a row keeps, by its columns' names; texts that others wrote have their bounds.

    By hand: a third of the time of `dataclasses.asdict`, on the way of every call.
    """
    usage = call.usage
    return {
        "id": call.id,
        "created_at": call.created_at,
        "tenant_id": call.tenant_id,
        "key_id": call.key_id,
        "agent_id": call.agent_id,
        "team_id": call.team_id,
        "user_id": call.user_id,
        "run_id": call.run_id,
        "workflow": call.workflow,
        "session_id": call.session_id and call.session_id[:TEXT_CHARACTERS_MAX],
        "end_user": call.end_user and call.end_user[:TEXT_CHARACTERS_MAX],
        "dialect": call.dialect,
        "provider": call.provider,
        "model_requested": call.model_requested[:TEXT_CHARACTERS_MAX],
        "model": call.model and call.model[:TEXT_CHARACTERS_MAX],
        "service_tier": call.service_tier and call.service_tier[:TEXT_CHARACTERS_MAX],
        "status": call.status,
        "stream": call.stream,
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_5m_tokens": usage.cache_write_5m_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cost_nanousd": call.cost,
        "estimated": call.estimated,
        "overrun_nanousd": call.overrun,
        "latency_ms": call.latency_ms,
        "time_to_first_token_ms": call.time_to_first_token_ms,
        "attempts": call.attempts,
        "tags": call.tags,
        "error": call.error,
        "story": call.story,
    }


def attempt_values(row: AttemptRow, call: CallRow | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "created_at": row.created_at,
        "call_id": row.call_id,
        "tenant_id": row.tenant_id,
        "agent_id": row.agent_id or (call and call.agent_id),
        "run_id": row.run_id or (call and call.run_id),
        "number": row.number,
        "provider": row.provider,
        "model": row.model[:TEXT_CHARACTERS_MAX],
        "status": row.status,
        "hold_nanousd": row.hold,
        "cost_nanousd": row.cost,
        "estimated": row.estimated,
        "overrun_nanousd": row.overrun,
        "usage": _nonzero(row.usage),
        "cost_lines": row.cost_lines,
        "price_id": row.price_id,
        "upstream_status": row.upstream_status,
        "upstream_request_id": row.upstream_request_id
        and row.upstream_request_id[:TEXT_CHARACTERS_MAX],
        "latency_ms": row.latency_ms,
        "error": row.error,
    }


def _nonzero(usage: TokenUsage) -> dict[str, int]:
    return {name: count for name in _USAGE_FIELDS if (count := getattr(usage, name))}


def storable(value: Any) -> bytes:
    """JSON that PostgreSQL takes: no NUL, no lone surrogate, no number beyond 53 bits."""
    try:
        text = orjson.dumps(value, option=_OPTION)
    except TypeError:
        text = orjson.dumps(_mended(value), option=_OPTION)
    if _NUL in text:
        text = orjson.dumps(_mended(orjson.loads(text)), option=_OPTION)
    return text


def _mended(value: Any) -> Any:
    match value:
        case bool():
            return value
        case int():
            return max(-COUNT_MAX, min(COUNT_MAX, value))
        case str():
            return value.replace("\0", "").encode("utf-8", "replace").decode()
        case dict():
            return {_mended(name): _mended(item) for name, item in value.items()}
        case list() | tuple():
            return [_mended(item) for item in value]
        case _:
            return value


_CONDITIONS: Final[dict[str, LiteralString]] = {
    "since": "created_at >= %(since)s",
    "until": "created_at < %(until)s",
    "agent_id": "agent_id = %(agent_id)s",
    "key_id": "key_id = %(key_id)s",
    "user_id": "user_id = %(user_id)s",
    "run_id": "run_id = %(run_id)s",
    "model": "(model = %(model)s OR model_requested = %(model)s)",
    "status": "status = %(status)s",
}
_LABELS: Final[dict[CallLabel, LiteralString]] = {
    CallLabel.AGENT: "agent_id",
    CallLabel.KEY: "key_id",
    CallLabel.USER: "user_id",
    CallLabel.TEAM: "team_id",
    CallLabel.MODEL: "model",
    CallLabel.WORKFLOW_TAG: "tags ->> 'workflow'",
}


async def list_calls(
    tx: Transaction, wanted: CallFilter, after: CallCursor | None, rows_max: int
) -> list[CallRow]:
    """Calls of this tenant, the newest first."""
    conditions, values = _conditions(wanted)
    if after is not None:
        conditions.append("(created_at, id) < (%(after_at)s, %(after_id)s)")
        values |= {"after_at": after.created_at, "after_id": after.id}
    cursor = await tx.execute(
        sql.SQL(
            "SELECT * FROM aos.calls WHERE {} ORDER BY created_at DESC, id DESC LIMIT %(rows_max)s"
        ).format(_all(conditions)),
        values | {"rows_max": rows_max},
    )
    return [_call(row) for row in await cursor.fetchall()]


async def find_call(tx: Transaction, call_id: str) -> CallRow | None:
    """One call of this tenant. Raises InvalidId."""
    cursor = await tx.execute(
        "SELECT * FROM aos.calls WHERE tenant_id = aos.current_tenant() AND id = %(id)s"
        " AND created_at >= %(from)s AND created_at < %(to)s",
        _near(call_id),
    )
    row = await cursor.fetchone()
    return None if row is None else _call(row)


async def list_attempts(tx: Transaction, call_id: str) -> list[AttemptRow]:
    """The attempts of one call of this tenant, in order. Raises InvalidId."""
    cursor = await tx.execute(
        "SELECT * FROM aos.call_attempts WHERE tenant_id = aos.current_tenant()"
        " AND call_id = %(id)s AND created_at >= %(from)s AND created_at < %(to)s"
        " ORDER BY number, created_at",
        _near(call_id),
    )
    return [_attempt(row) for row in await cursor.fetchall()]


async def spent_by_day(
    tx: Transaction, wanted: CallFilter, beginnings: Sequence[datetime]
) -> list[Spend]:
    """Sums over the calls between one beginning and the next, the last open; one an interval."""
    conditions, values = _conditions(replace(wanted, since=beginnings[0]))
    cursor = await tx.execute(
        sql.SQL(
            "SELECT width_bucket(created_at, %(beginnings)s::timestamptz[]) AS number,"
            " coalesce(sum(cost_nanousd), 0)::bigint AS cost, count(*) AS calls,"
            " sum(input_tokens + output_tokens)::bigint AS total_tokens"
            " FROM aos.calls WHERE {} GROUP BY number"
        ).format(_all(conditions)),
        values | {"beginnings": list(beginnings)},
    )
    sums = [Spend(Nanousd(0), 0, 0)] * len(beginnings)
    for row in await cursor.fetchall():
        sums[row["number"] - 1] = Spend(Nanousd(row["cost"]), row["calls"], row["total_tokens"])
    return sums


async def spent_by_key(tx: Transaction, key_ids: Sequence[str]) -> dict[str, Nanousd]:
    """What all calls of these keys have cost; absent = nothing."""
    cursor = await tx.execute(
        "SELECT key_id, sum(cost_nanousd)::bigint AS cost FROM aos.calls"
        " WHERE tenant_id = aos.current_tenant() AND key_id = ANY (%s)"
        " AND cost_nanousd IS NOT NULL GROUP BY key_id",
        (list(key_ids),),
    )
    return {row["key_id"]: Nanousd(row["cost"]) for row in await cursor.fetchall()}


def _conditions(wanted: CallFilter) -> tuple[list[LiteralString], dict[str, Any]]:
    values = {name: getattr(wanted, name) for name in _CONDITIONS}
    values = {name: value for name, value in values.items() if value is not None}
    conditions: list[LiteralString] = ["tenant_id = aos.current_tenant()"]
    conditions += [_CONDITIONS[name] for name in values]
    if wanted.tag is not None:
        name, value = wanted.tag
        conditions.append("tags ? %(tag)s" if value is None else "tags ->> %(tag)s = %(tag_value)s")
        values |= {"tag": name, "tag_value": value}
    if wanted.label is not None:
        label, value = wanted.label
        column = _LABELS[label]
        values |= {"label": value}
        if value is None:
            conditions.append(column + " IS NOT NULL")
        elif label is CallLabel.MODEL:
            conditions.append("starts_with(" + column + ", %(label)s)")
        else:
            conditions.append(column + " = %(label)s")
    return conditions, values


def _all(conditions: Sequence[LiteralString]) -> sql.Composed:
    return sql.SQL(" AND ").join(sql.SQL(condition) for condition in conditions)


def _near(call_id: str) -> dict[str, Any]:
    # Within these bounds lie the call and its attempts, in one partition or two.
    at = time_of(call_id)
    return {"id": call_id, "from": at - CALL_EARLIEST, "to": at + CALL_LONGEST}


def _call(row: Mapping[str, Any]) -> CallRow:
    cost = row["cost_nanousd"]
    return CallRow(
        id=row["id"],
        tenant_id=row["tenant_id"],
        created_at=row["created_at"].astimezone(UTC),
        key_id=row["key_id"],
        dialect=row["dialect"],
        model_requested=row["model_requested"],
        status=CallStatus(row["status"]),
        stream=row["stream"],
        agent_id=row["agent_id"],
        team_id=row["team_id"],
        user_id=row["user_id"],
        run_id=row["run_id"],
        workflow=row["workflow"],
        session_id=row["session_id"],
        end_user=row["end_user"],
        provider=row["provider"],
        model=row["model"],
        service_tier=row["service_tier"],
        usage=TokenUsage(
            input_tokens=row["input_tokens"],
            cache_read_tokens=row["cache_read_tokens"],
            cache_write_5m_tokens=row["cache_write_5m_tokens"],
            cache_write_1h_tokens=row["cache_write_1h_tokens"],
            output_tokens=row["output_tokens"],
            reasoning_tokens=row["reasoning_tokens"],
        ),
        cost=None if cost is None else Nanousd(cost),
        estimated=row["estimated"],
        overrun=Nanousd(row["overrun_nanousd"]),
        latency_ms=row["latency_ms"],
        time_to_first_token_ms=row["time_to_first_token_ms"],
        attempts=row["attempts"],
        tags=row["tags"],
        error=row["error"],
        story=row["story"],
    )


def _attempt(row: Mapping[str, Any]) -> AttemptRow:
    cost = row["cost_nanousd"]
    return AttemptRow(
        id=row["id"],
        call_id=row["call_id"],
        tenant_id=row["tenant_id"],
        created_at=row["created_at"].astimezone(UTC),
        number=row["number"],
        provider=row["provider"],
        model=row["model"],
        status=CallStatus(row["status"]),
        hold=Nanousd(row["hold_nanousd"]),
        cost=None if cost is None else Nanousd(cost),
        estimated=row["estimated"],
        overrun=Nanousd(row["overrun_nanousd"]),
        usage=TokenUsage(**row["usage"]),
        cost_lines=tuple(row["cost_lines"]),
        price_id=row["price_id"],
        upstream_status=row["upstream_status"],
        upstream_request_id=row["upstream_request_id"],
        latency_ms=row["latency_ms"],
        error=row["error"],
        agent_id=row["agent_id"],
        run_id=row["run_id"],
    )
