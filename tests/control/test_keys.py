from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from aos.budgets import BudgetExceeded
from aos.control import ControlServices
from aos.kit.money import Nanousd
from aos.usage import record
from tests.control.conftest import client_of
from tests.control.rooms import Till
from tests.control.test_framework import check_problem
from tests.usage.samples import call

FULL: dict[str, Any] = {
    "name": "build server",
    "team_id": "red",
    "user_id": "usr_1",
    "models": ["gpt-*", "claude-sonnet-4"],
    "rpm": 60,
    "tpm": 100_000,
    "max_parallel": 4,
    "tags": {"stage": "test"},
    "scopes": ["invoke", "read"],
}


async def make(admin: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await admin.post("/api/v1/keys", json={"name": "k", **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_key_is_shown_once(admin: httpx.AsyncClient, control: FastAPI) -> None:
    agent = (await admin.post("/agents", json={"name": "a"})).json()
    made = await make(admin, **FULL, agent_id=agent["id"], expires_at="2100-01-01T00:00:00+02:00")
    assert made["id"].startswith("key_")
    assert made["key"].startswith(made["prefix"])
    assert {name: made[name] for name in FULL} == FULL
    assert made["expires_at"] == "2099-12-31T22:00:00Z"
    assert made["created_at"].endswith("Z")
    assert made["rates_enforced"] is False
    assert made["status"] == "active"
    stored = (await admin.get(f"/api/v1/keys/{made['id']}")).json()
    assert stored == {name: value for name, value in made.items() if name != "key"}
    async with client_of(control, made["key"]) as owner:
        own = (await owner.get("/api/v1/keys/self")).json()
    assert own == {**stored, "tenant_id": "ten_1", "budgets": []}


async def test_a_new_key_may_only_call_models(admin: httpx.AsyncClient) -> None:
    assert (await make(admin))["scopes"] == ["invoke"]


async def test_a_keys_own_budget_binds_its_calls(
    admin: httpx.AsyncClient, control: FastAPI, till: Till
) -> None:
    made = await make(admin, budget={"limit_usd": "0.01", "period": "DAILY"})
    path = f"/api/v1/keys/{made['id']}"
    assert made["budget"]["limit_usd"] == "0.010000000"
    assert made["budget"]["period"] == "DAILY"
    await till.spend("0.004", key_id=made["id"])
    with pytest.raises(BudgetExceeded):
        await till.hold("0.007", key_id=made["id"])
    async with client_of(control, made["key"]) as owner:
        [binding] = (await owner.get("/api/v1/keys/self")).json()["budgets"]
    assert binding["scope"] == "PER_KEY"
    assert binding["current_spend_usd"] == "0.004000000"
    assert binding["remaining_usd"] == "0.006000000"
    assert binding["reset_at"].endswith("Z")
    changed = await admin.patch(path, json={"budget": {"limit_usd": 2.5, "period": "DAILY"}})
    assert changed.json()["budget"]["limit_usd"] == "2.500000000"
    await till.spend("0.007", key_id=made["id"])
    changed = await admin.patch(path, json={"budget": None})
    assert changed.json()["budget"] is None
    await till.spend("9", key_id=made["id"])


async def test_what_a_key_has_spent_is_the_sum_of_its_calls(
    admin: httpx.AsyncClient, services: ControlServices
) -> None:
    made = await make(admin)
    at = datetime.now(UTC)  # noqa: TID251
    calls = [call(key_id=made["id"], cost=Nanousd(cost), at=at) for cost in (450_000, 1)]
    async with services.database.system() as tx:
        await record(tx, calls, [])
    [stored] = (await admin.get("/api/v1/keys")).json()["items"][:1]
    assert stored["spent_usd"] == "0.000450001"


async def test_an_odd_budget_is_refused(admin: httpx.AsyncClient) -> None:
    odd: tuple[dict[str, Any], ...] = (
        {},
        {"limit_usd": "a lot"},
        {"limit_usd": "0.0000000001"},
        {"limit_usd": "1e400"},
        {"limit_usd": None},
        {"limit_usd": True},
        {"limit_usd": "1", "scope": "GLOBAL"},
        {"limit_usd": "1", "period": "HOURLY"},
    )
    for budget in odd:
        answer = await admin.post("/api/v1/keys", json={"name": "k", "budget": budget})
        check_problem(answer, 422, "invalid_request")
    nowhere = {"limit_usd": "1", "timezone": "Mars/Olympus"}
    answer = await admin.post("/api/v1/keys", json={"name": "k", "budget": nowhere})
    check_problem(answer, 422, "invalid_budget")
    assert [each["name"] for each in (await admin.get("/api/v1/keys")).json()["items"]] == [
        "ten_1 admin"
    ]


async def test_odd_fields_are_refused(admin: httpx.AsyncClient) -> None:
    made = await make(admin)
    odd: tuple[tuple[str, object], ...] = (
        ("name", None),
        ("name", " "),
        ("scopes", []),
        ("scopes", ["root"]),
        ("models", ["m"] * 101),
        ("models", ["a\u0000"]),
        ("tags", {f"t{n}": "" for n in range(33)}),
        ("tags", {"": "x"}),
        ("tags", {"a": None}),
        ("rpm", 0),
        ("tpm", 3_000_000_000),
        ("expires_at", "2100-01-01T00:00:00"),
        ("expires_at", "9999-12-31T23:59:59-12:00"),
        ("expires_at", "soon"),
        ("user_id", ""),
    )
    for field, value in odd:
        answer = await admin.post("/api/v1/keys", json={"name": "other", field: value})
        check_problem(answer, 422, "invalid_request")
        answer = await admin.patch(f"/api/v1/keys/{made['id']}", json={field: value})
        check_problem(answer, 422, "invalid_request")


async def test_an_expiry_in_the_past_and_an_odd_tag_are_refused(admin: httpx.AsyncClient) -> None:
    answer = await admin.post(
        "/api/v1/keys", json={"name": "k", "expires_at": "2001-01-01T00:00:00Z"}
    )
    check_problem(answer, 422, "invalid_expiry")
    answer = await admin.post("/api/v1/keys", json={"name": "k", "tags": {"a": "\u0000"}})
    check_problem(answer, 422, "invalid_label")


async def test_names_are_unique_among_live_keys(admin: httpx.AsyncClient) -> None:
    made = await make(admin)
    answer = await admin.post("/api/v1/keys", json={"name": "k"})
    assert check_problem(answer, 409, "name_taken")["details"] == {"name": "k"}
    await admin.delete(f"/api/v1/keys/{made['id']}")
    again = await make(admin)
    other = await make(admin, name="other")
    answer = await admin.patch(f"/api/v1/keys/{other['id']}", json={"name": "k"})
    check_problem(answer, 409, "name_taken")
    assert again["id"] != made["id"]


async def test_a_change_is_in_force_for_the_next_call(
    admin: httpx.AsyncClient, control: FastAPI
) -> None:
    made = await make(admin)
    path = f"/api/v1/keys/{made['id']}"
    async with client_of(control, made["key"]) as owner:
        assert (await owner.get("/agents")).status_code == 403
        changed = await admin.patch(path, json={"scopes": ["read"], "user_id": "usr_2"})
        assert (changed.json()["scopes"], changed.json()["user_id"]) == (["read"], "usr_2")
        assert (await owner.get("/agents")).status_code == 200
        changed = await admin.patch(path, json={"user_id": None})
        assert (changed.json()["scopes"], changed.json()["user_id"]) == (["read"], None)
        check_problem(await admin.patch(path, json={}), 422, "invalid_request")


async def test_a_revoked_key_is_refused_at_once_and_cannot_come_back(
    admin: httpx.AsyncClient, control: FastAPI
) -> None:
    made = await make(admin, budget={"limit_usd": 1})
    path = f"/api/v1/keys/{made['id']}"
    async with client_of(control, made["key"]) as owner:
        assert (await owner.get("/api/v1/keys/self")).status_code == 200
        gone = (await admin.delete(path)).json()
        assert gone["status"] == "revoked"
        check_problem(await owner.get("/api/v1/keys/self"), 401, "key_revoked")
    assert gone["budget"] is None
    assert (await admin.delete(path)).json()["revoked_at"] == gone["revoked_at"]
    check_problem(await admin.patch(path, json={"rpm": 1}), 409, "key_ended")
    check_problem(await admin.post(f"{path}/rotate"), 409, "key_ended")
    assert [each["name"] for each in (await admin.get("/api/v1/keys")).json()["items"]] == [
        "ten_1 admin"
    ]
    listed = (await admin.get("/api/v1/keys?revoked=true")).json()["items"]
    assert listed[0]["id"] == made["id"]


async def test_rotation(admin: httpx.AsyncClient, control: FastAPI) -> None:
    made = await make(admin)
    path = f"/api/v1/keys/{made['id']}"
    answer = await admin.post(f"{path}/rotate", json={"grace_seconds": 3600})
    second = answer.json()
    assert second["id"] == made["id"]
    assert second["key"] != made["key"]
    for secret in (made["key"], second["key"]):
        async with client_of(control, secret) as owner:
            assert (await owner.get("/api/v1/keys/self")).status_code == 200
    third = (await admin.post(f"{path}/rotate")).json()
    for secret, status in ((made["key"], 401), (second["key"], 401), (third["key"], 200)):
        async with client_of(control, secret) as owner:
            assert (await owner.get("/api/v1/keys/self")).status_code == status
    for odd in (-1, 10**9):
        answer = await admin.post(f"{path}/rotate", json={"grace_seconds": odd})
        check_problem(answer, 422, "invalid_request")


async def test_an_expired_key_says_so(admin: httpx.AsyncClient) -> None:
    soon = datetime.now(UTC) + timedelta(milliseconds=300)  # noqa: TID251
    made = await make(admin, expires_at=soon.isoformat())
    headers = {"X-AOS-Key": made["key"]}
    while (await admin.get("/api/v1/keys/self", headers=headers)).status_code == 200:
        assert datetime.now(UTC) < soon + timedelta(seconds=5)  # noqa: TID251
    check_problem(await admin.get("/api/v1/keys/self", headers=headers), 401, "key_expired")
    assert (await admin.get(f"/api/v1/keys/{made['id']}")).json()["status"] == "expired"


async def test_another_tenants_key_is_not_there(
    admin: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    made = await make(admin, **FULL)
    path = f"/api/v1/keys/{made['id']}"
    for answer in (
        await stranger.get(path),
        await stranger.patch(path, json={"name": "mine"}),
        await stranger.delete(path),
        await stranger.post(f"{path}/rotate"),
    ):
        check_problem(answer, 404, "key_not_found")
    assert made["id"] not in (await stranger.get("/api/v1/keys?revoked=true")).text
    assert (await admin.get(path)).json()["name"] == FULL["name"]


async def test_a_key_cannot_be_bound_to_another_tenants_agent_or_an_archived_one(
    admin: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    theirs = (await stranger.post("/agents", json={"name": "a"})).json()["id"]
    answer = await admin.post("/api/v1/keys", json={"name": "k", "agent_id": theirs})
    check_problem(answer, 404, "agent_not_found")
    made = await make(admin)
    answer = await admin.patch(f"/api/v1/keys/{made['id']}", json={"agent_id": theirs})
    check_problem(answer, 404, "agent_not_found")
    await stranger.delete(f"/agents/{theirs}")
    answer = await stranger.post("/api/v1/keys", json={"name": "k", "agent_id": theirs})
    check_problem(answer, 403, "agent_archived")


async def test_keys_of_one_agent(admin: httpx.AsyncClient) -> None:
    agent = (await admin.post("/agents", json={"name": "a"})).json()["id"]
    made = await make(admin, agent_id=agent)
    await make(admin, name="other")
    listed = (await admin.get(f"/api/v1/keys?agent_id={agent}")).json()["items"]
    assert [each["id"] for each in listed] == [made["id"]]
