"""Rows of calls and attempts: written once, replaced by the truth, kept apart by tenant."""

from dataclasses import replace
from typing import Any, LiteralString

import psycopg
import pytest

from aos.infra.postgres import Database
from aos.kit.money import Nanousd
from aos.messages import TokenUsage
from aos.usage import CallStatus, record
from tests.usage.samples import attempt, call


async def rows(database: Database, sql: LiteralString, tenant: str = "ten_1") -> list[Any]:
    async with database.tenant(tenant) as tx:
        return await (await tx.execute(sql)).fetchall()


async def test_a_call_and_its_attempts_are_written(database: Database) -> None:
    row = call(agent_id="agt_1", run_id="run_1", tags={"a": "b"}, story={"wait_seconds": 0})
    first = attempt(row, status=CallStatus.UPSTREAM_ERROR, cost=Nanousd(0), number=1)
    async with database.system() as tx:
        await record(tx, [row], [first, attempt(row, number=2)])
    [stored] = await rows(database, "SELECT * FROM aos.calls")
    assert stored["id"] == row.id
    assert stored["created_at"] == row.created_at
    assert stored["status"] == "ok"
    assert (stored["input_tokens"], stored["cache_read_tokens"]) == (1000, 200)
    assert stored["cost_nanousd"] == 165_000
    assert stored["tags"] == {"a": "b"}
    costs = await rows(database, "SELECT * FROM aos.llm_costs ORDER BY cost_nanousd")
    assert [cost["cost_nanousd"] for cost in costs] == [0, 165_000]
    assert str(costs[1]["cost_cents"]).rstrip("0") == "0.0165"
    assert {(cost["agent_id"], cost["run_id"]) for cost in costs} == {("agt_1", "run_1")}
    assert costs[1]["input_tokens"] == 1000


async def test_one_batch_holds_many_tenants_rows_and_each_sees_its_own(database: Database) -> None:
    mine, other = call(), call(tenant_id="ten_2")
    async with database.system() as tx:
        await record(tx, [mine, other], [attempt(mine), attempt(other)])
    for table in ("calls", "call_attempts", "llm_costs"):
        async with database.tenant("ten_2") as tx:
            cursor = await tx.execute(f"SELECT tenant_id FROM aos.{table}")
            assert await cursor.fetchall() == [{"tenant_id": "ten_2"}]


async def test_a_late_settlement_replaces_an_estimate_and_never_the_other_way(
    database: Database,
) -> None:
    lost = call(status=CallStatus.LOST, cost=Nanousd(900_000), estimated=True)
    guess = attempt(lost)
    async with database.system() as tx:
        await record(tx, [lost], [guess])
    true = replace(lost, status=CallStatus.OK, cost=Nanousd(165_000), estimated=False)
    async with database.system() as tx:
        await record(tx, [true], [replace(guess, cost=Nanousd(165_000), estimated=False)])
        await record(tx, [lost], [guess])
    [stored] = await rows(database, "SELECT status, cost_nanousd, estimated FROM aos.calls")
    assert stored == {"status": "ok", "cost_nanousd": 165_000, "estimated": False}
    [cost] = await rows(database, "SELECT cost_nanousd, estimated FROM aos.llm_costs")
    assert cost == {"cost_nanousd": 165_000, "estimated": False}


async def test_another_tenants_row_is_not_replaced(database: Database) -> None:
    row = call(estimated=True)
    async with database.system() as tx:
        await record(tx, [row], [])
        await record(tx, [replace(row, tenant_id="ten_2", model="stolen")], [])
    [stored] = await rows(database, "SELECT model FROM aos.calls")
    assert stored["model"] == row.model


async def test_the_same_call_twice_in_one_batch_is_written_once(database: Database) -> None:
    row = call()
    hold = attempt(row)
    async with database.system() as tx:
        await record(tx, [row, replace(row, latency_ms=7)], [hold, hold])
    [stored] = await rows(database, "SELECT latency_ms FROM aos.calls")
    assert stored["latency_ms"] == 7


async def test_no_text_or_number_of_a_caller_or_an_upstream_can_fail_the_batch(
    database: Database,
) -> None:
    wild = call(
        model_requested="a\0b" + "x" * 100_000,
        end_user="\ud800\\u0000",
        error={"message": "\0", "cause\0": ["\udfff"]},
        usage=TokenUsage(input_tokens=10**30, output_tokens=2**63),
        tags={"n": "\0"},
    )
    calm = call()
    async with database.system() as tx:
        await record(tx, [wild, calm], [attempt(wild)])
    stored = {row["id"]: row for row in await rows(database, "SELECT * FROM aos.calls")}
    assert stored[wild.id]["model_requested"].startswith("abxxx")
    assert stored[wild.id]["end_user"] == "?\\u0000"
    assert stored[wild.id]["error"] == {"message": "", "cause": ["?"]}
    assert stored[wild.id]["input_tokens"] == 2**53 - 1
    assert stored[calm.id]["cost_nanousd"] == 165_000


async def test_nobody_writes_the_call_log_but_its_procedure(database: Database) -> None:
    statements: list[LiteralString] = [
        "INSERT INTO aos.calls SELECT * FROM aos.calls",
        "UPDATE aos.calls SET cost_nanousd = 0",
        "DELETE FROM aos.calls",
        "INSERT INTO aos.call_attempts SELECT * FROM aos.call_attempts",
        "UPDATE aos.call_attempts SET cost_nanousd = 0",
        "DELETE FROM aos.call_attempts",
        "SELECT * FROM aos.calls_default",
        "SELECT * FROM aos.call_attempts_default",
    ]
    for statement in statements:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await rows(database, statement)


async def test_rows_go_to_the_partition_of_their_month(database: Database) -> None:
    async with database.system() as tx:
        await record(tx, [call()], [])
    [stored] = await rows(database, "SELECT tableoid::regclass::text AS t FROM aos.calls")
    assert stored["t"].startswith("aos.calls_")
