"""The SQL of models and prices. Writes go through procedures that guard the past."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString, TypeVar

import orjson
import psycopg
from psycopg.rows import DictRow
from psycopg.types.json import Json, set_json_loads

from aos.catalog.book.model import Contents
from aos.catalog.errors import PriceOverlap
from aos.catalog.limits import ROWS_AT_A_TIME, TABLE_SECONDS_MAX
from aos.catalog.model import Clause, Model, PriceUnit, PriceVersion, Provider, Rate
from aos.catalog.seed import TableRows
from aos.infra.postgres import Database, Transaction

Row = TypeVar("Row")

_UNITS: Final = {str(unit): unit for unit in PriceUnit}

_IMPORT: Final = "SELECT aos.import_prices(%s, %s, %s::jsonb) AS changed"


@dataclass(frozen=True, slots=True)
class PriceFilter:
    """Which prices to list; None = all.

    `after` is (provider, model, id) of the last price on the page before.
    """

    limit: int
    provider: str | None = None
    models: tuple[str, ...] | None = None
    at: datetime | None = None
    after: tuple[str, str, str] | None = None


async def table_version(database: Database, name: str) -> str | None:
    """The version of a price table as it was last taken in."""
    rows = await database.call("SELECT version FROM aos.price_tables WHERE name = %s", (name,))
    return str(rows[0]["version"]) if rows else None


async def import_table(tx: Transaction, table: TableRows) -> int:
    """Take in a price table; returns how many prices began or ended."""
    cursor = await tx.execute(_IMPORT, (table.name, table.version, Json(table.providers, dumps)))
    row = await cursor.fetchone()
    return int(row["changed"]) if row else 0


def import_table_now(url: str, table: TableRows) -> int:
    """The same on a connection of its own, for `aos migrate` and for the start of a process."""
    with psycopg.connect(url, connect_timeout=5) as connection, connection.transaction():
        connection.execute("SET LOCAL ROLE aos_app")
        row = connection.execute(
            _IMPORT, (table.name, table.version, Json(table.providers, dumps))
        ).fetchone()
        return int(row[0]) if row else 0


def stored_table_version(url: str, name: str) -> str | None:
    """`table_version` on a connection of its own."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute(
            "SELECT version FROM aos.price_tables WHERE name = %s", (name,)
        ).fetchone()
        return str(row[0]) if row else None


def import_script(table: TableRows) -> str:
    """The import as SQL text, a statement a provider, for hosts where only SQL can be run."""
    statements = [
        "SELECT aos.import_prices("
        f"{_literal(table.name)}, {_literal(table.version)}, {_literal(dumps([provider]))}::jsonb);"
        for provider in table.providers
    ]
    return "\n".join(["BEGIN;", "SET LOCAL ROLE aos_app;", *statements, "COMMIT;", ""])


async def load(database: Database) -> Contents:
    """Everything a price book is made of, every tenant's prices included."""
    async with database.system(seconds_max=TABLE_SECONDS_MAX) as tx:
        cursor = await tx.execute(
            "SELECT id, name, match, model_match, fallbacks FROM aos.catalog_providers"
            " ORDER BY position, id"
        )
        providers = [_provider(row) for row in await cursor.fetchall()]
        models = await _read_all(
            tx,
            "SELECT provider, id, name, context_window, output_tokens_max, match"
            " FROM aos.catalog_models ORDER BY provider, position, id",
            _model,
        )
        prices = await _read_all(
            tx, "SELECT * FROM aos.all_prices() ORDER BY effective_from", price_of
        )
        return Contents(providers, models, prices)


async def _read_all(
    tx: Transaction, statement: LiteralString, read: Callable[[DictRow], Row]
) -> list[Row]:
    """Thousands of rows, a few at a time, so that calls under way need not stand still."""
    cursor = tx.cursor()
    set_json_loads(orjson.loads, cursor)
    await cursor.execute(statement)
    found: list[Row] = []
    while rows := await cursor.fetchmany(ROWS_AT_A_TIME):
        found += [read(row) for row in rows]
        await asyncio.sleep(0)
    return found


