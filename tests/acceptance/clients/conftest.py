"""The real coding clients, installed once into the project's own folder, and a desk to work at."""

import asyncio
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aos.infra.postgres import Database
from tests.acceptance.clients.sessions import Script
from tests.houses import Gate, Key, open_gate
from tests.upstreams import FakeProvider, fake_provider

HERE = Path(__file__).parent
CLIENTS = Path(__file__).parents[3] / ".clients"
BIN = Path(sys.executable).parent
LOCK = "package-lock.json"
INSTALL_SECONDS_MAX = 300
CLIENT_SECONDS_MAX = 50

# Nothing of a test reaches the makers of the clients, not even to ask for a newer version.
QUIET = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}


@dataclass(frozen=True)
class Ended:
    """What a client printed, and how it left."""

    status: int
    printed: str
    complained: str

    def json(self) -> Any:
        return json.loads(self.printed)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.printed.splitlines()]


@dataclass
class Desk:
    """A client's machine: a home, a folder to work in, a key, and the gate it points at."""

    gate: Gate
    upstream: FakeProvider
    script: Script
    clients: Path
    home: Path
    key: Key
    agent_id: str

    @property
    def work(self) -> Path:
        return self.home / "work"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.clients}:{BIN}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "AOS_URL": self.gate.url,
            "AOS_KEY": self.key.secret,
            **QUIET,
        }

    def keep(self, file: str, text: str) -> None:
        """Write a file as a user would paste it; `~` is this desk's home."""
        path = Path(file.replace("~", str(self.home)))
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    async def shell(self, command: str) -> Ended:
        """Run a line as a user would type it in the folder."""
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            command,
            cwd=self.work,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(CLIENT_SECONDS_MAX):
                printed, complained = await process.communicate()
        except TimeoutError:
            os.killpg(process.pid, 9)
            printed, complained = await process.communicate()
            pytest.fail(f"{command} did not end:\n{printed.decode()}\n{complained.decode()}")
        assert process.returncode is not None
        return Ended(process.returncode, printed.decode(), complained.decode())

    async def key_calls(self) -> list[dict[str, Any]]:
        """The rows of this key's calls, the oldest first."""
        return list(reversed(await self.gate.calls(self.key)))


Sit = Callable[..., AbstractAsyncContextManager[Desk]]


@pytest.fixture(scope="session")
def clients() -> Path:
    """The folder with `claude` and `codex`, of the versions that package-lock.json pins."""
    wanted = (HERE / LOCK).read_bytes()
    CLIENTS.mkdir(exist_ok=True)
    with (CLIENTS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed = CLIENTS / "installed.json"
        if not installed.exists() or installed.read_bytes() != wanted:
            _install()
            installed.write_bytes(wanted)
    return CLIENTS / "node_modules" / ".bin"


def _install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail(
            "The coding clients are part of the tests, and npm is missing: install Node 20 or newer"
        )
    for name in ("package.json", LOCK):
        shutil.copy(HERE / name, CLIENTS / name)
    done = subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts=false"],
        cwd=CLIENTS,
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_SECONDS_MAX,
    )
    if done.returncode:
        pytest.fail(f"npm could not install the coding clients:\n{done.stdout}{done.stderr}")


@pytest.fixture
def sit(clients: Path, priced_database: Database, tmp_path: Path) -> Sit:
    """`async with sit(script, budget_usd="5") as desk`: a key of an agent, with its own budget."""

    @asynccontextmanager
    async def take_a_seat(script: Script, budget_usd: str) -> AsyncIterator[Desk]:
        (tmp_path / "work").mkdir()
        (tmp_path / "work" / "note.txt").write_text("the gate is open\n")
        async with (
            fake_provider(script) as upstream,
            open_gate(priced_database.url, upstream.url) as gate,
        ):
            agent = await gate.api("POST", "/agents", {"name": "coder"})
            budget = {"limit_usd": budget_usd, "name": "pocket money"}
            key = await gate.key(agent_id=agent["id"], budget=budget)
            yield Desk(gate, upstream, script, clients, tmp_path, key, agent["id"])
            await gate.at_rest()

    return take_a_seat
