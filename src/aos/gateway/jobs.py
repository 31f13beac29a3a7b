"""Background work of the data path: calls of dead processes, holds in doubt."""

import asyncio

import structlog

from aos.gateway.limits import EXPIRY_PAUSE_SECONDS
from aos.gateway.settlement.rules import lost_rows
from aos.infra.postgres import Database
from aos.infra.settings import LeaseSettings
from aos.kit.errors import Unavailable
from aos.ledger import Lease, Ledger
from aos.usage import record

log = structlog.get_logger("aos.gateway.reaper")


class Reaper:
    """Puts the calls of dead processes on the books, at their bound.

    Acts only after its own connection has been alive for as long as it takes to call another
    process dead: whoever was cut off from the database must not judge those who were not.
    """

    def __init__(
        self, database: Database, ledger: Ledger, lease: Lease, settings: LeaseSettings
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._lease = lease
        self._dead_after_seconds = settings.dead_after_seconds

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._ledger.repair()
                while await self.expire_once():
                    pass
            except Unavailable as error:
                log.warning("reaper_waits", reason=error.message)
            except Exception:
                # The edge of a job: what cannot be read of one hold must not end it for all.
                log.exception("reaper_failed")
            await asyncio.sleep(min(EXPIRY_PAUSE_SECONDS, self._dead_after_seconds))

    async def expire_once(self) -> int:
        """One batch; returns how many calls were found lost. Raises Unavailable."""
        if self._lease.alive_seconds < self._dead_after_seconds:
            return 0
        async with self._database.system() as tx:
            dead = await self._ledger.expire(tx, self._dead_after_seconds)
            rows = [lost_rows(hold) for hold in dead]
            if rows:
                await record(tx, [call for call, _ in rows], [attempt for _, attempt in rows])
        if dead:
            log.warning("calls_lost", count=len(dead), calls=[hold.call_id for hold in dead])
        return len(dead)
