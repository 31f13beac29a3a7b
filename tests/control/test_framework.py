from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import orjson
from fastapi import FastAPI

from aos.control import AccessPolicy, ControlServices, create_control_app
from aos.control.limits import BODY_BYTES_MAX
from aos.identity import Scope
from aos.infra.postgres import Database
from tests.control.conftest import client_of, new_secret


def check_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["type"].endswith(code)
    assert problem["request_id"] == answer.headers["x-aos-request-id"]
    assert problem["title"]
    assert problem["detail"]
    return problem


async def test_every_answer_has_a_request_id_and_is_not_kept(admin: httpx.AsyncClient) -> None:
    seen = set()
    for path in ("/agents", "/nowhere", "/openapi.json", "/docs"):
        answer = await admin.get(path)
        seen.add(answer.headers["x-aos-request-id"])
        assert answer.headers["cache-control"] == "no-store"
    assert len(seen) == 4


async def test_what_is_not_there_is_a_problem(admin: httpx.AsyncClient) -> None:
    check_problem(await admin.get("/nowhere"), 404, "route_not_found")
    check_problem(await admin.get("/agents/"), 404, "route_not_found")
    answer = await admin.put("/agents")
    check_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"]


BAD_BODIES: tuple[tuple[bytes, int, str], ...] = (
    (b"{", 400, "invalid_json"),
    (b"\xff\xfe\xfd", 400, "invalid_json"),
    (b"[]", 422, "invalid_request"),
    (b"{}", 422, "invalid_request"),
    (b"", 422, "invalid_request"),
    (b'{"name": ""}', 422, "invalid_request"),
    (b'{"name": 5}', 422, "invalid_request"),
    (b'{"name": "a", "what": 1}', 422, "invalid_request"),
    (b'{"name": "a\\u0000b"}', 422, "invalid_request"),
    (b'{"name": "\\ud800"}', 422, "invalid_request"),
    (b'{"name": "a", "budget_cents": -1}', 422, "invalid_request"),
    (b'{"name": "a", "budget_cents": 1e300}', 422, "invalid_request"),
    (b'{"name": "a", "budget_cents": NaN}', 422, "invalid_request"),
    (b'{"name": "a", "budget_alert_threshold": Infinity}', 422, "invalid_request"),
    (b'{"name": "' + b"n" * 201 + b'"}', 422, "invalid_request"),
    (b"[" * 100_000, 400, "invalid_json"),
    (b"9" * 10_000, 400, "invalid_json"),
    (b" " * (BODY_BYTES_MAX + 1), 413, "body_too_large"),
)


async def test_bad_bodies_are_refused_by_name(admin: httpx.AsyncClient) -> None:
    for content, status, code in BAD_BODIES:
        answer = await admin.post(
            "/agents", content=content, headers={"content-type": "application/json"}
        )
        check_problem(answer, status, code)
    assert (await admin.get("/agents")).json()["items"] == []


async def test_a_refused_body_names_its_fields_and_repeats_no_value(
    admin: httpx.AsyncClient,
) -> None:
    answer = await admin.post(
        "/agents", json={"name": "a", "password": "s3cret", "budget_cents": []}
    )
    problem = check_problem(answer, 422, "invalid_request")
    assert {error["field"] for error in problem["errors"]} == {"body.password", "body.budget_cents"}
    assert "s3cret" not in answer.text


