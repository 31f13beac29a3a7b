"""Prices in the database: seeded, imported, set, ended; what the database refuses."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from aos.catalog import (
    Catalog,
    InvalidPrice,
    PriceFilter,
    PriceNotFound,
    PriceOverlap,
    Prices,
    PriceTerms,
    PriceUnit,
    PriceVersion,
    read_table,
    seed_prices,
)
from aos.catalog.seed import TableRows, own_price
from aos.catalog.store import import_script
from aos.infra.postgres import Database
from aos.infra.postgres.migrate import migration_sql

NOW = datetime.now(UTC)  # noqa: TID251 - the database's clock runs; so does this test's
TOMORROW = NOW + timedelta(days=1)
LATER = NOW + timedelta(days=2)
ACME = {
    "name": "acme",
    "version": "1",
    "providers": [
        {
            "id": "acme",
            "models": [
                {
                    "id": "acme-1",
                    "match": {"starts_with": "acme-1"},
                    "prices": [
                        {"effective_to": "2026-01-01T00:00:00Z", "rates": {"input": "1"}},
                        {"effective_from": "2026-01-01", "rates": {"input": "2", "output": "4"}},
                    ],
                },
                {"id": "acme-2", "prices": [{"rates": {"input": "3"}}]},
            ],
        }
    ],
}


def acme(rates: dict[str, Any], version: str = "2") -> TableRows:
    """The table of Acme, in which acme-2 now costs this."""
    models = [*ACME["providers"][0]["models"][:1], {"id": "acme-2", "prices": [{"rates": rates}]}]  # type: ignore[index]
    return read_table({**ACME, "version": version, "providers": [{"id": "acme", "models": models}]})


def terms(usd: int, start: datetime | None = None, end: datetime | None = None) -> PriceTerms:
    return PriceTerms("acme", "acme-2", {"input": str(usd)}, (), start, end)


async def input_pico(
    database: Database, name: str, at: datetime, tenant_id: str | None = None
) -> int | None:
    catalog = Catalog(database)
    await catalog.refresh()
    price = catalog.book.find_pricing("acme", name, at, tenant_id)
    return price.rates[PriceUnit.INPUT].base if price else None


async def listed(prices: Prices, tenant_id: str, **wanted: Any) -> list[PriceVersion]:
    return await prices.list_prices(tenant_id, PriceFilter(limit=100, **wanted))


async def test_a_fresh_database_is_seeded_once(database_url: str, database: Database) -> None:
    assert await asyncio.to_thread(seed_prices, database_url)
    assert not await asyncio.to_thread(seed_prices, database_url)
    catalog = Catalog(database)
    await catalog.refresh()
    price = catalog.book.find_pricing("openai", "gpt-4o-mini", NOW)
    assert price is not None
    assert price.rates[PriceUnit.INPUT].base == 150_000


async def test_what_the_database_says_is_what_the_table_says(
    price_table: TableRows, database: Database
) -> None:
    await Prices(database).import_table(price_table)
    catalog = Catalog(database)
    await catalog.refresh()
    found = [
        (price.provider, price.model, price.effective_from.isoformat(), price.daily_window)
        for prices in catalog.book._table.values()
        for price in prices
    ]
    wanted = [
        (
            one["id"],
            row["model"],
            row["effective_from"],
            None if row["window_start"] is None else (row["window_start"], row["window_end"]),
        )
        for one in price_table.providers
        for row in one["prices"]
    ]
    assert sorted(found, key=str) == sorted(wanted, key=str)


async def test_the_script_says_the_same_as_the_import(
    price_table: TableRows, database_url: str, database: Database
) -> None:
    script = import_script(price_table)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(script)
    assert await Prices(database).import_table(price_table) == 0


async def test_a_host_that_only_runs_sql_has_all_prices(
    price_table: TableRows, postgres_url: str
) -> None:
    """What `aos migrate --sql` prints, on an empty database."""
    name = "only_sql"
    url = postgres_url.replace("/aos?", f"/{name}?")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(migration_sql().encode())
        connection.execute(import_script(price_table).encode())
    database = await Database(url).open()
    catalog = Catalog(database)
    await catalog.refresh()
    await database.close()
    assert len(catalog.book.models()) == price_table.models


async def test_an_import_twice_changes_nothing(database: Database) -> None:
    prices = Prices(database)
    assert await prices.import_table(read_table(ACME)) == 3
    assert await prices.import_table(read_table(ACME)) == 0


async def test_a_newer_table_leaves_the_past_as_it_was_billed(database: Database) -> None:
    prices = Prices(database)
    await prices.import_table(read_table(ACME))
    before = datetime.now(UTC)  # noqa: TID251
    assert await prices.import_table(acme({"input": "5"})) == 2
    assert await input_pico(database, "acme-2", before) == 3_000_000
    assert await input_pico(database, "acme-2", TOMORROW) == 5_000_000
    assert await input_pico(database, "acme-1", datetime(2025, 5, 5, tzinfo=UTC)) == 1_000_000
    assert await prices.import_table(acme({"input": "5"})) == 0


async def test_a_model_that_loses_its_price_becomes_unpriced(database: Database) -> None:
    prices = Prices(database)
    await prices.import_table(read_table(ACME))
    models = [{"id": "acme-2", "prices": []}]
    await prices.import_table(
        read_table({**ACME, "version": "2", "providers": [{"id": "acme", "models": models}]})
    )
    assert await input_pico(database, "acme-2", TOMORROW) is None
    assert await input_pico(database, "acme-1", TOMORROW) == 2_000_000


async def test_a_tenants_own_price(database: Database) -> None:
    prices = Prices(database)
    await prices.import_table(read_table(ACME))
    own = await prices.set_price(
        "ten_a", PriceTerms("acme", "acme-2", {"input": "0.5", "output": "1"})
    )
    assert own.tenant_id == "ten_a"
    assert await input_pico(database, "acme-2", TOMORROW, "ten_a") == 500_000
    assert await input_pico(database, "acme-2", TOMORROW, "ten_b") == 3_000_000
    assert own.id in [price.id for price in await listed(prices, "ten_a", provider="acme")]
    assert own.id not in [price.id for price in await listed(prices, "ten_b", provider="acme")]


async def test_the_same_own_price_again_is_the_same(database: Database) -> None:
    prices = Prices(database)
    first = await prices.set_price("ten_a", PriceTerms("acme", "acme-2", {"input": "0.5"}))
    again = await prices.set_price("ten_a", PriceTerms("ACME", "Acme-2", {"input": "0.50"}))
    assert first == again


async def test_own_prices_follow_each_other(database: Database) -> None:
    prices = Prices(database)
    await prices.set_price("ten_a", terms(1))
    await prices.set_price("ten_a", terms(3, LATER, None))
    await prices.set_price("ten_a", terms(2, TOMORROW, None))
    at = [TOMORROW - timedelta(hours=1), TOMORROW, LATER]
    found = [await input_pico(database, "acme-2", one, "ten_a") for one in at]
    assert found == [1_000_000, 2_000_000, 3_000_000]


async def test_overlap_is_refused(database: Database) -> None:
    prices = Prices(database)
    await prices.set_price("ten_a", terms(3, TOMORROW, None))
    with pytest.raises(PriceOverlap):
        await prices.set_price("ten_a", terms(1, None, LATER))


async def test_an_ended_price_gives_way(database: Database) -> None:
    prices = Prices(database)
    await prices.import_table(read_table(ACME))
    own = await prices.set_price("ten_a", terms(1))
    await prices.end_price("ten_a", own.id)
    await prices.end_price("ten_a", own.id)
    assert await input_pico(database, "acme-2", TOMORROW, "ten_a") == 3_000_000


async def test_a_price_set_in_a_transaction_that_fails_is_not_set(database: Database) -> None:
    prices = Prices(database)
    with pytest.raises(InvalidPrice):
        async with database.tenant("ten_a") as tx:
            await prices.set_current(tx, "ten_a", ("acme", "acme-1"), {"input": "1"})
            await prices.set_current(tx, "ten_a", ("acme", "acme-2"), {"input": "-1"})
    assert await listed(prices, "ten_a") == []


async def test_a_price_ends_in_the_transaction_of_another(database: Database) -> None:
    prices = Prices(database)
    other = await prices.set_price("ten_b", terms(1))
    async with database.tenant("ten_a") as tx:
        await prices.set_current(tx, "ten_a", ("acme", "acme-2"), {"input": "1"})
    async with database.tenant("ten_a") as tx:
        await prices.end_current(tx, "ten_a", ("ACME", "acme-2"), TOMORROW)
    assert await input_pico(database, "acme-2", TOMORROW, "ten_a") is None
    assert [price.id for price in await listed(prices, "ten_b")] == [other.id]


async def test_nobody_ends_the_price_of_another(database: Database) -> None:
    prices = Prices(database)
    await prices.import_table(read_table(ACME))
    own = await prices.set_price("ten_a", terms(1))
    [table_price] = await listed(prices, "ten_b", models=("acme-2",))
    for price_id in (own.id, table_price.id, "price_none"):
        with pytest.raises(PriceNotFound):
            await prices.end_price("ten_b", price_id)


async def test_the_operators_price_is_everybodys_and_outlives_an_import(database: Database) -> None:
    prices = Prices(database)
    await prices.import_table(read_table(ACME))
    await prices.set_price(None, terms(9))
    await prices.import_table(acme({"input": "5"}))
    assert await input_pico(database, "acme-2", TOMORROW, "ten_a") == 9_000_000


@pytest.mark.parametrize(
    "rates",
    [
        {},
        {"input": "-1"},
        {"input": "NaN"},
        {"input": None},
        {"input": True},
        {"input": "1e9"},
        {"apples": "1"},
        {"cache_read": "1"},
        {"input": "1", "cache_read": "1", "input_audio": "1"},
        {"input": {"base": "1", "tiers": [[10, "2"], [10, "3"]]}},
        {"input": {"base": "1", "tiers": [["10", "2"]]}},
    ],
)
def test_a_price_that_means_nothing_is_refused(rates: dict[str, Any]) -> None:
    with pytest.raises(InvalidPrice):
        own_price(PriceTerms("acme", "acme-2", rates))


async def test_pages_of_prices(database: Database) -> None:
    prices = Prices(database)
    await prices.import_table(read_table(ACME))
    seen: list[str] = []
    page = PriceFilter(limit=2)
    while found := await prices.list_prices("ten_a", page):
        seen += [price.id for price in found]
        last = found[-1]
        page = replace(page, after=(last.provider, last.model, last.id))
    assert len(seen) == len(set(seen)) == 3
    assert len(await listed(prices, "ten_a", at=NOW)) == 2


async def test_a_change_is_announced(database: Database) -> None:
    async def version() -> int:
        rows = await database.call("SELECT version FROM aos.changes WHERE topic = 'prices'", ())
        return int(rows[0]["version"])

    prices = Prices(database)
    await prices.import_table(read_table(ACME))
    versions = [await version()]
    own = await prices.set_price("ten_a", terms(1))
    versions.append(await version())
    await prices.end_price("ten_a", own.id)
    versions.append(await version())
    assert versions == sorted(set(versions))


# Round the application, with plain SQL as the role that every query runs as.


async def test_a_tenant_sees_no_other_tenants_price(database: Database) -> None:
    await Prices(database).set_price("ten_a", terms(1))
    async with database.tenant("ten_b") as tx:
        cursor = await tx.execute("SELECT * FROM aos.prices")
        assert await cursor.fetchall() == []


FOREIGN = '{"tenant_id": "ten_b", "provider": "acme", "model": "m", "rates": {}, "variants": []}'


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO aos.prices (id, provider, model) VALUES ('x', 'acme', 'm')",
        "UPDATE aos.prices SET effective_to = now()",
        "DELETE FROM aos.prices",
        "SELECT aos.all_prices()",
        "SELECT aos.import_prices('x', '1', '[]')",
        f"SELECT aos.put_price('{FOREIGN}')",
    ],
)
async def test_a_tenant_writes_no_price_but_its_own(database: Database, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with database.tenant("ten_a") as tx:
            await tx.execute(statement)


ROW = {"effective_from": "2026-01-01", "rates": {"input": 1}, "variants": []}


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"rates": {"input": -1}}, psycopg.errors.CheckViolation),
        ({"rates": {"input": 1.5}}, psycopg.errors.CheckViolation),
        ({"rates": {"input": {"base": 1, "tiers": [[10, -2]]}}}, psycopg.errors.CheckViolation),
        ({"variants": [["speed", "fast", {"input": 0.5}]]}, psycopg.errors.CheckViolation),
        ({"rates": [1]}, psycopg.errors.CheckViolation),
        ({"effective_to": "2025-01-01"}, psycopg.errors.CheckViolation),
        ({"rates": None}, psycopg.errors.NotNullViolation),
    ],
)
async def test_the_database_refuses_what_cannot_be_billed(
    database: Database, document: dict[str, Any], error: type[Exception]
) -> None:
    price = {"provider": "acme", "model": "acme-2", **ROW, **document}
    with pytest.raises(error):
        async with database.system() as tx:
            await tx.execute("SELECT aos.put_price(%s::jsonb)", (psycopg.types.json.Json(price),))


async def test_the_database_refuses_overlap_and_rewriting(database_url: str) -> None:
    insert = (
        "INSERT INTO aos.prices (id, provider, model, source, effective_from, effective_to,"
        " window_start, window_end, rates) VALUES (%s, 'acme', 'm', 's', %s, %s, %s, %s, '{}')"
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET ROLE aos_owner")
        connection.execute(insert, ("a", "2026-01-01", "2026-02-01", None, None))
        connection.execute(insert, ("b", "2026-02-01", None, None, None))
        connection.execute(insert, ("c", "2026-01-01", None, 0, 3_600))
        with pytest.raises(psycopg.errors.ExclusionViolation):
            connection.execute(insert, ("d", "2026-01-31", "2026-02-02", None, None))
        with pytest.raises(psycopg.errors.ExclusionViolation):
            connection.execute(insert, ("e", "2026-03-01", None, 3_599, 7_200))
        with pytest.raises(psycopg.errors.IntegrityError):
            connection.execute("UPDATE aos.prices SET rates = '{\"input\": 1}' WHERE id = 'a'")


def test_the_documented_table_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "prices.md").read_text()
    table = read_table(json.loads(page.split("```json")[1].split("```")[0]))
    assert (table.name, table.models, table.prices) == ("acme", 1, 1)
