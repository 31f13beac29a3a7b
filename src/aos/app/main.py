"""`aos serve`: opens the house, tells where it is, and closes it cleanly."""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from socket import socket
from typing import Final

import uvloop

from aos.app.control import control_of
from aos.app.ports import ports_of_core
from aos.app.rules import banner
from aos.app.service import House, open_house
from aos.catalog import seed_prices
from aos.identity import AdminKey, ensure_admin_key
from aos.infra.door import Door, open_sockets
from aos.infra.postgres import HomeLock, Housekeeper, PrivateServer
from aos.infra.postgres.migrate import migrate
from aos.infra.settings import Settings
from aos.infra.telemetry import configure_logging
from aos.infra.wiring import require_real
from aos.kit.clock import SystemClock

GARBAGE_THRESHOLDS: Final = (20_000, 20, 50)
"""Allocations before a young collection; young ones before a middle one; middle ones before a full
one."""


def serve(settings: Settings) -> None:
    """Serve until a signal says stop.

    Raises AddressInUse, HomeInUse, HomeUnusable, PrivateServerFailed, DatabaseUnavailable, and in
    production StubsInProduction.
    """
    configure_logging(settings.server.log_level, settings.server.log_format)
    with ExitStack() as stack:
        # The home first: whoever finds it taken hears by whom, not that its port is.
        lock = _home(settings, stack)
        sockets = open_sockets(settings.server.host, settings.server.port)
        if lock is not None:
            lock.announce(f"http://{settings.server.host}:{sockets[0].getsockname()[1]}")
        url, server = _database(settings, stack)
        direct = _direct_url(settings) or url
        migrate(direct)
        seed_prices(direct)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, url, server, sockets))


async def _serve(
    settings: Settings, database_url: str, server: PrivateServer | None, sockets: list[socket]
) -> None:
    async with (
        open_house(settings, database_url, control_of) as house,
        _kept(Housekeeper(house.core.database, server)),
    ):
        if settings.server.environment == "production":
            require_real(ports_of_core(house.core))
        configured = settings.server.admin_key
        key = await ensure_admin_key(
            house.core.database,
            settings.server.home_path,
            configured.get_secret_value() if configured else None,
        )
        _settle_memory()
        await Door(house.asgi, on_open=_teller(house, settings, key, sockets)).serve(sockets)


def _settle_memory() -> None:
    """What stands now stays: the price book and the modules need not be walked again and again.

    With Python's own thresholds, a fifth of the process's time went into looking for garbage among
    them; calls themselves leave little that reference counting does not free at once.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def _teller(
    house: House, settings: Settings, key: AdminKey, sockets: list[socket]
) -> Callable[[], None]:
    port = sockets[0].getsockname()[1]

    def tell() -> None:
        sys.stdout.write(banner(settings, port, key, house.core.registry))
        sys.stdout.flush()

    return tell


@asynccontextmanager
async def _kept(housekeeper: Housekeeper) -> AsyncIterator[None]:
    """The database looked after for as long as the block."""
    keeping = asyncio.create_task(housekeeper.run(), name="housekeeper")
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


def _home(settings: Settings, stack: ExitStack) -> HomeLock | None:
    """The only one to serve from this AOS_HOME, where its private server is used."""
    if settings.database.url is not None:
        return None
    lock = HomeLock(settings.server.home_path).acquire(SystemClock().now())
    stack.callback(lock.release)
    return lock


def _database(settings: Settings, stack: ExitStack) -> tuple[str, PrivateServer | None]:
    """The configured database, or the private one, left with the stack."""
    if settings.database.url is not None:
        return settings.database.url.get_secret_value(), None
    server = PrivateServer(settings.server.home_path)
    url = server.start()
    stack.callback(server.stop)
    return url, server


def _direct_url(settings: Settings) -> str | None:
    direct = settings.database.direct_url
    return direct.get_secret_value() if direct else None
