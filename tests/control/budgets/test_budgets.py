"""`/api/v1/budgets` as a user meets it."""

from typing import Any

import httpx
import pytest

from aos.budgets import BudgetExceeded
from aos.control import ControlServices
from aos.identity import Scope
from aos.kit.clock import SystemClock
from aos.messages import TokenUsage
from aos.usage import record
from tests.control.conftest import client_of, new_secret
from tests.control.rooms import Till
from tests.usage.samples import call

BUDGETS = "/api/v1/budgets"
DAILY: dict[str, Any] = {
    "name": "daily",
    "scope": "GLOBAL",
    "period": "DAILY",
    "limit_usd": "0.01",
    "action_on_breach": "BLOCK",
}


async def create(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post(BUDGETS, json=DAILY | changes)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_budget_is_made_and_read(admin: httpx.AsyncClient) -> None:
    made = await create(admin, timezone="Europe/Berlin", warning_threshold_percent=50)
    assert made["id"].startswith("bgt_")
    assert made["current_spend_usd"] == "0.000000000"
    assert made["limit_usd"] == "0.010000000"
    assert made["remaining_usd"] == "0.010000000"
    assert made["reset_at"].endswith(":00:00Z")
    assert made["warning_threshold_percent"] == 50
    assert made["critical_threshold_percent"] == 100
    assert (await admin.get(f"{BUDGETS}/{made['id']}")).json() == made
    listed = (await admin.get(BUDGETS)).json()
    assert listed == {"items": [made], "next_cursor": None}


async def test_dollars_may_be_a_number_and_a_total_budget_never_resets(
    admin: httpx.AsyncClient,
) -> None:
    made = await create(admin, limit_usd=2.5, period="TOTAL")
    assert made["limit_usd"] == "2.500000000"
    assert made["reset_at"] is None


async def test_what_means_nothing_is_a_422_that_says_why(admin: httpx.AsyncClient) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"limit_usd": "0"}, "invalid_budget"),
        ({"limit_usd": "-1"}, "invalid_budget"),
        ({"limit_usd": "0.0000000001"}, "invalid_request"),
        ({"limit_usd": "1e400"}, "invalid_request"),
        ({"timezone": "Mars/Olympus"}, "invalid_budget"),
        ({"scope": "PER_AGENT", "scope_value": "agt_x"}, "unknown_subject"),
        ({"scope": "PER_GALAXY"}, "invalid_request"),
        ({"action_on_breach": "DOWNGRADE_MODEL"}, "invalid_budget"),
        ({"warning_threshold_percent": 101}, "invalid_request"),
        ({"surprise": 1}, "invalid_request"),
    ]
    for changes, code in cases:
        answer = await admin.post(BUDGETS, json=DAILY | changes)
        assert (answer.status_code, answer.json()["code"]) == (422, code), changes
    assert (await admin.get(BUDGETS)).json()["items"] == []


async def test_a_name_is_taken_once(admin: httpx.AsyncClient) -> None:
    await create(admin)
    answer = await admin.post(BUDGETS, json=DAILY)
    assert (answer.status_code, answer.json()["code"]) == (409, "budget_name_taken")


async def test_patch_changes_what_it_names_and_put_everything(admin: httpx.AsyncClient) -> None:
    made = await create(admin, warning_threshold_percent=50)
    path = f"{BUDGETS}/{made['id']}"
    patched = (await admin.patch(path, json={"limit_usd": "0.02"})).json()
    assert (patched["limit_usd"], patched["warning_threshold_percent"]) == ("0.020000000", 50)
    replaced = (await admin.put(path, json=DAILY | {"name": "new"})).json()
    assert replaced["name"] == "new"
    assert replaced["limit_usd"] == "0.010000000"
    assert replaced["warning_threshold_percent"] == 80
    downgrade = {"action_on_breach": "DOWNGRADE_MODEL", "downgrade_model": "small"}
    assert (await admin.patch(path, json=downgrade)).json()["downgrade_model"] == "small"
    back = {"action_on_breach": "BLOCK", "downgrade_model": None}
    assert (await admin.patch(path, json=back)).json()["downgrade_model"] is None
    assert (await admin.patch(path, json={})).status_code == 422


