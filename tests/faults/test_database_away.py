"""The real server goes away under its clients, and comes back."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aos.infra.errors import DatabaseUnavailable
from aos.infra.limits import DATABASE_ACQUIRE_SECONDS_MAX
from aos.infra.postgres import Changes, Database, PrivateServer
from aos.infra.postgres.migrate import migrate
from aos.infra.postgres.place import find_place
from aos.infra.postgres.postmaster import postmaster


@pytest.fixture
def server() -> Iterator[tuple[PrivateServer, str, Path]]:
    home = Path(tempfile.mkdtemp(prefix="aos-faults-"))
    home.chmod(0o711)
    server = PrivateServer(home, fleeting=True)
    url = server.start()
    migrate(url)
    yield server, url, home
    server.stop()
    shutil.rmtree(home)


async def outcome(database: Database) -> tuple[bool, float]:
    """Whether one call was served, and how long that took to know."""
    started = time.monotonic()
    try:
        await database.call("SELECT pg_sleep(0.01)", ())
    except DatabaseUnavailable:
        return False, time.monotonic() - started
    return True, time.monotonic() - started


async def test_calls_fail_by_name_while_it_is_away_and_are_served_when_it_is_back(
    server: tuple[PrivateServer, str, Path],
) -> None:
    private, url, _ = server
    database = await Database(url).open()
    changes = Changes(url)
    reloads = 0

    async def reload() -> None:
        nonlocal reloads
        reloads += 1

    changes.subscribe("keys", reload)
    await changes.start()
    outcomes: list[tuple[float, bool, float]] = []
    began = time.monotonic()
    over = False

    async def caller() -> None:
        while not over:
            at = time.monotonic() - began
            served, seconds = await outcome(database)
            outcomes.append((at, served, seconds))

    callers = [asyncio.create_task(caller()) for _ in range(20)]
    await asyncio.sleep(0.5)
    await asyncio.to_thread(private.stop)
    away_at = time.monotonic() - began
    await asyncio.sleep(4)
    assert changes.stale_seconds("keys") > 1
    await asyncio.to_thread(private.start)
    back_at = time.monotonic() - began
    await asyncio.sleep(1.5)
    over = True
    await asyncio.gather(*callers)

    assert max(seconds for _, _, seconds in outcomes) < DATABASE_ACQUIRE_SECONDS_MAX + 0.5
    assert [o for o in outcomes if away_at < o[0] < back_at - 2 and o[1]] == []
    assert [o for o in outcomes if o[0] > back_at + 1 and not o[1]] == []
    assert sum(1 for o in outcomes if o[0] > back_at + 0.5 and o[1]) > 20
    assert reloads == 2
    assert changes.stale_seconds("keys") < 2
    await changes.stop()
    await database.close()


async def test_a_killed_server_is_watched_back_to_life_under_its_clients(
    server: tuple[PrivateServer, str, Path],
) -> None:
    private, url, home = server
    database = await Database(url).open()
    watch = asyncio.create_task(private.watch())
    pid = postmaster(find_place(home).data)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while not (await outcome(database))[0]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    await database.close()
