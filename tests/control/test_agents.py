import httpx
import pytest

from aos.budgets import BudgetExceeded
from tests.control.rooms import Till
from tests.control.test_framework import check_problem


@pytest.mark.parametrize("root", ["/agents", "/api/v1/agents"])
async def test_the_life_of_an_agent(admin: httpx.AsyncClient, root: str) -> None:
    answer = await admin.post(root, json={"name": "researcher", "budget_cents": 100})
    assert answer.status_code == 201
    made = answer.json()
    assert made["id"].startswith("agt_")
    assert made["status"] == "active"
    assert made["budget_cents"] == 100
    assert made["spent_cents"] == 0
    assert made["budget_alert_threshold"] == 0.8
    path = f"{root}/{made['id']}"
    assert (await admin.get(path)).json() == made
    assert (await admin.get(root)).json()["items"] == [made]

    changed = (await admin.patch(path, json={"name": "b", "budget_alert_threshold": 0.5})).json()
    assert changed == {**made, "name": "b", "budget_alert_threshold": 0.5}

    gone = (await admin.delete(path)).json()
    assert gone == {**changed, "status": "archived"}
    assert (await admin.delete(path)).json() == gone
    assert (await admin.get(root)).json()["items"] == []
    assert (await admin.get(f"{root}?status=archived")).json()["items"] == [gone]
    check_problem(await admin.patch(path, json={"name": "c"}), 403, "agent_archived")


async def test_budget_cents_is_a_blocking_lifetime_budget(
    admin: httpx.AsyncClient, till: Till
) -> None:
    made = (await admin.post("/agents", json={"name": "a", "budget_cents": 1})).json()
    path = f"/agents/{made['id']}"
    await till.spend("0.00045", agent_id=made["id"])
    got = (await admin.get(path)).json()
    assert (got["spent_cents"], got["spent_usd"]) == (0.045, "0.000450000")
    with pytest.raises(BudgetExceeded):
        await till.hold("0.00956", agent_id=made["id"])
    await admin.patch(path, json={"budget_cents": 2})
    await till.spend("0.00956", agent_id=made["id"])
    await admin.patch(path, json={"budget_cents": None})
    await till.spend("1", agent_id=made["id"])
    got = (await admin.get(path)).json()
    assert (got["budget_cents"], got["spent_usd"]) == (None, "1.010010000")


async def test_an_agents_threshold_warns(admin: httpx.AsyncClient, till: Till) -> None:
    """R1: crossing `budget_alert_threshold` raises BUDGET_WARNING."""
    body = {"name": "a", "budget_cents": 100, "budget_alert_threshold": 0.6}
    made = (await admin.post("/agents", json=body)).json()
    await till.spend("0.59", agent_id=made["id"])
    assert (await admin.get("/api/v1/budgets/status/summary")).json()["alerts"] == []
    await till.spend("0.02", agent_id=made["id"])
    [alert] = (await admin.get("/api/v1/budgets/status/summary")).json()["alerts"]
    assert "BUDGET_WARNING" in str(alert)


@pytest.mark.parametrize("cents", [None, 0])
async def test_no_budget_is_no_budget(
    admin: httpx.AsyncClient, till: Till, cents: int | None
) -> None:
    made = (await admin.post("/agents", json={"name": "a", "budget_cents": cents})).json()
    assert made["budget_cents"] == cents
    await till.spend("5", agent_id=made["id"])
    assert (await admin.get(f"/agents/{made['id']}")).json()["spent_cents"] == 500


async def test_names_are_unique_among_live_agents(admin: httpx.AsyncClient) -> None:
    first = (await admin.post("/agents", json={"name": "a"})).json()
    check_problem(await admin.post("/agents", json={"name": "a"}), 409, "name_taken")
    other = (await admin.post("/agents", json={"name": "b"})).json()
    answer = await admin.patch(f"/agents/{other['id']}", json={"name": "a"})
    check_problem(answer, 409, "name_taken")
    await admin.delete(f"/agents/{first['id']}")
    assert (await admin.post("/agents", json={"name": "a"})).status_code == 201


async def test_another_tenants_agent_is_not_there(
    admin: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    made = (await admin.post("/agents", json={"name": "a", "budget_cents": 5})).json()
    path = f"/agents/{made['id']}"
    for answer in (
        await stranger.get(path),
        await stranger.patch(path, json={"budget_cents": None}),
        await stranger.delete(path),
    ):
        check_problem(answer, 404, "agent_not_found")
    assert (await stranger.get("/agents?status=all")).json()["items"] == []
    assert (await admin.get(path)).json() == made


async def test_the_current_tenant_is_the_keys(
    admin: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    assert (await admin.get("/api/v1/tenants/current")).json()["id"] == "ten_1"
    assert (await stranger.get("/api/v1/tenants/current")).json()["name"] == "two"