async def test_a_forgotten_content_type_is_told(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/agents", content=b'{"name": "a"}')
    assert "Content-Type" in check_problem(answer, 422, "invalid_request")["detail"]


async def test_a_body_in_pieces_is_bounded_too(admin: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES_MAX // 65536 + 2):
            yield b" " * 65536

    check_problem(await admin.post("/agents", content=pieces()), 413, "body_too_large")


async def test_a_bug_is_told_without_its_insides(control: FastAPI) -> None:
    @control.get("/bug")
    async def bug() -> None:
        raise RuntimeError("the password is s3cret")

    async with client_of(control, None) as client:
        answer = await client.get("/bug")
    problem = check_problem(answer, 500, "internal_error")
    assert "s3cret" not in answer.text
    assert problem["request_id"] in problem["detail"]


async def test_without_a_key_nothing_is_told(control: FastAPI) -> None:
    for path in ("/agents", "/api/v1/agents", "/api/v1/keys", "/api/v1/keys/self"):
        async with client_of(control, None) as client:
            answer = await client.get(path)
            check_problem(answer, 401, "key_missing")
            assert answer.headers["www-authenticate"] == "Bearer"
        async with client_of(control, "aos_sk_nobody") as client:
            check_problem(await client.get(path), 401, "invalid_key")


async def test_a_key_does_only_what_its_scopes_say(
    control: FastAPI, services: ControlServices
) -> None:
    allowed = {
        Scope.INVOKE: (403, 403, 200),
        Scope.READ: (200, 403, 200),
        Scope.ADMIN: (200, 201, 200),
    }
    for scope, statuses in allowed.items():
        async with client_of(control, await new_secret(services, "ten_1", scope)) as client:
            answers = (
                await client.get("/agents"),
                await client.post("/agents", json={"name": scope}),
                await client.get("/api/v1/keys/self"),
            )
        assert tuple(answer.status_code for answer in answers) == statuses
        for answer in answers:
            if answer.status_code == 403:
                check_problem(answer, 403, "scope_missing")


async def test_rbac_enforce_false_lets_any_key_do_all(services: ControlServices) -> None:
    lax = create_control_app(replace(services, policy=AccessPolicy(enforce_scopes=False)))
    async with client_of(lax, await new_secret(services, "ten_1", Scope.INVOKE)) as client:
        assert (await client.post("/agents", json={"name": "a"})).status_code == 201


async def test_the_tenant_header(admin: httpx.AsyncClient, services: ControlServices) -> None:
    assert (await admin.get("/agents", headers={"X-Tenant-Id": "ten_1"})).status_code == 200
    answer = await admin.get("/agents", headers={"X-Tenant-Id": "ten_2"})
    check_problem(answer, 403, "tenant_mismatch")
    strict = create_control_app(replace(services, policy=AccessPolicy(enforce_tenancy=True)))
    async with client_of(strict, admin.headers["X-AOS-Key"]) as client:
        check_problem(await client.get("/agents"), 400, "tenant_required")
        answer = await client.get("/agents", headers={"X-Tenant-Id": "ten_1"})
        assert answer.status_code == 200


async def test_gap_001_the_key_says_who_the_user_is(admin: httpx.AsyncClient) -> None:
    """GAP-001: the user id was hard-coded. Now it is the key's, whatever the client says."""
    made = await admin.post("/api/v1/keys", json={"name": "hers", "user_id": "usr_hers"})
    hers = {"X-AOS-Key": made.json()["key"]}
    for claim in ({"X-User-Id": "usr_other"}, {"X-AOS-User": "usr_other"}, {}):
        own = await admin.get("/api/v1/keys/self?user_id=usr_other", headers={**hers, **claim})
        assert own.json()["user_id"] == "usr_hers"
        assert own.json()["tenant_id"] == "ten_1"


async def test_lists_come_in_pages_that_stay_steady(admin: httpx.AsyncClient) -> None:
    for number in range(5):
        await admin.post("/agents", json={"name": f"a{number}"})
    first = (await admin.get("/agents?limit=2")).json()
    await admin.post("/agents", json={"name": "late"})
    second = (await admin.get(f"/agents?limit=2&cursor={first['next_cursor']}")).json()
    third = (await admin.get(f"/agents?limit=2&cursor={second['next_cursor']}")).json()
    names = [item["name"] for page in (first, second, third) for item in page["items"]]
    assert names == ["a4", "a3", "a2", "a1", "a0"]
    assert third["next_cursor"] is None


async def test_a_page_is_bounded(admin: httpx.AsyncClient) -> None:
    for query in ("limit=0", "limit=201", "limit=x", "status=odd"):
        check_problem(await admin.get(f"/agents?{query}"), 422, "invalid_request")


async def test_a_foreign_cursor_is_refused(admin: httpx.AsyncClient) -> None:
    odd = ("", "x", "%00", "%C3%BC", "W10", "WyJcdTAwMDAiXQ", "WzFd", "e30", "A" * 600)
    for cursor in odd:
        check_problem(await admin.get(f"/agents?cursor={cursor}"), 422, "invalid_cursor")


async def test_an_odd_id_is_not_found(admin: httpx.AsyncClient) -> None:
    for odd in ("agt_x", "x" * 200, "%20", "..%2f", "%F0%9F%98%80"):
        answer = await admin.get(f"/agents/{odd}")
        assert answer.status_code == 404, answer.text
    assert (await admin.get("/agents/%00")).status_code == 422


async def test_the_reference_needs_no_network_but_ours(admin: httpx.AsyncClient) -> None:
    page = await admin.get("/docs")
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "sha256-" in page.headers["content-security-policy"]


async def test_the_openapi_file_is_tidy(control: FastAPI) -> None:
    async with client_of(control, None) as client:
        answer = await client.get("/openapi.json")
    api = answer.json()
    operations = [operation for methods in api["paths"].values() for operation in methods.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    assert {"create_key", "list_agents", "get_own_key"} <= set(ids)
    for operation in operations:
        assert operation["description"]
        assert operation["tags"]
        assert "application/problem+json" in operation["responses"]["default"]["content"]
        assert "application/problem+json" in operation["responses"]["422"]["content"]
    text = orjson.dumps(api).decode()
    assert "HTTPValidationError" not in text
    for reference in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert reference in api["components"]["schemas"]


async def test_a_database_that_is_away_is_503(services: ControlServices) -> None:
    secret = await new_secret(services, "ten_1", Scope.ADMIN)
    away = await Database("postgresql:///aos?host=/nonexistent").open(wait=False)
    try:
        app = create_control_app(replace(services, database=away))
        async with client_of(app, secret) as client:
            check_problem(await client.get("/agents"), 503, "database_unavailable")
    finally:
        await away.close()