async def put_price(tx: Transaction, price: Mapping[str, Any]) -> str:
    """Set an own price of the transaction's tenant; returns its id. Raises PriceOverlap."""
    try:
        cursor = await tx.execute("SELECT aos.put_price(%s::jsonb) AS id", (Json(price, dumps),))
        row = await cursor.fetchone()
    except psycopg.errors.ExclusionViolation:
        raise PriceOverlap(
            f"{price['provider']}/{price['model']} has an own price during a part of that time; "
            "end it first, or begin where it ends"
        ) from None
    assert row is not None
    return str(row["id"])


async def end_price(tx: Transaction, price_id: str) -> bool:
    """End an own price of the transaction's tenant; False when it has none of this id."""
    cursor = await tx.execute("SELECT aos.end_price(%s) AS ended", (price_id,))
    row = await cursor.fetchone()
    return bool(row and row["ended"])


async def read_price(tx: Transaction, price_id: str) -> PriceVersion | None:
    """One price that the transaction's tenant may see."""
    cursor = await tx.execute("SELECT * FROM aos.prices WHERE id = %s", (price_id,))
    row = await cursor.fetchone()
    return price_of(row) if row else None


async def list_prices(tx: Transaction, wanted: PriceFilter) -> list[PriceVersion]:
    """Prices that the transaction's tenant may see, by provider, model and id."""
    after = wanted.after or (None, None, None)
    cursor = await tx.execute(
        """
        SELECT * FROM aos.prices
        WHERE (%(provider)s::text IS NULL OR provider = %(provider)s)
          AND (%(models)s::text[] IS NULL OR model = ANY (%(models)s))
          AND (%(at)s::timestamptz IS NULL OR (effective_from <= %(at)s
               AND (effective_to IS NULL OR effective_to > %(at)s)))
          AND (%(after_id)s::text IS NULL
               OR (provider, model, id) > (%(after_provider)s, %(after_model)s, %(after_id)s))
        ORDER BY provider, model, id LIMIT %(limit)s
        """,
        {
            "provider": wanted.provider,
            "models": None if wanted.models is None else list(wanted.models),
            "at": wanted.at,
            "after_provider": after[0],
            "after_model": after[1],
            "after_id": after[2],
            "limit": wanted.limit,
        },
    )
    return [price_of(row) for row in await cursor.fetchall()]


def dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def _literal(text: str) -> str:
    """Text as an SQL literal, whatever `standard_conforming_strings` says of backslashes."""
    quoted = text.replace("'", "''")
    return f" E'{quoted.replace(chr(92), chr(92) * 2)}'" if chr(92) in text else f"'{quoted}'"


def _provider(row: DictRow) -> Provider:
    return Provider(
        row["id"], row["name"], row["match"], row["model_match"], tuple(row["fallbacks"])
    )


def _model(row: DictRow) -> tuple[Model, Clause]:
    model = Model(
        row["provider"], row["id"], row["name"], row["context_window"], row["output_tokens_max"]
    )
    return model, row["match"]


def price_of(row: DictRow) -> PriceVersion:
    """A row of `aos.prices`."""
    start, end = row["window_start"], row["window_end"]
    return PriceVersion(
        id=row["id"],
        provider=row["provider"],
        model=row["model"],
        source=row["source"],
        rates=_rates(row["rates"]),
        effective_from=row["effective_from"],
        effective_to=row["effective_to"],
        variants={(key, value): _rates(rates) for key, value, rates in row["variants"]},
        surcharges={(key, value): percent for key, value, percent in row["surcharges"]},
        tenant_id=row["tenant_id"],
        daily_window=None if start is None else (start, end),
        own=row["own"],
        unmetered=tuple(row["unmetered"]),
    )


def _rates(document: Mapping[str, Any]) -> dict[PriceUnit, Rate]:
    return {
        _UNITS[unit]: Rate(rate)
        if isinstance(rate, int)
        else Rate(rate["base"], tuple((above, pico) for above, pico in rate["tiers"]))
        for unit, rate in document.items()
    }
