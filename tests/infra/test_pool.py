import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import psycopg
import pytest

from aos.infra.errors import DatabaseBusy, DatabaseUnavailable
from aos.infra.postgres import Database


async def one(database: Database) -> int:
    rows = await database.call("SELECT 1 AS one", ())
    return int(rows[0]["one"])


@pytest.fixture(params=[False, True], ids=["direct", "pooler"])
async def either(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Database]:
    """Both ways of access: what holds for one must hold for the other."""
    database = await Database(database_url, pooler=request.param).open()
    yield database
    await database.close()


async def test_a_tenants_transaction_says_who_it_is(either: Database) -> None:
    async with either.tenant("ten_1") as tx:
        cursor = await tx.execute("SELECT aos.current_tenant() AS tenant, current_user AS role")
        assert await cursor.fetchone() == {"tenant": "ten_1", "role": "aos_app"}
    async with either.system() as tx:
        cursor = await tx.execute("SELECT aos.current_tenant() AS tenant, current_user AS role")
        assert await cursor.fetchone() == {"tenant": None, "role": "aos_app"}
    rows = await either.call("SELECT aos.current_tenant() AS tenant, current_user AS role", ())
    assert rows == [{"tenant": None, "role": "aos_app"}]


async def test_a_tenants_name_is_no_statement(either: Database) -> None:
    hostile = "x'; DROP TABLE aos.changes; --\\"
    async with either.tenant(hostile) as tx:
        cursor = await tx.execute("SELECT aos.current_tenant() AS tenant")
        assert await cursor.fetchone() == {"tenant": hostile}
    assert await either.call("SELECT count(*) AS n FROM aos.changes", ()) != []


async def test_locks_statements_and_idle_transactions_end(either: Database) -> None:
    async with either.tenant("ten_1") as tx:
        cursor = await tx.execute(
            "SELECT current_setting('lock_timeout') AS lock,"
            " current_setting('statement_timeout') AS statement,"
            " current_setting('idle_in_transaction_session_timeout') AS idle"
        )
        assert await cursor.fetchone() == {"lock": "2s", "statement": "5s", "idle": "5s"}
    async with either.tenant("ten_1", seconds_max=60) as tx:
        cursor = await tx.execute("SHOW statement_timeout")
        assert await cursor.fetchone() == {"statement_timeout": "1min"}


async def test_a_statement_that_is_given_up_is_busy_and_the_connection_serves_on(
    either: Database,
) -> None:
    with pytest.raises(DatabaseBusy, match="statement timeout"):
        async with either.system(seconds_max=0.1) as tx:
            await tx.execute("SELECT pg_sleep(5)")
    assert await one(either) == 1


async def test_a_change_is_counted(database: Database) -> None:
    async with database.system() as tx:
        await tx.execute("SELECT aos.changed('keys')")
    async with database.system() as tx:
        cursor = await tx.execute("SELECT version FROM aos.changes WHERE topic = 'keys'")
        assert await cursor.fetchone() == {"version": 1}


async def test_a_failure_rolls_back_and_the_connection_serves_on(either: Database) -> None:
    with pytest.raises(RuntimeError, match="ours"):
        async with either.system() as tx:
            await tx.execute("SELECT aos.changed('keys')")
            raise RuntimeError("ours")
    with pytest.raises(psycopg.errors.UndefinedTable):
        await either.call("SELECT * FROM aos.nothing", ())
    assert await either.call("SELECT * FROM aos.changes", ()) == []


async def test_a_swallowed_error_never_commits_silently(database: Database) -> None:
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        async with database.system() as tx:
            await tx.execute("SELECT aos.changed('keys')")
            with pytest.raises(psycopg.errors.DivisionByZero):
                await tx.execute("SELECT 1/0")
    assert await database.call("SELECT * FROM aos.changes", ()) == []


async def test_a_cancelled_caller_poisons_nothing(database_url: str) -> None:
    database = await Database(database_url, connections_max=4).open()
    for _ in range(12):
        task = asyncio.create_task(database.call("SELECT pg_sleep(30)", ()))
        await asyncio.sleep(0.02)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - started < 0.5
    assert await one(database) == 1
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as other:
        deadline = time.monotonic() + 3  # The server looks for its client every second.
        while True:
            cursor = await other.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE query LIKE '%pg_sleep(30)%' AND state = 'active'"
                " AND pid <> pg_backend_pid() AND datname = current_database()"
            )
            if await cursor.fetchone() == (0,):
                break
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
    await database.close()


async def test_a_full_pool_is_a_bounded_wait(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aos.infra.postgres.pool.DATABASE_ACQUIRE_SECONDS_MAX", 0.3)
    database = await Database(database_url, connections_max=2).open()
    async with database.system(), database.system():
        with pytest.raises(DatabaseUnavailable):
            await one(database)
    assert await one(database) == 1
    await database.close()


async def test_after_the_server_dropped_everybody_the_next_call_is_served(
    database_url: str,
) -> None:
    database = await Database(database_url, connections_max=6).open()
    await asyncio.gather(*(database.call("SELECT pg_sleep(0.05)", ()) for _ in range(6)))
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    await asyncio.sleep(0.05)
    started = time.monotonic()
    assert await asyncio.gather(*(one(database) for _ in range(20))) == [1] * 20
    assert time.monotonic() - started < 1.0
    await database.close()


async def test_a_silent_server_does_not_hang_its_callers(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backend that is alive and answers nothing: a stuck disk, a failover behind a balancer."""
    monkeypatch.setattr("aos.infra.postgres.connection.DATABASE_ANSWER_MARGIN_SECONDS", -4.5)
    database = await Database(database_url, connections_max=2).open()
    started = time.monotonic()
    pid = 0
    try:
        with pytest.raises(DatabaseUnavailable):
            async with database.system() as tx:
                cursor = await tx.execute("SELECT pg_backend_pid() AS pid")
                pid = int((await cursor.fetchone() or {})["pid"])
                os.kill(pid, signal.SIGSTOP)
                await tx.execute("SELECT 1")
        assert time.monotonic() - started < 2
        assert await one(database) == 1
    finally:
        os.kill(pid, signal.SIGCONT)
    await database.close()
