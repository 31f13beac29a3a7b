"""`/api/v1/config` over HTTP."""

from typing import Any

import httpx

from aos.control import ControlServices
from aos.identity import Scope
from tests.control.conftest import client_of, new_secret

DOCUMENT = {"version": 1, "agents": {"scout": {}}, "keys": {"ci": {"agent": "scout"}}}


async def apply(client: httpx.AsyncClient, **body: Any) -> httpx.Response:
    headers = body.pop("headers", {})
    return await client.post(
        "/api/v1/config/apply", json={"document": DOCUMENT, **body}, headers=headers
    )


async def test_apply_makes_export_tells_and_a_dry_run_only_says(admin: httpx.AsyncClient) -> None:
    dry = await apply(admin, dry_run=True)
    assert dry.status_code == 200, dry.text
    assert dry.json()["applied"] is False
    assert dry.json()["created_keys"] == []
    done = (await apply(admin)).json()
    assert done["applied"] is True
    assert done["changes"] == dry.json()["changes"]
    assert done["changes"][1] == {
        "kind": "keys",
        "name": "ci",
        "action": "create",
        "fields": {"agent": [None, "scout"]},
    }
    (key,) = done["created_keys"]
    assert key["key"].startswith("aos_sk_")
    exported = (await admin.get("/api/v1/config/export")).json()
    assert exported["keys"]["ci"] == {"agent": "scout"}
    assert key["key"] not in str(exported)
    assert (await apply(admin, document=exported, prune=True)).json()["changes"] == []


async def test_a_repeated_request_makes_nothing_twice_and_shows_no_secret_again(
    admin: httpx.AsyncClient,
) -> None:
    headers = {"Idempotency-Key": "deploy 1"}
    first = (await apply(admin, headers=headers)).json()
    again = (await apply(admin, headers=headers)).json()
    assert again["changes"] == first["changes"]
    assert again["created_keys"][0]["id"] == first["created_keys"][0]["id"]
    assert again["created_keys"][0]["key"] is None


async def test_a_mistake_is_a_problem_with_its_place(admin: httpx.AsyncClient) -> None:
    document = {"version": 1, "agents": {"scout": {"budget": 5}}}
    answer = await apply(admin, document=document)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_config"
    assert answer.json()["details"]["problems"] == [
        {"path": "agents.scout.budget", "message": "there is no such field"}
    ]


async def test_a_name_holds_no_control_characters(admin: httpx.AsyncClient) -> None:
    for document in (
        {"version": 1, "agents": {"a\0b": {}}},
        {"version": 1, "keys": {"ci": {"team_id": "a\0b"}}},
        {"version": 1, "keys": {"ci": {"tags": {"a": "\0"}}}},
    ):
        answer = await apply(admin, document=document)
        assert answer.status_code == 422, answer.text
        assert answer.json()["code"] in {"invalid_config", "invalid_label"}


async def test_only_an_administrator_applies_and_exports(
    control: Any, services: ControlServices
) -> None:
    secret = await new_secret(services, "ten_1", Scope.INVOKE, Scope.READ)
    async with client_of(control, secret) as client:
        assert (await apply(client)).status_code == 403
        assert (await client.get("/api/v1/config/export")).status_code == 403


async def test_tenants_apply_apart(admin: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    await apply(admin)
    exported = (await stranger.get("/api/v1/config/export")).json()
    assert "agents" not in exported
    assert "ci" not in exported["keys"]
