"""`aos serve`: opens the house, tells where it is, and closes it cleanly."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket

import structlog
import uvicorn
import uvloop

from aos.app.api import AsgiApp
from aos.app.rules import banner
from aos.app.service import Core, House, open_house
from aos.catalog import seed_prices
from aos.gateway.api import AsgiScope, Receive, Send
from aos.identity import AdminKey, ensure_admin_key
from aos.infra.postgres import HomeLock, PrivateServer
from aos.infra.postgres.migrate import migrate
from aos.infra.settings import Settings
from aos.kit.clock import SystemClock

GRACE_SECONDS_MAX = 30
"""How long a stop waits for calls under way before it cuts them off."""

log = structlog.get_logger("aos.app")


def serve(settings: Settings) -> None:
    """Serve until a signal says stop.

    Raises HomeInUse, PrivateServerFailed, DatabaseUnavailable.
    """
    with _database(settings) as url:
        migrate(_direct_url(settings) or url)
        seed_prices(_direct_url(settings) or url)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, url))


async def _serve(settings: Settings, database_url: str) -> None:
    async with open_house(settings, database_url, control_of) as house:
        home, configured = settings.server.home_path, settings.server.admin_key
        key = await ensure_admin_key(
            house.core.database, home, configured.get_secret_value() if configured else None
        )
        await _listen(house, settings, key)


async def _listen(house: House, settings: Settings, key: AdminKey) -> None:
    server = _Server(
        uvicorn.Config(
            house.asgi,
            host=settings.server.host,
            port=settings.server.port,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS_MAX,
        )
    )
    server.told = banner(settings, key, house.core.registry)
    await server.serve()


class _Server(uvicorn.Server):
    """Tells where it is once it can be reached there."""

    told = ""

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(self.told)
        sys.stdout.flush()


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    """The configured database, or the private one, held for as long as the block."""
    if settings.database.url is not None:
        yield settings.database.url.get_secret_value()
        return
    home = settings.server.home_path
    lock = HomeLock(home).acquire(SystemClock().now())
    lock.announce(f"http://{settings.server.host}:{settings.server.port}")
    server = PrivateServer(home)
    try:
        yield server.start()
    finally:
        server.stop()
        lock.release()


def _direct_url(settings: Settings) -> str | None:
    direct = settings.database.direct_url
    return direct.get_secret_value() if direct else None


def control_of(core: Core) -> AsgiApp:
    """The control plane over these rooms."""
    return _Health(core)


class _Health:
    """Says that the database answers."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def __call__(self, scope: AsgiScope, _receive: Receive, send: Send) -> None:
        await self._core.database.call("SELECT 1 AS up", ())
        body = b'{"status": "ok"}' if scope["path"] == "/health" else b""
        status = 200 if body else 404
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})
