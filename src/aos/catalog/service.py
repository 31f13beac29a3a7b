"""The verbs of the catalogue: load, seed, set, end, list, import."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

import structlog

from aos.catalog import store
from aos.catalog.book import PriceBook
from aos.catalog.book.model import Contents
from aos.catalog.errors import InvalidPrice, PriceNotFound
from aos.catalog.limits import PAGE_PRICES_MAX, TABLE_SECONDS_MAX
from aos.catalog.model import PriceTerms, PriceVersion
from aos.catalog.seed import (
    SEED_NAME,
    TableRows,
    installed_seed_version,
    is_newer,
    own_price,
    seed_table_in_child,
)
from aos.infra.postgres import Database, Transaction

_log = structlog.get_logger(__name__)


class Catalog:
    """Keeps the price book of this process fresh.

    `book` is a snapshot: take it once a call. Subscribe `refresh` to the topic `prices`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._book = PriceBook(Contents())

    @property
    def book(self) -> PriceBook:
        return self._book

    async def refresh(self) -> None:
        """Load the book anew. Raises DatabaseUnavailable; the old one then stays."""
        self._book = PriceBook(await store.load(self._database))


class Prices:
    """Own prices and price tables, for the control plane. Every verb announces what it changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set_price(self, tenant_id: str | None, terms: PriceTerms) -> PriceVersion:
        """Set an own price; None = the operator's, for every tenant without its own.

        The one in force ends where it begins; the same again changes nothing.
        Raises InvalidPrice, PriceOverlap.
        """
        async with self._transaction(tenant_id) as tx:
            return await self.put(tx, tenant_id, terms)

    async def put(self, tx: Transaction, tenant_id: str | None, terms: PriceTerms) -> PriceVersion:
        """`set_price` in the caller's transaction."""
        identifier = await store.put_price(tx, {**own_price(terms), "tenant_id": tenant_id})
        price = await store.read_price(tx, identifier)
        assert price is not None, "it has just been put"
        return price

    async def set_current(
        self, tx: Transaction, tenant_id: str, name: tuple[str, str], rates: Mapping[str, Any]
    ) -> PriceVersion:
        """`put` from now on for (provider, model)."""
        return await self.put(tx, tenant_id, PriceTerms(*name, rates))

    async def end_current(
        self, tx: Transaction, tenant_id: str, name: tuple[str, str], at: datetime
    ) -> None:
        """End the tenant's own price in force for (provider, model), in the caller's transaction.

        Where there is none, nothing happens.
        """
        provider, model = name
        wanted = store.PriceFilter(PAGE_PRICES_MAX, provider.lower(), (model.lower(),), at)
        for price in await store.list_prices(tx, wanted):
            if price.own and price.tenant_id == tenant_id:
                await store.end_price(tx, price.id)

    async def end_price(self, tenant_id: str | None, price_id: str) -> None:
        """End an own price now. What is already ended stays so. Raises PriceNotFound."""
        async with self._transaction(tenant_id) as tx:
            await self.end(tx, price_id)

    async def end(self, tx: Transaction, price_id: str) -> None:
        """`end_price` in the caller's transaction."""
        if not await store.end_price(tx, price_id):
            raise PriceNotFound(f"no own price {price_id}", id=price_id)

    async def list_prices(self, tenant_id: str, wanted: store.PriceFilter) -> list[PriceVersion]:
        """The table's prices and this tenant's own, by provider, model and id."""
        if not 0 < wanted.limit <= PAGE_PRICES_MAX:
            raise InvalidPrice(f"limit is 1 to {PAGE_PRICES_MAX}")
        async with self._database.tenant(tenant_id) as tx:
            return await store.list_prices(tx, wanted)

    async def import_table(self, table: TableRows) -> int:
        """Take in a price table for everybody; the past stays as it was billed.

        Returns how many prices began or ended. Repeating it changes nothing.
        """
        async with self._database.system(seconds_max=TABLE_SECONDS_MAX) as tx:
            return await store.import_table(tx, table)

    def _transaction(self, tenant_id: str | None) -> AbstractAsyncContextManager[Transaction]:
        return self._database.system() if tenant_id is None else self._database.tenant(tenant_id)


def seed_prices(url: str) -> bool:
    """Take in the installed package's prices when they are newer than what is stored.

    For `aos migrate` and the start of a process; a warm start costs one small query. True when
    there was something to do.
    """
    offered = installed_seed_version()
    if not is_newer(offered, store.stored_table_version(url, SEED_NAME)):
        return False
    table = seed_table_in_child()
    changed = store.import_table_now(url, table)
    _log.info("prices_seeded", version=offered, models=table.models, changed=changed)
    return True


def seed_sql() -> str:
    """The installed package's prices as one SQL script, to follow the revisions' script."""
    return store.import_script(seed_table_in_child())
