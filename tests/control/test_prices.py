import httpx
import pytest
from fastapi import FastAPI

from aos.catalog import read_table
from aos.control import ControlServices
from aos.identity import Scope
from tests.control.conftest import client_of, new_secret
from tests.control.test_framework import check_problem

TABLE = {
    "name": "acme",
    "version": "2026-11-20",
    "providers": [
        {
            "id": "acme",
            "models": [
                {
                    "id": "acme-1",
                    "match": {"starts_with": "acme-1"},
                    "context_window": 200_000,
                    "output_tokens_max": 8_192,
                    "prices": [
                        {"effective_to": "2026-01-01T00:00:00Z", "rates": {"input": "9"}},
                        {
                            "effective_from": "2026-01-01T00:00:00Z",
                            "rates": {
                                "input": {"base": "3", "tiers": [[200_000, "6"]]},
                                "output": "15",
                                "web_search": "10",
                            },
                            "variants": [["service_tier", "flex", {"input": "1.5"}]],
                            "surcharges": [["region", "us", "1.1"]],
                        },
                    ],
                },
                {"id": "acme-2", "prices": [{"unmetered": ["audio_hours"]}]},
                {"id": "acme-3"},
            ],
        }
    ],
}
MINE = {"provider": "acme", "model": "acme-1", "rates": {"input": "0.15", "output": "0.60"}}


@pytest.fixture(autouse=True)
async def table(services: ControlServices) -> None:
    await services.prices.import_table(read_table(TABLE))
    await services.catalog.refresh()


async def test_the_table_is_told_as_it_was_written(admin: httpx.AsyncClient) -> None:
    wanted = {"provider": "acme", "model": "ACME-1-latest", "at": "2026-11-20T01:00:00Z"}
    answer = await admin.get("/api/v1/prices", params=wanted)
    [price] = answer.json()["items"]
    assert price["id"].startswith("price_")
    assert price | {"id": ""} == {
        "id": "",
        "provider": "acme",
        "model": "acme-1",
        "own": False,
        "source": "acme",
        "rates": {
            "input": {"base": "3", "tiers": [[200_000, "6"]]},
            "output": "15",
            "web_search": "10",
        },
        "variants": [["service_tier", "flex", {"input": "1.5"}]],
        "surcharges": [["region", "us", "1.1"]],
        "daily_window": None,
        "unmetered": [],
        "effective_from": "2026-01-01T00:00:00Z",
        "effective_to": None,
    }


async def test_a_list_of_prices_has_pages(admin: httpx.AsyncClient) -> None:
    seen, cursor = [], ""
    while True:
        page = (await admin.get(f"/api/v1/prices?limit=1{cursor}")).json()
        seen += [price["model"] for price in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["acme-1", "acme-1", "acme-2"]


async def test_the_life_of_an_own_price(
    admin: httpx.AsyncClient, stranger: httpx.AsyncClient, services: ControlServices
) -> None:
    answer = await admin.post("/api/v1/prices", json=MINE)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["own"], made["rates"]) == (True, {"input": "0.15", "output": "0.6"})
    [model] = (await admin.get("/api/v1/models?provider=acme&limit=1")).json()["items"]
    assert model["rates"] == made["rates"]
    [theirs] = (await stranger.get("/api/v1/models?provider=acme&limit=1")).json()["items"]
    assert theirs["rates"]["input"] == {"base": "3", "tiers": [[200_000, "6"]]}
    now = services.clock.now()
    price = services.catalog.book.find_pricing("acme", "acme-1-2026", now, "ten_1")
    assert price is not None
    assert price.id == made["id"]

    check_problem(await stranger.delete(f"/api/v1/prices/{made['id']}"), 404, "price_not_found")
    assert (await admin.delete(f"/api/v1/prices/{made['id']}")).json()["ended"]
    kept = (await admin.get("/api/v1/prices?provider=acme&model=acme-1")).json()["items"]
    [ended] = [price for price in kept if price["own"]]
    assert ended["effective_to"] is not None


async def test_a_repeated_request_sets_one_price(admin: httpx.AsyncClient) -> None:
    answers = [
        await admin.post("/api/v1/prices", json=MINE, headers={"Idempotency-Key": "once"})
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["x-aos-idempotent-replay"] == "true"


async def test_prices_that_overlap_are_refused(admin: httpx.AsyncClient) -> None:
    later = {**MINE, "effective_from": "2100-01-01T00:00:00Z"}
    assert (await admin.post("/api/v1/prices", json=later)).status_code == 201
    over = {**MINE, "effective_to": "2101-01-01T00:00:00Z"}
    check_problem(await admin.post("/api/v1/prices", json=over), 409, "price_overlap")


@pytest.mark.parametrize(
    "change",
    [
        {"rates": {}},
        {"rates": {"input": "-1"}},
        {"rates": {"apples": "1"}},
        {"rates": {"cache_read": "1"}},
        {"variants": [["service_tier", "flex", {"input": "x"}]]},
        {"effective_from": "2026-02-01T00:00:00Z", "effective_to": "2026-01-01T00:00:00Z"},
    ],
)
async def test_a_price_that_means_nothing_is_refused(
    admin: httpx.AsyncClient, change: dict[str, object]
) -> None:
    check_problem(await admin.post("/api/v1/prices", json={**MINE, **change}), 422, "invalid_price")


async def test_models_are_listed_with_what_is_known_of_them(admin: httpx.AsyncClient) -> None:
    page = (await admin.get("/api/v1/models?limit=2")).json()
    more = (await admin.get(f"/api/v1/models?limit=2&cursor={page['next_cursor']}")).json()
    models = {model["id"]: model for model in page["items"] + more["items"]}
    assert list(models) == ["acme-1", "acme-2", "acme-3"]
    assert (models["acme-1"]["context_window"], models["acme-1"]["output_tokens_max"]) == (
        200_000,
        8_192,
    )
    assert models["acme-2"]["rates"] is None
    assert models["acme-3"]["rates"] is None


async def test_a_table_is_the_operators_to_import(
    admin: httpx.AsyncClient, control: FastAPI, services: ControlServices
) -> None:
    check_problem(await admin.post("/api/v1/prices/import", json=TABLE), 403, "operator_only")
    await services.tenants.ensure("default", "default")
    async with client_of(control, await new_secret(services, "default", Scope.ADMIN)) as operator:
        again = await operator.post("/api/v1/prices/import", json=TABLE)
        assert again.json() == {
            "name": "acme",
            "version": "2026-11-20",
            "providers": 1,
            "models": 3,
            "prices": 3,
            "changed": 0,
        }
        broken = {**TABLE, "providers": [{"id": "acme", "models": [{"id": ""}]}]}
        answer = await operator.post("/api/v1/prices/import", json=broken)
        check_problem(answer, 422, "invalid_price")
        assert "acme.models[0].id" in answer.json()["detail"]


async def test_only_administrators_set_prices(control: FastAPI, services: ControlServices) -> None:
    async with client_of(control, await new_secret(services, "ten_1", Scope.READ)) as reader:
        assert (await reader.get("/api/v1/prices")).status_code == 200
        check_problem(await reader.post("/api/v1/prices", json=MINE), 403, "scope_missing")
