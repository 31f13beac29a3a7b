"""A connection that never hangs and never comes back poisoned.

psycopg waits for an answer for as long as the server stays silent, and a cancelled task asks the
server to cancel and waits on (up to ten seconds). Here every wait has an end, and whoever stops
waiting closes the connection: the pool replaces it, and no later caller reads this one's answer.
"""

import asyncio
import select
from typing import LiteralString, Self, TypeVar

from psycopg import AsyncConnection, errors
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow
from psycopg.waiting import wait_async

from aos.infra.limits import (
    DATABASE_ANSWER_MARGIN_SECONDS,
    DATABASE_IDLE_IN_TRANSACTION_SECONDS_MAX,
    DATABASE_LOCK_SECONDS_MAX,
    DATABASE_STATEMENT_SECONDS_MAX,
)

Answer = TypeVar("Answer")

_milliseconds = {
    "lock_timeout": DATABASE_LOCK_SECONDS_MAX * 1000,
    "statement_timeout": DATABASE_STATEMENT_SECONDS_MAX * 1000,
    "idle_in_transaction_session_timeout": DATABASE_IDLE_IN_TRANSACTION_SECONDS_MAX * 1000,
}
SESSION: LiteralString = "SET ROLE aos_app; SET client_connection_check_interval = 1000"
"""Once a connection: ordinary access is never the owner's, and work for a caller who has left
stops. The time limits are set beside it."""

LOCAL: LiteralString = "SET LOCAL ROLE aos_app"
"""In each transaction, where a transaction-mode pooler hands us another session each time."""


class Connection(AsyncConnection[DictRow]):
    """`statement_seconds_max` bounds each statement; the server is told the same limit."""

    statement_seconds_max: float = DATABASE_STATEMENT_SECONDS_MAX

    async def wait(
        self,
        gen: PQGen[Answer],
        interval: float = 0.1,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's signature
    ) -> Answer:
        if timeout is None:
            # The server's own limit comes first and keeps the connection; this one is for a
            # server, or a network, that no longer answers at all.
            timeout = self.statement_seconds_max + DATABASE_ANSWER_MARGIN_SECONDS
        try:
            return await wait_async(gen, self.pgconn.socket, interval=interval, timeout=timeout)
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit, errors._WaitTimeout):  # noqa: SLF001 - psycopg's name for it
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise

    async def prepare(self) -> None:
        """Give a fresh session its role and its limits. Not through a transaction-mode pooler."""
        limits = "".join(f"; SET {name} = {value}" for name, value in _milliseconds.items())
        await self.execute(SESSION + limits)

    def hung_up(self) -> bool:
        """Whether the server has closed an idle connection. Costs one system call, no round trip.

        An idle connection has nothing to read but the news of its end.
        """
        if self.closed:
            return True
        poll = select.poll()
        poll.register(self.pgconn.socket, select.POLLIN)
        return bool(poll.poll(0))

    def begin(self, tenant_id: str | None, *, pooled: bool, seconds_max: float) -> str:
        """The statement that opens a transaction, in one round trip."""
        parts = ["BEGIN"]
        if pooled:
            parts.append(LOCAL)
            parts += [f"SET LOCAL {name} = {value}" for name, value in _milliseconds.items()]
        if tenant_id is not None:
            # Doubled quotes are all that escapes a literal: the protocol allows no NUL.
            parts.append(f"""SET LOCAL aos.tenant = '{tenant_id.replace("'", "''")}'""")
        if seconds_max != DATABASE_STATEMENT_SECONDS_MAX:
            parts.append(f"SET LOCAL statement_timeout = {int(seconds_max * 1000)}")
        self.statement_seconds_max = seconds_max
        return "; ".join(parts)

    def rest(self) -> Self:
        """Back to the ordinary limit, before the pool takes it back."""
        self.statement_seconds_max = DATABASE_STATEMENT_SECONDS_MAX
        return self
