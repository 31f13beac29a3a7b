"""The wire between a house and its database, which can be cut and can go dead."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg.conninfo import conninfo_to_dict

from aos.infra.postgres.place import SOCKET_NAME


class Wire:
    """Carries TCP connections to a server's Unix socket. `url` leads through it."""

    def __init__(self, url: str) -> None:
        self._parts = conninfo_to_dict(url)
        self._path = f"{self._parts['host']}/{SOCKET_NAME}"
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._carriers: set[asyncio.Task[None]] = set()
        self._port = 0

    @property
    def url(self) -> str:
        parts = self._parts
        return (
            f"postgresql://{parts['user']}:{parts['password']}@127.0.0.1:{self._port}"
            f"/{parts['dbname']}"
        )

    async def mend(self) -> None:
        """Connections are taken again, and what a dead wire held back flows on."""
        self._flowing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """As when the server stops: connections end, new ones are refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for carrier in list(self._carriers):
            carrier.cancel()
        await asyncio.gather(*self._carriers, return_exceptions=True)

    def deaden(self) -> None:
        """As when a network loses its packets: nothing arrives, and nobody is told."""
        self._flowing.clear()

    async def _carry(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carriers.add(task)
        writers = [back]
        try:
            await self._flowing.wait()
            far, forth = await asyncio.open_unix_connection(self._path)
            writers.append(forth)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(near, forth))
                pumps.create_task(self._pump(far, back))
        except (OSError, asyncio.CancelledError, ExceptionGroup):
            pass  # The end of a connection, on whichever side.
        finally:
            self._carriers.discard(task)
            for writer in writers:
                writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while piece := await source.read(1 << 16):
            await self._flowing.wait()
            sink.write(piece)
            await sink.drain()
        raise ConnectionResetError


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[Wire]:
    wire = Wire(url)
    await wire.mend()
    try:
        yield wire
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await wire.cut()
