import asyncio
import time
from collections.abc import Callable

import psycopg
import pytest

from aos.infra.errors import DatabaseUnavailable
from aos.infra.postgres import Changes, Database


class Reload:
    """Counts how often it was asked to reload."""

    def __init__(self) -> None:
        self.times = 0
        self.failures_left = 0

    async def __call__(self) -> None:
        if self.failures_left:
            self.failures_left -= 1
            raise DatabaseUnavailable("away")
        self.times += 1


async def until(true: Callable[[], bool], seconds_max: float = 3.0) -> float:
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < seconds_max
        await asyncio.sleep(0.005)
    return time.monotonic() - started


async def announce(database: Database, topic: str) -> None:
    async with database.system() as tx:
        await tx.execute("SELECT aos.changed(%s)", (topic,))


@pytest.mark.parametrize("poll", [False, True])
async def test_a_change_is_in_force_within_a_second(
    database: Database, database_url: str, *, poll: bool
) -> None:
    changes = Changes(database_url, poll=poll)
    keys, prices = Reload(), Reload()
    changes.subscribe("keys", keys)
    changes.subscribe("prices", prices)
    await changes.start()
    assert (keys.times, prices.times) == (1, 1)

    await announce(database, "keys")
    seconds = await until(lambda: keys.times == 2)
    assert seconds < 0.9
    assert prices.times == 1

    await announce(database, "keys")
    await until(lambda: keys.times == 3)
    await changes.stop()


@pytest.mark.parametrize("poll", [False, True])
async def test_after_a_reconnect_everything_is_reloaded(
    database: Database, database_url: str, *, poll: bool
) -> None:
    changes = Changes(database_url, poll=poll)
    keys = Reload()
    changes.subscribe("keys", keys)
    await changes.start()
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'aos-changes' AND datname = current_database()"
        )
    await until(lambda: keys.times == 2)
    await announce(database, "keys")
    await until(lambda: keys.times == 3)
    await changes.stop()


async def test_staleness_is_small_while_asked_and_true_after_silence(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aos.infra.postgres.changes.CHANGES_ASKED_SECONDS", 0.5)
    changes = Changes(database_url)
    changes.subscribe("keys", Reload())
    await changes.start()
    for _ in range(15):
        assert changes.stale_seconds("keys") < 0.9
        await asyncio.sleep(0.1)
    await asyncio.sleep(1.6)  # Nobody asks: nothing is proven any more.
    assert changes.stale_seconds("keys") > 0.9
    await until(lambda: changes.stale_seconds("keys") < 0.5)
    await changes.stop()


async def test_a_reload_that_fails_keeps_its_topic_stale_and_is_tried_again(
    database: Database, database_url: str
) -> None:
    changes = Changes(database_url)
    keys, prices = Reload(), Reload()
    changes.subscribe("keys", keys)
    changes.subscribe("prices", prices)
    await changes.start()
    keys.failures_left = 3
    await announce(database, "keys")
    await until(lambda: keys.failures_left == 0, seconds_max=5)
    assert changes.stale_seconds("keys") > 0.7
    await until(lambda: keys.times == 2)
    await until(lambda: changes.stale_seconds("keys") < 0.6)
    await changes.stop()


async def test_notices_during_a_slow_reload_cause_one_more(
    database: Database, database_url: str
) -> None:
    changes = Changes(database_url)
    runs: list[float] = []
    gate = asyncio.Event()
    gate.set()

    async def slow() -> None:
        runs.append(time.monotonic())
        await gate.wait()

    changes.subscribe("keys", slow)
    await changes.start()
    gate.clear()
    await announce(database, "keys")
    await until(lambda: len(runs) == 2)
    for _ in range(5):
        await announce(database, "keys")
    await asyncio.sleep(0.1)
    gate.set()
    await until(lambda: len(runs) == 3)
    await asyncio.sleep(0.2)
    assert len(runs) == 3
    await changes.stop()


async def test_no_database_is_a_named_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aos.infra.postgres.changes.CHANGES_START_SECONDS_MAX", 0.3)
    changes = Changes("postgresql://nobody@/nothing?host=/nonexistent")
    changes.subscribe("keys", Reload())
    with pytest.raises(DatabaseUnavailable):
        await changes.start()
