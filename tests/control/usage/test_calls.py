"""`/api/v1/usage/calls` as a user meets it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx

from aos.control import ControlServices
from aos.identity import Scope
from aos.kit import ids
from aos.kit.clock import SystemClock
from aos.kit.money import Nanousd
from aos.messages import TokenUsage
from aos.usage import AttemptRow, CallRow, CallStatus, record
from tests.control.conftest import client_of, new_secret
from tests.control.rooms import Till
from tests.usage.samples import AT, attempt, call

CALLS = "/api/v1/usage/calls"
ITEM_FIELDS = {
    "id", "created_at", "tenant_id", "agent_id", "run_id", "workflow", "provider",
    "model_requested", "model", "stream", "status", "input_tokens", "output_tokens",
    "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cost_usd", "estimated",
    "overrun_usd", "total_tokens", "latency_ms", "time_to_first_token_ms", "attempts", "user_id",
    "team_id", "key_id", "end_user", "session_id", "service_tier", "tags", "security", "error",
}  # fmt: skip


async def write(
    services: ControlServices, *rows: CallRow, attempts: tuple[AttemptRow, ...] = ()
) -> None:
    async with services.database.system() as tx:
        await record(tx, rows, attempts)


async def test_an_item_has_every_field_of_its_shape(
    admin: httpx.AsyncClient, services: ControlServices
) -> None:
    row = call(usage=TokenUsage(100, 20, 3, 4, output_tokens=50), tags={"a": "b"})
    unpriced = call(at=AT - timedelta(seconds=1), cost=None)
    await write(services, row, unpriced)
    answer = (await admin.get(CALLS)).json()
    first, second = answer["items"]
    assert set(first) >= ITEM_FIELDS
    assert first["created_at"] == "2026-11-20T12:00:00.123000Z"
    assert first["cost_usd"] == "0.000165000"
    assert (first["input_tokens"], first["cache_write_tokens"], first["total_tokens"]) == (
        100,
        7,
        150,
    )
    assert first["tags"] == {"a": "b"}
    assert first["security"] is None
    assert first["attempts"] == 1
    assert second["cost_usd"] is None
    assert answer["next_cursor"] is None


async def test_filters_and_pages(admin: httpx.AsyncClient, services: ControlServices) -> None:
    rows = [
        call(at=AT + timedelta(seconds=number), tags={"env": "prod" if number % 2 else "test"})
        for number in range(5)
    ]
    refused = call(at=AT + timedelta(seconds=9), status=CallStatus.REFUSED_BUDGET, user_id="usr_1")
    await write(services, *rows, refused)

    async def ids_of(**params: Any) -> list[str]:
        return [item["id"] for item in (await admin.get(CALLS, params=params)).json()["items"]]

    assert await ids_of(status="refused_budget") == [refused.id]
    assert await ids_of(user_id="usr_1") == [refused.id]
    assert await ids_of(tag="env=prod") == [rows[3].id, rows[1].id]
    assert len(await ids_of(tag="env")) == 5
    assert await ids_of(since="2026-11-20T12:00:04Z") == [refused.id, rows[4].id]
    assert await ids_of(until="2026-11-20T12:00:01+00:00") == [rows[0].id]
    assert await ids_of(agent_id="agt_nobody") == []
    assert len(await ids_of(model="gpt-4o-mini")) == 6
    assert len(await ids_of(key_id="key_1")) == 6
    first = (await admin.get(CALLS, params={"limit": 4})).json()
    rest = (await admin.get(CALLS, params={"limit": 4, "cursor": first["next_cursor"]})).json()
    seen = [item["id"] for item in first["items"] + rest["items"]]
    assert seen == [refused.id, *(row.id for row in reversed(rows))]
    for params in ({"status": "nonsense"}, {"cursor": "nonsense"}, {"limit": "0"}, {"since": "x"}):
        assert (await admin.get(CALLS, params=params)).status_code == 422, params


async def test_one_calls_whole_story(
    admin: httpx.AsyncClient, services: ControlServices, till: Till
) -> None:
    now = SystemClock().now()
    row = call(
        at=now,
        cost=Nanousd(165_000),
        attempts=2,
        story={"hold_ms": 1.5, "waited_ms": 250.0, "clamped_output_tokens": 64},
    )
    first = await till.hold("0.0009", call_id=row.id)
    await till.settle(first, "0")
    second = await till.hold("0.0009", call_id=row.id)
    await till.settle(second, "0.000165")
    failed = attempt(row, id=first.id, status=CallStatus.UPSTREAM_ERROR, cost=Nanousd(0))
    served = attempt(row, id=second.id, number=2)
    await write(services, row, attempts=(failed, served))

    story = (await admin.get(f"{CALLS}/{row.id}")).json()
    assert story["cost_usd"] == "0.000165000"
    assert [each["status"] for each in story["attempts"]] == ["upstream_error", "ok"]
    assert story["attempts"][1]["hold_usd"] == "0.000900000"
    assert story["attempts"][1]["usage"]["cache_read_tokens"] == 200
    assert story["hold"] == {"amount_usd": "0.001800000", "took_ms": 1.5}
    assert story["wait"] == {"waited_ms": 250.0}
    assert story["clamp"] == {"output_tokens": 64}
    assert story["settlement"] == {
        "posted_usd": "0.000165000",
        "overrun_usd": "0.000000000",
        "estimated": False,
    }
    assert story["verdict"] is None
    assert story["cost_lines"][1] == {
        "unit": "input",
        "quantity": 800,
        "pico_per_unit": 150_000,
        "amount_usd": "0.000120000000",
    }
    assert {entry["kind"] for entry in story["entries"]} == {"hold", "post"}
    assert {entry["budget_id"] for entry in story["entries"]} == {"root"}


async def test_a_call_that_was_refused_has_a_story_without_money(
    admin: httpx.AsyncClient, services: ControlServices
) -> None:
    row = replace(
        call(status=CallStatus.REFUSED_BUDGET, cost=None, attempts=0),
        provider=None,
        model=None,
        error={"code": "budget_exceeded", "budget_id": "bgt_1"},
    )
    await write(services, row)
    story = (await admin.get(f"{CALLS}/{row.id}")).json()
    assert story["attempts"] == []
    assert (story["hold"], story["settlement"], story["wait"]) == (None, None, None)
    assert story["error"]["code"] == "budget_exceeded"


async def test_gap_002_no_caller_reads_another_tenants_calls(
    admin: httpx.AsyncClient, services: ControlServices
) -> None:
    """GAP-002: usage is filtered by the key's tenant, whatever the query string says."""
    other = call(tenant_id="ten_2", user_id="usr_1")
    await write(services, other)
    assert (await admin.get(CALLS, params={"user_id": "usr_1"})).json()["items"] == []
    for path in (f"{CALLS}/{other.id}", f"{CALLS}/{ids.new('call')}", f"{CALLS}/call_x"):
        assert (await admin.get(path)).status_code == 404, path


async def test_who_may(control: Any, services: ControlServices) -> None:
    async with client_of(control, await new_secret(services, "ten_1", Scope.INVOKE)) as caller:
        assert (await caller.get(CALLS)).status_code == 403
    async with client_of(control, None) as nobody:
        assert (await nobody.get(CALLS)).status_code == 401
