import httpx
import pytest

from aos.identity import Owner, OwnerKind
from aos.kit.money import Nanousd
from tests.control.test_framework import check_problem
from tests.identity.conftest import RememberedBudgets


@pytest.mark.parametrize("root", ["/agents", "/api/v1/agents"])
async def test_the_life_of_an_agent(
    admin: httpx.AsyncClient, budgets: RememberedBudgets, root: str
) -> None:
    answer = await admin.post(root, json={"name": "researcher", "budget_cents": 100})
    assert answer.status_code == 201
    made = answer.json()
    owner = Owner(OwnerKind.AGENT, made["id"])
    assert made["id"].startswith("agt_")
    assert made["budget_cents"] == 100
    assert made["spent_cents"] == 0
    assert made["budget_alert_threshold"] == 0.8
    assert budgets.own[owner].limit == 1_000_000_000
    assert (budgets.own[owner].period, budgets.own[owner].action) == ("TOTAL", "BLOCK")
    assert budgets.own[owner].warning_percent == 80

    budgets.spending[owner] = Nanousd(450_000)
    got = (await admin.get(f"{root}/{made['id']}")).json()
    assert (got["spent_cents"], got["spent_usd"]) == (0.045, "0.000450000")

    answer = await admin.patch(
        f"{root}/{made['id']}", json={"budget_cents": 250, "budget_alert_threshold": 0.5}
    )
    assert answer.json()["budget_cents"] == 250
    assert budgets.own[owner].limit == 2_500_000_000
    assert budgets.own[owner].warning_percent == 50
    answer = await admin.patch(f"{root}/{made['id']}", json={"budget_cents": None})
    assert answer.json()["budget_cents"] is None
    assert not budgets.own

    await admin.patch(f"{root}/{made['id']}", json={"budget_cents": 1})
    gone = (await admin.delete(f"{root}/{made['id']}")).json()
    assert gone["status"] == "archived"
    assert not budgets.own
    assert (await admin.delete(f"{root}/{made['id']}")).json() == gone
    assert (await admin.get(root)).json()["items"] == []
    assert (await admin.get(f"{root}?status=archived")).json()["items"] == [gone]
    answer = await admin.patch(f"{root}/{made['id']}", json={"name": "b"})
    check_problem(answer, 403, "agent_archived")


@pytest.mark.parametrize("cents", [None, 0])
async def test_no_budget_is_no_budget(
    admin: httpx.AsyncClient, budgets: RememberedBudgets, cents: int | None
) -> None:
    made = (await admin.post("/agents", json={"name": "a", "budget_cents": cents})).json()
    assert made["budget_cents"] == cents
    assert not budgets.own


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