async def test_a_budget_binds_the_next_call_and_a_deleted_one_none(
    admin: httpx.AsyncClient, till: Till
) -> None:
    made = await create(admin)
    await till.spend("0.008")
    with pytest.raises(BudgetExceeded):
        await till.hold("0.003")
    answer = await admin.delete(f"{BUDGETS}/{made['id']}")
    assert answer.json() == {"id": made["id"], "deleted": True}
    await till.hold("0.003")
    assert (await admin.get(f"{BUDGETS}/{made['id']}")).status_code == 404
    assert (await admin.delete(f"{BUDGETS}/{made['id']}")).status_code == 404


async def test_status_tells_what_is_spent_held_and_left(
    admin: httpx.AsyncClient, till: Till
) -> None:
    made = await create(admin, warning_threshold_percent=60)
    await till.spend("0.007")
    await till.hold("0.001")
    path = f"{BUDGETS}/{made['id']}"
    status = (await admin.get(f"{path}/status")).json()
    assert status["limit_usd"] == "0.010000000"
    assert status["current_spend_usd"] == "0.007000000"
    assert status["pending_usd"] == "0.001000000"
    assert status["remaining_usd"] == "0.002000000"
    assert status["percent_used"] == 70.0
    assert status["reset_at"] == made["reset_at"]
    assert status["action_on_breach"] == "BLOCK"
    crossed = [t["percent"] for t in status["thresholds"] if t["crossed_at"]]
    assert crossed == [50, 60]
    assert status["thresholds"][-1] == {
        "percent": 100,
        "amount_usd": "0.010000000",
        "crossed_at": None,
    }
    assert status["subjects"] == 1
    await admin.patch(path, json={"limit_usd": "0.001"})
    status = (await admin.get(f"{path}/status")).json()
    assert (status["remaining_usd"], status["percent_used"]) == ("0.000000000", 700.0)


async def test_a_reset_begins_anew(admin: httpx.AsyncClient, till: Till) -> None:
    made = await create(admin)
    await till.spend("0.01")
    reset = (await admin.post(f"{BUDGETS}/{made['id']}/reset")).json()
    assert reset["current_spend_usd"] == "0.000000000"
    assert reset["reset_at"] == made["reset_at"]
    assert reset["last_reset_at"] is not None
    await till.spend("0.01")


async def test_the_summary(admin: httpx.AsyncClient, till: Till) -> None:
    made = await create(admin)
    await create(admin, name="wide", limit_usd="1")
    await till.spend("0.009")
    summary = (await admin.get(f"{BUDGETS}/status/summary")).json()
    assert [budget["name"] for budget in summary["budgets"]] == ["daily", "wide"]
    assert summary["total_limit_usd"] == "1.010000000"
    assert summary["total_spend_usd"] == "0.018000000"
    [alert] = summary["alerts"]
    assert (alert["type"], alert["percent"], alert["budget_id"]) == (
        "BUDGET_WARNING",
        80,
        made["id"],
    )


async def test_history(admin: httpx.AsyncClient, services: ControlServices) -> None:
    made = await create(admin)
    now = SystemClock().now()
    row = call(at=now, cost=5, usage=TokenUsage(input_tokens=3, output_tokens=4))
    async with services.database.system() as tx:
        await record(tx, [row], [])
    path = f"{BUDGETS}/{made['id']}/history"
    days = (await admin.get(path, params={"days": 3})).json()
    assert len(days) == 3
    assert days[-1] == {
        "date": now.date().isoformat(),
        "cost_usd": "0.000000005",
        "calls": 1,
        "total_tokens": 7,
    }
    assert len((await admin.get(path, params={"days": 365})).json()) == 365
    assert (await admin.get(path, params={"days": 366})).status_code == 422
    assert (await admin.get(path, params={"days": 0})).status_code == 422


