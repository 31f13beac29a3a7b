"""`aos serve`: opens the house, tells where it is, and closes it cleanly."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import socket

import uvloop

from aos.app.control import control_of
from aos.app.rules import banner
from aos.app.service import House, open_house
from aos.catalog import seed_prices
from aos.identity import AdminKey, ensure_admin_key
from aos.infra.door import Door, open_sockets
from aos.infra.postgres import HomeLock, PrivateServer
from aos.infra.postgres.migrate import migrate
from aos.infra.settings import Settings
from aos.infra.telemetry import configure_logging
from aos.kit.clock import SystemClock


def serve(settings: Settings) -> None:
    """Serve until a signal says stop.

    Raises AddressInUse, HomeInUse, PrivateServerFailed, DatabaseUnavailable.
    """
    configure_logging(settings.server.log_level, settings.server.log_format)
    sockets = open_sockets(settings.server.host, settings.server.port)
    with _database(settings, sockets) as url:
        direct = _direct_url(settings) or url
        migrate(direct)
        seed_prices(direct)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, url, sockets))


async def _serve(settings: Settings, database_url: str, sockets: list[socket]) -> None:
    async with open_house(settings, database_url, control_of) as house:
        configured = settings.server.admin_key
        key = await ensure_admin_key(
            house.core.database,
            settings.server.home_path,
            configured.get_secret_value() if configured else None,
        )
        await Door(house.asgi, on_open=_teller(house, settings, key, sockets)).serve(sockets)


def _teller(
    house: House, settings: Settings, key: AdminKey, sockets: list[socket]
) -> Callable[[], None]:
    port = sockets[0].getsockname()[1]

    def tell() -> None:
        sys.stdout.write(banner(settings, port, key, house.core.registry))
        sys.stdout.flush()

    return tell


@contextmanager
def _database(settings: Settings, sockets: list[socket]) -> Iterator[str]:
    """The configured database, or the private one, held for as long as the block."""
    if settings.database.url is not None:
        yield settings.database.url.get_secret_value()
        return
    home = settings.server.home_path
    lock = HomeLock(home).acquire(SystemClock().now())
    lock.announce(f"http://{settings.server.host}:{sockets[0].getsockname()[1]}")
    server = PrivateServer(home)
    try:
        yield server.start()
    finally:
        server.stop()
        lock.release()


def _direct_url(settings: Settings) -> str | None:
    direct = settings.database.direct_url
    return direct.get_secret_value() if direct else None
