"""One pool for everything. Only this file opens transactions' doors; an edge decides when.

Ordinary access runs as the role `aos_app` with a transaction-local tenant, so row security holds
even where a query forgets its WHERE. Mixed-tenant batches go through SECURITY DEFINER procedures.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, LiteralString, Self

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from aos.infra.errors import DatabaseUnavailable
from aos.infra.limits import (
    DATABASE_ACQUIRE_SECONDS_MAX,
    DATABASE_CONNECT_SECONDS_MAX,
    DATABASE_CONNECTIONS_MAX,
)

Transaction = AsyncConnection[DictRow]
"""An open transaction. Whoever takes one never commits it."""


class Database:
    """The pool. `url` may point at a transaction-mode pooler when `pooler` is true."""

    def __init__(
        self, url: str, *, pooler: bool = False, connections_max: int = DATABASE_CONNECTIONS_MAX
    ) -> None:
        self.url = url
        self._pool: AsyncConnectionPool[AsyncConnection[DictRow]] = AsyncConnectionPool(
            url,
            min_size=2,
            max_size=connections_max,
            timeout=DATABASE_ACQUIRE_SECONDS_MAX,
            open=False,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "prepare_threshold": None if pooler else 2,
                "connect_timeout": DATABASE_CONNECT_SECONDS_MAX,
                "application_name": "aos",
            },
        )

    async def open(self) -> Self:
        await self._pool.open()
        return self

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def tenant(self, tenant_id: str) -> AsyncIterator[Transaction]:
        """A transaction that sees only this tenant's rows. Raises DatabaseUnavailable."""
        async with self._transaction() as tx:
            await tx.execute("SET LOCAL ROLE aos_app")
            await tx.execute("SELECT set_config('aos.tenant', %s, true)", (tenant_id,))
            yield tx

    @asynccontextmanager
    async def system(self) -> AsyncIterator[Transaction]:
        """A transaction without a tenant: it sees no tenant's rows and may call procedures."""
        async with self._transaction() as tx:
            await tx.execute("SET LOCAL ROLE aos_app")
            yield tx

    async def call(self, statement: LiteralString, parameters: tuple[Any, ...]) -> list[DictRow]:
        """One procedure call as its own transaction, in one round trip. The hot path's door."""
        async with self._connection() as connection:
            cursor = await connection.execute(statement, parameters)
            return await cursor.fetchall()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Transaction]:
        async with (
            self._connection() as connection,
            connection.pipeline(),
            connection.transaction(),
        ):
            yield connection

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Transaction]:
        try:
            async with self._pool.connection() as connection:
                yield connection
        except PoolTimeout as error:
            raise DatabaseUnavailable("the database did not answer in time") from error
        except psycopg.OperationalError as error:
            if isinstance(error, psycopg.errors.QueryCanceled | psycopg.errors.LockNotAvailable):
                raise
            if error.sqlstate is not None and not error.sqlstate.startswith(("08", "57")):
                raise
            raise DatabaseUnavailable("the database is away") from error
