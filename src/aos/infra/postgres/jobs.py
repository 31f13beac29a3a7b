"""What has to be done to a database now and then, by every process that serves from it."""

import asyncio
from typing import NoReturn

import structlog

from aos.infra.errors import DatabaseUnavailable
from aos.infra.limits import (
    HOUSEKEEPING_RETRY_SECONDS,
    HOUSEKEEPING_SECONDS,
    PARTITION_MONTHS_AHEAD,
)
from aos.infra.postgres.pool import Database
from aos.infra.postgres.server import PrivateServer

_log = structlog.get_logger(__name__)


class Housekeeper:
    """Makes partitions ahead of time; keeps the private server alive and its log short."""

    def __init__(self, database: Database, server: PrivateServer | None = None) -> None:
        self._database = database
        self._server = server

    async def run(self) -> None:
        """Until it is cancelled."""
        async with asyncio.TaskGroup() as jobs:
            jobs.create_task(self._keep_ahead())
            if self._server is not None:
                jobs.create_task(self._server.watch())

    async def _keep_ahead(self) -> NoReturn:
        while True:
            try:
                await self._tidy()
            except DatabaseUnavailable as error:
                _log.warning("housekeeping_delayed", error=error.message)
                await asyncio.sleep(HOUSEKEEPING_RETRY_SECONDS)
            else:
                await asyncio.sleep(HOUSEKEEPING_SECONDS)

    async def _tidy(self) -> None:
        rows = await self._database.call(
            "SELECT aos.ensure_every_partition(%s) AS made", (PARTITION_MONTHS_AHEAD,)
        )
        if rows[0]["made"]:
            _log.info("partitions_made", count=rows[0]["made"])
        if self._server is not None:
            await asyncio.to_thread(self._server.trim_log)
