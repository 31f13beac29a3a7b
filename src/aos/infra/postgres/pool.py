"""One pool for everything. Only this file opens transactions' doors; an edge decides when.

Ordinary access runs as the role `aos_app` with a transaction-local tenant, so row security holds
even where a query forgets its WHERE. Mixed-tenant batches go through SECURITY DEFINER procedures.

While the database is away every acquire fails with DatabaseUnavailable within
DATABASE_ACQUIRE_SECONDS_MAX; connections are tried again all the time, so that the first call
after its return is served.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, LiteralString, Self

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from aos.infra.errors import DatabaseBusy, DatabaseUnavailable
from aos.infra.limits import (
    DATABASE_ACQUIRE_SECONDS_MAX,
    DATABASE_CONNECT_SECONDS_MAX,
    DATABASE_CONNECTIONS_MAX,
    DATABASE_OPEN_SECONDS_MAX,
    DATABASE_RECONNECT_SECONDS,
    DATABASE_STATEMENT_SECONDS_MAX,
)
from aos.infra.postgres.connection import Connection

Transaction = AsyncConnection[DictRow]
"""An open transaction. Whoever takes one never commits it."""

_IN_TRANSACTION = {TransactionStatus.INTRANS, TransactionStatus.INERROR}

_LOST = psycopg.OperationalError
"""What psycopg itself raises, without a SQLSTATE, for a connection that is no more."""

_BUSY = ("40", "55P03", "57014", "25P03")
"""SQLSTATEs of a statement that was given up: aborted, or it waited, took or idled too long."""

_AWAY = ("08", "53", "57")
"""SQLSTATEs of a server that cannot serve: not connected, no room, stopped."""


class Database:
    """The pool. `url` may point at a transaction-mode pooler when `pooler` is true."""

    def __init__(
        self, url: str, *, pooler: bool = False, connections_max: int = DATABASE_CONNECTIONS_MAX
    ) -> None:
        self.url = url
        self._pooled = pooler
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            connection_class=Connection,
            min_size=2,
            max_size=connections_max,
            timeout=DATABASE_ACQUIRE_SECONDS_MAX,
            # The pool's own retries double their pause up to minutes. Ours: try for a moment, drop
            # the place, and let the pool grow again at once, for as long as it takes.
            reconnect_timeout=DATABASE_RECONNECT_SECONDS,
            reconnect_failed=AsyncConnectionPool.check,
            configure=None if pooler else Connection.prepare,
            open=False,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "prepare_threshold": None if pooler else 2,
                "connect_timeout": DATABASE_CONNECT_SECONDS_MAX,
                "application_name": "aos",
            },
        )

    async def open(self, *, wait: bool = True) -> Self:
        """Raises DatabaseUnavailable when there is no database to connect to.

        Without `wait` that is told by the first call that needs one.
        """
        try:
            await self._pool.open(wait=wait, timeout=DATABASE_OPEN_SECONDS_MAX)
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable("the database did not take a connection") from error
        return self

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def tenant(
        self, tenant_id: str, *, seconds_max: float = DATABASE_STATEMENT_SECONDS_MAX
    ) -> AsyncIterator[Transaction]:
        """A transaction that sees only this tenant's rows. Raises DatabaseUnavailable.

        `seconds_max` bounds each statement. Cancelled during its commit, its outcome is unknown.
        """
        async with self._connection() as connection:
            await connection.execute(
                connection.begin(tenant_id, pooled=self._pooled, seconds_max=seconds_max)
            )
            yield connection
            await _commit(connection)

    @asynccontextmanager
    async def system(
        self, *, seconds_max: float = DATABASE_STATEMENT_SECONDS_MAX
    ) -> AsyncIterator[Transaction]:
        """A transaction without a tenant: it sees no tenant's rows and may call procedures."""
        async with self._connection() as connection:
            await connection.execute(
                connection.begin(None, pooled=self._pooled, seconds_max=seconds_max)
            )
            yield connection
            await _commit(connection)

    async def call(self, statement: LiteralString, parameters: tuple[Any, ...]) -> list[DictRow]:
        """One procedure call as its own transaction, in one round trip. The hot path's door."""
        async with self._connection() as connection:
            if not self._pooled:
                cursor = await connection.execute(statement, parameters)
                return await cursor.fetchall()
            begin = connection.begin(
                None, pooled=True, seconds_max=DATABASE_STATEMENT_SECONDS_MAX
            ).split("; ")
            async with connection.pipeline():
                for part in begin:
                    await connection.execute(part)
                cursor = await connection.execute(statement, parameters)
                await connection.execute("COMMIT")
            return await cursor.fetchall()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            connection = await self._live_connection()
            try:
                yield connection
            finally:
                await self._give_back(connection)
        except PoolTimeout as error:
            raise DatabaseUnavailable("the database did not answer in time") from error
        except psycopg.Error as error:
            state = error.sqlstate or ""
            if state.startswith(_BUSY):
                raise DatabaseBusy(f"the database gave this up: {error}") from error
            if state.startswith(_AWAY) or (not state and isinstance(error, _LOST)):
                raise DatabaseUnavailable(f"the database is away: {error}") from error
            raise

    async def _live_connection(self) -> Connection:
        """After a restart of the server each idle connection is dead: those are passed over."""
        deadline = monotonic() + DATABASE_ACQUIRE_SECONDS_MAX
        while True:
            connection = await self._pool.getconn(timeout=deadline - monotonic())
            if not connection.hung_up():
                return connection
            await connection.close()
            await self._pool.putconn(connection)

    async def _give_back(self, connection: Connection) -> None:
        """Without a transaction: what did not commit is rolled back."""
        try:
            if connection.pgconn.transaction_status in _IN_TRANSACTION:
                await connection.execute("ROLLBACK")
        finally:
            await self._pool.putconn(connection.rest())


async def _commit(connection: Connection) -> None:
    cursor = await connection.execute("COMMIT")
    if cursor.statusmessage != "COMMIT":
        # PostgreSQL answers so when a statement had failed and somebody caught its error.
        raise psycopg.errors.InFailedSqlTransaction(
            "a statement of this transaction failed, so nothing was written"
        )
