"""`aos serve` as a process of its own: the real door, real signals, real deaths."""

import asyncio
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.houses import ADMIN_KEY, PROVIDER_VARIABLES

BIN = Path(sys.executable).parent
_LISTENS = re.compile(r"AOS listens on\s+(http://\S+)")


@dataclass
class Server:
    """A running process. `log` is what it has printed."""

    url: str
    process: asyncio.subprocess.Process
    log: Path
    environment: dict[str, str]

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    async def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        await self.process.wait()

    async def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    async def aos(self, *arguments: str) -> tuple[int, str]:
        """An `aos` command on the same database: its exit code, and what it printed."""
        process = await asyncio.create_subprocess_exec(
            BIN / "aos",
            *arguments,
            env={**self.environment, "AOS_URL": self.url, "AOS_KEY": ADMIN_KEY},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, printed.decode()


@asynccontextmanager
async def serving(
    database_url: str, upstream_url: str, folder: Path, **variables: str
) -> AsyncIterator[Server]:
    """A server on a free port, whose providers are all at `upstream_url`."""
    inherited = {n: v for n, v in os.environ.items() if n not in PROVIDER_VARIABLES}
    environment = {
        **inherited,
        "HOME": str(folder),
        "AOS_HOME": str(folder / ".aos"),
        "AOS_PORT": "0",
        "AOS_API_KEY": ADMIN_KEY,
        "DATABASE_URL": database_url,
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": f"{upstream_url}/v1",
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "ANTHROPIC_BASE_URL": upstream_url,
        **variables,
    }
    descriptor, log = tempfile.mkstemp(prefix="log-", dir=folder)
    try:
        process = await asyncio.create_subprocess_exec(
            BIN / "aos", "serve", env=environment, stdout=descriptor, stderr=descriptor
        )
    finally:
        os.close(descriptor)
    try:
        yield Server(await _address(process, Path(log)), process, Path(log), environment)
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 15)
            except TimeoutError:
                process.kill()
                await process.wait()
                raise


async def _address(process: asyncio.subprocess.Process, log: Path) -> str:
    async with asyncio.timeout(60):
        while process.returncode is None:
            found = _LISTENS.search(_text(log))
            if found:
                return found.group(1)
            await asyncio.sleep(0.05)
    raise AssertionError(f"it did not start:\n{_text(log)}")


def _text(log: Path) -> str:
    return log.read_text()
