"""The lease of a process: while it beats, nobody else ends this process's holds."""

import asyncio
import os
import socket

import structlog

from aos.infra.errors import DatabaseUnavailable
from aos.infra.postgres import Database
from aos.infra.settings import LeaseSettings
from aos.kit import ids
from aos.kit.clock import Clock, SystemClock
from aos.ledger import store

_log = structlog.get_logger(__name__)


class Lease:
    """Start it before the first hold; stop it after the last settlement."""

    def __init__(
        self, database: Database, settings: LeaseSettings, clock: Clock | None = None
    ) -> None:
        self.process_id = ids.new("proc")
        self._database = database
        self._settings = settings
        self._clock = clock or SystemClock()
        self._alive_since: float | None = None
        self._beaten_at = 0.0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Register the process. Raises DatabaseUnavailable."""
        assert self._task is None, "started twice"
        await self._beat()
        self._task = asyncio.create_task(self._run(), name="lease")

    async def stop(self) -> None:
        """Give the lease back; what is still held is ended by whoever reaps next."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        self._alive_since = None
        try:
            await store.unregister(self._database, self.process_id)
        except DatabaseUnavailable as error:
            _log.warning("lease_not_returned", reason=error.message)

    @property
    def alive_seconds(self) -> float:
        """For how long the beats have come without a gap: whoever was cut off from the database,
        or stood still, starts at zero and must not judge others.
        """
        now = self._clock.monotonic()
        if self._alive_since is None or now - self._beaten_at > self._gap_seconds_max:
            return 0.0
        return now - self._alive_since

    @property
    def _gap_seconds_max(self) -> float:
        return 2 * self._settings.beat_seconds

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._settings.beat_seconds)
            try:
                await self._beat()
            except DatabaseUnavailable as error:
                self._alive_since = None
                _log.warning("lease_not_beaten", reason=error.message)

    async def _beat(self) -> None:
        await store.beat(self._database, self.process_id, socket.gethostname(), os.getpid())
        now = self._clock.monotonic()
        if self._alive_since is None or now - self._beaten_at > self._gap_seconds_max:
            self._alive_since = now
        self._beaten_at = now
