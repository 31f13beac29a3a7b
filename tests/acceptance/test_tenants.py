"""Two tenants of one installation, through the public door: neither sees anything of the other."""

from typing import Any

import psycopg
import pytest

from aos.kit import ids
from tests.answers import CHAT_COST
from tests.houses import ADMIN_KEY, Gate, Key

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
}
LISTS = (
    "/api/v1/keys",
    "/api/v1/agents",
    "/api/v1/budgets",
    "/api/v1/usage/calls",
)


async def new_tenant(gate: Gate, **body: str) -> Key:
    """Its admin key."""
    made = await gate.api("POST", "/api/v1/tenants", {"id": ids.new("ten").lower(), **body})
    return Key(made["key_id"], made["key"])


async def refused(gate: Gate, method: str, path: str, body: object = None, **headers: str) -> Any:
    """(status, code) of a request that must fail."""
    sent = {"authorization": f"Bearer {ADMIN_KEY}", **headers}
    async with gate.session.request(method, gate.url + path, json=body, headers=sent) as answer:
        assert answer.status >= 400, await answer.text()
        content = await answer.json(content_type=None)
        return answer.status, content.get("code") or content["error"]["code"]


async def test_the_operator_makes_and_lists_tenants(gate: Gate) -> None:
    made = await gate.api("POST", "/api/v1/tenants", {"id": "acme", "name": "Acme Ltd"})
    assert (made["id"], made["name"]) == ("acme", "Acme Ltd")
    own = {"authorization": f"Bearer {made['key']}"}
    current = await gate.api("GET", "/api/v1/tenants/current", **own)
    assert (current["id"], current["name"]) == ("acme", "Acme Ltd")
    listed = [one["id"] for one in (await gate.api("GET", "/api/v1/tenants"))["items"]]
    assert {"acme", "default"} <= set(listed)
    first = await gate.api("GET", "/api/v1/tenants?limit=1")
    then = await gate.api("GET", f"/api/v1/tenants?limit=200&cursor={first['next_cursor']}")
    assert [one["id"] for one in (*first["items"], *then["items"])] == listed
    assert await refused(gate, "POST", "/api/v1/tenants", {"id": "acme"}) == (409, "name_taken")
    assert await refused(gate, "POST", "/api/v1/tenants", {}) == (422, "invalid_request")
    assert await refused(gate, "POST", "/api/v1/tenants", {"id": "No Spaces"}) == (
        422,
        "invalid_request",
    )
    named = await gate.api("POST", "/api/v1/tenants", {"name": "only a name"})
    assert named["id"].startswith("ten_")


async def test_a_repeated_request_makes_one_tenant_and_shows_no_secret_again(gate: Gate) -> None:
    body, once = {"id": "twice"}, {"idempotency-key": "make-twice"}
    first = await gate.api("POST", "/api/v1/tenants", body, **once)
    again = await gate.api("POST", "/api/v1/tenants", body, **once)
    assert first["key"]
    assert again == first | {"key": None}


async def test_nobody_but_the_operator_makes_or_lists_them(gate: Gate) -> None:
    tenant = await new_tenant(gate)
    for method, body in (("POST", {"id": "sub"}), ("GET", None)):
        assert await refused(gate, method, "/api/v1/tenants", body, **tenant.headers) == (
            403,
            "operator_only",
        )
    plain = await gate.key()
    assert await refused(gate, "POST", "/api/v1/tenants", {"id": "sub"}, **plain.headers) == (
        403,
        "scope_missing",
    )


async def test_the_database_refuses_it_too(gate: Gate) -> None:
    database = gate.house.core.database
    await new_tenant(gate, id="locked-out")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with database.tenant("locked-out") as tx:
            await tx.execute("SELECT * FROM aos.tenants_listed(NULL, 10)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with database.system() as tx:
            await tx.execute("SELECT aos.tenant_create('x', 'x', 'key_x', 'x', sha256('x'))")


async def test_a_tenant_sees_nothing_of_another(gate: Gate) -> None:
    tenant = await new_tenant(gate)
    agent = await gate.api("POST", "/api/v1/agents", {"name": "secretive"})
    key = await gate.key("1.00", agent_id=agent["id"])
    budget_id = await gate.budget("5.00", "PER_AGENT", scope_value=agent["id"])
    price = await gate.api(
        "POST",
        "/api/v1/prices",
        {"provider": "openai", "model": "gpt-4o-mini-own", "rates": {"input": "9"}},
    )
    document = {"version": 1, "aliases": {"house-special": "gpt-4o-mini"}}
    await gate.api("POST", "/api/v1/config/apply", {"document": document})
    status, headers, _ = await gate.call(CHAT, **key.headers)
    assert status == 200

    for path in LISTS:
        items = (await gate.api("GET", path, **tenant.headers))["items"]
        assert [one["id"] for one in items] == ([tenant.id] if path == "/api/v1/keys" else [])
    call_id = headers["x-aos-request-id"]
    for path in (
        f"/api/v1/keys/{key.id}",
        f"/api/v1/agents/{agent['id']}",
        f"/api/v1/budgets/{budget_id}",
        f"/api/v1/budgets/{budget_id}/status",
        f"/api/v1/usage/calls/{call_id}",
    ):
        assert (await refused(gate, "GET", path, **tenant.headers))[0] == 404, path
    for method, path in (
        ("DELETE", f"/api/v1/keys/{key.id}"),
        ("DELETE", f"/api/v1/agents/{agent['id']}"),
        ("DELETE", f"/api/v1/budgets/{budget_id}"),
        ("DELETE", f"/api/v1/prices/{price['id']}"),
    ):
        assert (await refused(gate, method, path, **tenant.headers))[0] == 404, path
    prices = await gate.api("GET", "/api/v1/prices?model=gpt-4o-mini-own", **tenant.headers)
    assert prices["items"] == []
    assert await gate.api("GET", "/api/v1/config/export", **tenant.headers) == {
        "version": 1,
        "keys": {"admin": {"scopes": ["admin"]}},
    }
    models = {one["id"] for one in (await gate.api("GET", "/v1/models", **tenant.headers))["data"]}
    assert "gpt-4o-mini" in models
    assert "house-special" not in models
    await gate.api("DELETE", f"/api/v1/budgets/{budget_id}")


async def test_a_tenant_spends_on_its_own_account(gate: Gate) -> None:
    tenant = await new_tenant(gate)
    budget = await gate.api(
        "POST",
        "/api/v1/budgets",
        {"name": "all", "scope": "GLOBAL", "period": "TOTAL", "limit_usd": "1.00"},
        **tenant.headers,
    )
    assert (await gate.call(CHAT))[0] == 200, "the operator's own call"
    assert (await gate.call(CHAT, **tenant.headers))[0] == 200
    status = await gate.api("GET", f"/api/v1/budgets/{budget['id']}/status", **tenant.headers)
    assert status["current_spend_usd"] == CHAT_COST


async def test_x_tenant_id_of_another_tenant_is_refused(gate: Gate) -> None:
    tenant = await new_tenant(gate)
    for headers in ({"x-tenant-id": "default", **tenant.headers}, {"x-tenant-id": "locked-out"}):
        for method, path, body in (
            ("GET", "/api/v1/keys", None),
            ("POST", "/v1/chat/completions", CHAT),
        ):
            assert await refused(gate, method, path, body, **headers) == (403, "tenant_mismatch")
