import asyncio

import httpx

from aos.control import ControlServices
from aos.infra.postgres import Database
from tests.control.test_framework import check_problem

KEY = {"Idempotency-Key": "one"}


async def test_a_repeated_write_is_answered_as_the_first_time(admin: httpx.AsyncClient) -> None:
    first = await admin.post("/agents", json={"name": "a"}, headers=KEY)
    again = await admin.post("/agents", json={"name": "a"}, headers=KEY)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["x-aos-idempotent-replay"] == "true"
    assert "x-aos-idempotent-replay" not in first.headers
    assert len((await admin.get("/agents")).json()["items"]) == 1


async def test_the_same_key_with_another_request_is_409(admin: httpx.AsyncClient) -> None:
    await admin.post("/agents", json={"name": "a"}, headers=KEY)
    answer = await admin.post("/agents", json={"name": "b"}, headers=KEY)
    check_problem(answer, 409, "idempotency_key_reused")
    answer = await admin.post("/api/v1/keys", json={"name": "a"}, headers=KEY)
    check_problem(answer, 409, "idempotency_key_reused")


async def test_two_at_once_make_one(admin: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(admin.post("/agents", json={"name": "a"}, headers=KEY) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_a_failure_is_not_remembered(admin: httpx.AsyncClient) -> None:
    made = await admin.post("/agents", json={"name": "a"})
    answer = await admin.post("/agents", json={"name": "a"}, headers=KEY)
    check_problem(answer, 409, "name_taken")
    await admin.delete(f"/agents/{made.json()['id']}")
    assert (await admin.post("/agents", json={"name": "a"}, headers=KEY)).status_code == 201


async def test_tenants_do_not_share_keys(
    admin: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    first = await admin.post("/agents", json={"name": "a"}, headers=KEY)
    other = await stranger.post("/agents", json={"name": "a"}, headers=KEY)
    assert other.status_code == 201
    assert other.json()["id"] != first.json()["id"]


async def test_a_secret_is_never_remembered(
    admin: httpx.AsyncClient, services: ControlServices
) -> None:
    first = (await admin.post("/api/v1/keys", json={"name": "k"}, headers=KEY)).json()
    again = (await admin.post("/api/v1/keys", json={"name": "k"}, headers=KEY)).json()
    assert again == {**first, "key": None}
    async with services.database.tenant("ten_1") as tx:
        cursor = await tx.execute("SELECT answer FROM aos.idempotent_requests")
        rows = await cursor.fetchall()
    assert len(rows) == 1
    assert first["key"].encode() not in bytes(rows[0]["answer"])
    assert first["id"].encode() in bytes(rows[0]["answer"])


async def test_after_a_day_a_key_is_new_again(
    admin: httpx.AsyncClient, services: ControlServices
) -> None:
    for name in ("a", "b", "c"):
        await admin.post("/agents", json={"name": name}, headers={"Idempotency-Key": name})
    async with services.database.tenant("ten_1") as tx:
        await tx.execute(
            "UPDATE aos.idempotent_requests SET created_at = now() - interval '25 hours'"
        )
    answer = await admin.post("/agents", json={"name": "d"}, headers={"Idempotency-Key": "a"})
    assert answer.status_code == 201
    async with services.database.tenant("ten_1") as tx:
        cursor = await tx.execute("SELECT key FROM aos.idempotent_requests")
        assert [row["key"] for row in await cursor.fetchall()] == ["a"]


async def test_an_odd_idempotency_key_is_refused(admin: httpx.AsyncClient) -> None:
    for key in ("", "x" * 201, "\x7f"):
        answer = await admin.post("/agents", json={"name": "a"}, headers={"Idempotency-Key": key})
        check_problem(answer, 422, "invalid_idempotency_key")


async def test_waiting_for_the_first_has_an_end(
    admin: httpx.AsyncClient, database: Database
) -> None:
    async with database.tenant("ten_1") as tx:
        await tx.execute(
            """INSERT INTO aos.idempotent_requests (tenant_id, key, request_digest)
               VALUES ('ten_1', 'one', sha256('x'))"""
        )
        answer = await admin.post("/agents", json={"name": "a"}, headers=KEY)
        check_problem(answer, 409, "request_in_progress")
        assert answer.headers["retry-after"] == "1"