async def test_pages_and_filters(admin: httpx.AsyncClient) -> None:
    names = [(await create(admin, name=f"n{number}"))["name"] for number in range(3)]
    first = (await admin.get(BUDGETS, params={"limit": 2})).json()
    rest = (await admin.get(BUDGETS, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [item["name"] for item in first["items"] + rest["items"]] == names[::-1]
    assert rest["next_cursor"] is None
    named = (await admin.get(BUDGETS, params={"name": "n1"})).json()
    assert [item["name"] for item in named["items"]] == ["n1"]


async def test_an_agents_budget_is_shown_and_changed_at_the_agent(
    admin: httpx.AsyncClient, till: Till
) -> None:
    agent = (await admin.post("/agents", json={"name": "a", "budget_cents": 1})).json()
    await till.spend("0.004", agent_id=agent["id"])
    [own] = (await admin.get(BUDGETS)).json()["items"]
    assert own["managed_by"] == f"agent:{agent['id']}"
    assert (own["period"], own["current_spend_usd"]) == ("TOTAL", "0.004000000")
    answer = await admin.patch(f"{BUDGETS}/{own['id']}", json={"limit_usd": "5"})
    assert (answer.status_code, answer.json()["code"]) == (409, "budget_managed")
    shown = (await admin.get(f"/agents/{agent['id']}")).json()
    assert shown["spent_cents"] == 0.4
    with pytest.raises(BudgetExceeded):
        await till.hold("0.007", agent_id=agent["id"])
    await admin.patch(f"/agents/{agent['id']}", json={"budget_cents": 2})
    await till.hold("0.007", agent_id=agent["id"])


async def test_a_keys_own_budget_and_what_binds_it(
    admin: httpx.AsyncClient, control: Any, till: Till
) -> None:
    body = {"name": "k", "scopes": ["invoke"], "budget": {"limit_usd": "0.01"}}
    key = (await admin.post("/api/v1/keys", json=body)).json()
    await create(admin, name="all", limit_usd="1")
    await till.spend("0.004", key_id=key["id"])
    async with client_of(control, key["key"]) as client:
        shown = (await client.get("/api/v1/keys/self")).json()
    remaining = {budget["name"]: budget["remaining_usd"] for budget in shown["budgets"]}
    assert remaining == {f"key:{key['id']}": "0.006000000", "all": "0.996000000"}


async def test_another_tenants_budget_is_not_there(
    admin: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    path = f"{BUDGETS}/{(await create(admin))['id']}"
    assert (await stranger.get(BUDGETS)).json()["items"] == []
    assert (await stranger.get(path)).status_code == 404
    assert (await stranger.get(f"{path}/status")).status_code == 404
    assert (await stranger.get(f"{path}/history")).status_code == 404
    assert (await stranger.patch(path, json={"limit_usd": "9"})).status_code == 404
    assert (await stranger.put(path, json=DAILY)).status_code == 404
    assert (await stranger.delete(path)).status_code == 404
    assert (await stranger.post(f"{path}/reset")).status_code == 404
    assert (await stranger.get(f"{BUDGETS}/status/summary")).json()["budgets"] == []
    assert (await admin.get(path)).json()["limit_usd"] == "0.010000000"


async def test_who_may(control: Any, services: ControlServices, admin: httpx.AsyncClient) -> None:
    made = await create(admin)
    async with client_of(control, await new_secret(services, "ten_1", Scope.READ)) as reader:
        assert (await reader.get(f"{BUDGETS}/{made['id']}/status")).status_code == 200
        assert (await reader.post(BUDGETS, json=DAILY)).status_code == 403
    async with client_of(control, await new_secret(services, "ten_1", Scope.INVOKE)) as caller:
        assert (await caller.get(BUDGETS)).status_code == 403
    async with client_of(control, None) as nobody:
        assert (await nobody.get(BUDGETS)).status_code == 401


async def test_a_repeated_request_makes_one_budget(admin: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await admin.post(BUDGETS, json=DAILY, headers=headers)
    again = await admin.post(BUDGETS, json=DAILY, headers=headers)
    assert first.json() == again.json()
    other = await admin.post(BUDGETS, json=DAILY | {"name": "b"}, headers=headers)
    assert other.status_code == 409
