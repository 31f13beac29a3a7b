"""Asking the call log."""

from datetime import timedelta
from typing import Any

import pytest

from aos.infra.postgres import Database
from aos.kit import ids
from aos.kit.ids import InvalidId
from aos.kit.money import Nanousd
from aos.messages import TokenUsage
from aos.usage import (
    CallCursor,
    CallFilter,
    CallLabel,
    CallRow,
    CallStatus,
    find_call,
    list_attempts,
    list_calls,
    record,
    spent_by_key,
)
from tests.usage.samples import AT, attempt, call

FULL = call(
    agent_id="agt_1",
    team_id="tea_1",
    user_id="usr_1",
    run_id="run_1",
    workflow="nightly",
    session_id="ses_1",
    end_user="end_1",
    service_tier="flex",
    stream=True,
    usage=TokenUsage(100, 20, 3, 4, output_tokens=50, reasoning_tokens=30),
    estimated=True,
    overrun=Nanousd(5),
    time_to_first_token_ms=80,
    tags={"env": "prod", "b": "c"},
    error={"code": "upstream_broken"},
    story={"waited_seconds": 0.25},
)


async def write(database: Database, *rows: CallRow) -> None:
    async with database.system() as tx:
        await record(tx, rows, [])


async def ask(
    database: Database, wanted: CallFilter, after: CallCursor | None = None, limit: int = 50
) -> list[CallRow]:
    async with database.tenant("ten_1") as tx:
        return await list_calls(tx, wanted, after, limit)


async def test_a_row_is_read_as_it_was_written(database: Database) -> None:
    await write(database, FULL)
    async with database.tenant("ten_1") as tx:
        assert await find_call(tx, FULL.id) == FULL


async def test_an_attempt_is_read_as_it_was_written(database: Database) -> None:
    row = call(agent_id="agt_1", run_id="run_1")
    late = AT + timedelta(days=2)
    attempts = [
        attempt(row, number=2, agent_id="agt_1", run_id="run_1", created_at=late),
        attempt(
            row,
            agent_id="agt_1",
            run_id="run_1",
            status=CallStatus.UPSTREAM_ERROR,
            usage=TokenUsage(web_searches=2),
            upstream_request_id="req_1",
            error={"code": "x"},
        ),
    ]
    async with database.system() as tx:
        await record(tx, [row], attempts)
    async with database.tenant("ten_1") as tx:
        assert await list_attempts(tx, row.id) == [attempts[1], attempts[0]]
    async with database.tenant("ten_2") as tx:
        assert await list_attempts(tx, row.id) == []


async def test_gap_002_nobody_sees_another_tenants_calls(database: Database) -> None:
    """GAP-002: the tenant comes from the transaction, never from what a caller asks for."""
    other = call(tenant_id="ten_2", user_id="usr_1", key_id="key_1")
    await write(database, other)
    assert await ask(database, CallFilter(user_id="usr_1")) == []
    assert await ask(database, CallFilter()) == []
    async with database.tenant("ten_1") as tx:
        assert await find_call(tx, other.id) is None
        assert await spent_by_key(tx, ["key_1"]) == {}


async def test_gap_003_tokens_that_were_used_and_priced_are_never_written_as_free(
    database: Database,
) -> None:
    """GAP-003: the proxy wrote 0.0. Priced is its exact cost, unpriced is NULL, never zero."""
    priced = call(usage=TokenUsage(input_tokens=1), cost=Nanousd(1))
    unpriced = call(cost=None)
    await write(database, priced, unpriced)
    costs = {row.id: row.cost for row in await ask(database, CallFilter())}
    assert costs == {priced.id: 1, unpriced.id: None}
    async with database.system() as tx:
        await record(tx, [], [attempt(priced), attempt(unpriced)])
    async with database.tenant("ten_1") as tx:
        cursor = await tx.execute("SELECT call_id, cost_cents FROM aos.llm_costs")
        cents = {row["call_id"]: row["cost_cents"] for row in await cursor.fetchall()}
    assert cents[unpriced.id] is None
    assert cents[priced.id] > 0


async def test_filters(database: Database) -> None:
    earlier = call(
        at=AT - timedelta(seconds=1),
        key_id="key_2",
        agent_id="agt_2",
        user_id="usr_2",
        run_id="run_2",
        model="other",
        model_requested="other",
        status=CallStatus.UPSTREAM_ERROR,
        tags={"env ": "prod", "b": "d"},
    )
    later = call(at=AT + timedelta(seconds=1), key_id="key_2", model="o", model_requested="o")
    await write(database, FULL, earlier, later)
    expected: list[tuple[dict[str, Any], list[CallRow]]] = [
        ({}, [later, FULL, earlier]),
        ({"agent_id": "agt_1"}, [FULL]),
        ({"key_id": "key_1"}, [FULL]),
        ({"user_id": "usr_1"}, [FULL]),
        ({"run_id": "run_1"}, [FULL]),
        ({"model": "gpt-4o-mini"}, [FULL]),
        ({"model": "gpt-4o-mini-2024-07-18"}, [FULL]),
        ({"status": CallStatus.OK}, [later, FULL]),
        ({"tag": ("env", None)}, [FULL]),
        ({"tag": ("b", None)}, [FULL, earlier]),
        ({"tag": ("b", "d")}, [earlier]),
        ({"since": AT}, [later, FULL]),
        ({"until": AT}, [earlier]),
        ({"label": (CallLabel.USER, None)}, [FULL, earlier]),
        ({"label": (CallLabel.MODEL, "o")}, [later, earlier]),
        ({"key_id": "key_2", "status": CallStatus.OK, "since": AT}, [later]),
    ]
    for wanted, found in expected:
        assert await ask(database, CallFilter(**wanted)) == found, wanted


async def test_pages_follow_each_other_also_within_one_instant(database: Database) -> None:
    rows = [call(at=AT) for _ in range(5)] + [call(at=AT + timedelta(seconds=1))]
    await write(database, *rows)
    seen: list[CallRow] = []
    after: CallCursor | None = None
    while page := await ask(database, CallFilter(), after, 2):
        seen += page
        after = CallCursor(page[-1].created_at, page[-1].id)
    assert len(seen) == 6
    assert seen[0] == rows[5]
    assert {row.id for row in seen} == {row.id for row in rows}


async def test_what_is_no_id_is_not_looked_for(database: Database) -> None:
    async with database.tenant("ten_1") as tx:
        with pytest.raises(InvalidId):
            await find_call(tx, "call_x")
        assert await find_call(tx, ids.new("call")) is None


async def test_a_look_up_by_id_reads_the_partition_of_its_month_alone(database: Database) -> None:
    async with database.tenant("ten_1") as tx:
        cursor = await tx.execute(
            "EXPLAIN SELECT * FROM aos.calls WHERE id = 'call_x'"
            " AND created_at >= '2020-01-05' AND created_at < '2020-01-06'"
        )
        plan = "\n".join(row["QUERY PLAN"] for row in await cursor.fetchall())
    assert "calls_default" in plan
    assert plan.count("Scan") == 1
