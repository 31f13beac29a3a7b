"""The server round the protocol: its socket, its signals, its stop."""

import asyncio
import errno
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from aos.infra.door.protocol import DoorProtocol
from aos.infra.errors import AddressInUse
from aos.infra.limits import (
    DOOR_BACKLOG,
    DOOR_CONNECTIONS_MAX,
    DOOR_END_SECONDS_MAX,
    DOOR_GRACE_SECONDS_MAX,
    DOOR_KEEP_ALIVE_SECONDS,
    FILES_RESERVED,
)


def open_sockets(host: str, port: int) -> list[socket.socket]:
    """Take the address before anything else is started. Raises AddressInUse.

    A name such as `localhost` may mean several addresses: each that this machine has is taken,
    all with the same port.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise AddressInUse(f"{host} is no address of this machine: set AOS_HOST") from error
    opened: list[socket.socket] = []
    for family, *_, address in dict.fromkeys(found):
        place = (address[0], opened[0].getsockname()[1] if opened else port)
        try:
            opened.append(socket.create_server(place, family=family, backlog=DOOR_BACKLOG))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL and len(found) > 1:
                continue
            for earlier in opened:
                earlier.close()
            raise AddressInUse(
                f"cannot listen on {host}:{port}: {error.strerror}. Stop what holds it, or set"
                " AOS_PORT or AOS_HOST"
            ) from error
    if not opened:
        raise AddressInUse(f"this machine has no address {host}: set AOS_HOST")
    return opened


def allow_many_connections() -> int:
    """Raise this process's limit of open files as far as it may go; the connections that allows.

    A call takes two: its caller's and its upstream's.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * DOOR_CONNECTIONS_MAX + FILES_RESERVED
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return DOOR_CONNECTIONS_MAX
    return max(1, min(DOOR_CONNECTIONS_MAX, (soft - FILES_RESERVED) // 2))


class Door(uvicorn.Server):
    """Serves an ASGI application on sockets that are open already.

    `await door.serve(sockets)` returns after SIGINT or SIGTERM, when calls under way have ended or
    DOOR_GRACE_SECONDS_MAX are over; a second signal ends them at once. Unlike uvicorn's own, it
    does not raise the signal again: what stands behind the door is still to be closed.
    """

    def __init__(self, app: Any, *, on_open: Callable[[], None] | None = None) -> None:
        DoorProtocol.connections_max = allow_many_connections()
        super().__init__(
            uvicorn.Config(
                app,
                http=DoorProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=DOOR_BACKLOG,
                timeout_keep_alive=DOOR_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=DOOR_GRACE_SECONDS_MAX,
            )
        )
        self._on_open = on_open

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._on_open is not None:
            self._on_open()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Uvicorn leaves calls running that it has no more patience with: they would lose the
        ground under them. Cancelled and waited for, they can say what became of them.
        """
        await super().shutdown(sockets)
        calls = set(self.server_state.tasks)
        for call in calls:
            if not call.cancelling():
                call.cancel()
        if calls:
            await asyncio.wait(calls, timeout=DOOR_END_SECONDS_MAX)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        captured = super().capture_signals()
        with captured:
            yield
            self._captured_signals.clear()
