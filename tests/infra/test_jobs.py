import asyncio
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import psycopg
import pytest
from tests.conftest import rows_as_owner

from aos.infra.postgres import Database, Housekeeper, PrivateServer
from aos.infra.postgres.place import find_place


async def months(database: Database) -> int:
    rows = await rows_as_owner(
        database, "SELECT count(*) AS n FROM pg_partition_tree('aos.calls') WHERE isleaf"
    )
    return int(rows[0]["n"])


async def test_partitions_are_made_ahead_and_again_after_a_failure(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aos.infra.postgres.jobs.PARTITION_MONTHS_AHEAD", 5)
    monkeypatch.setattr("aos.infra.postgres.jobs.HOUSEKEEPING_RETRY_SECONDS", 0.05)
    before = await months(database)
    away = await Database(database.url).open()
    await away.close()
    keeping = asyncio.create_task(Housekeeper(away).run())
    await asyncio.sleep(0.2)
    assert not keeping.done()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)

    keeping = asyncio.create_task(Housekeeper(database).run())
    async with asyncio.timeout(5):
        while await months(database) != before + 2:  # noqa: ASYNC110 - a table is no event
            await asyncio.sleep(0.02)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


def open_home() -> Path:
    home = Path(mkdtemp(prefix="aos-jobs-"))
    home.chmod(0o711)
    return home


async def test_a_running_servers_log_is_kept_short(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = open_home()
    server = PrivateServer(home, fleeting=True)
    url = await asyncio.to_thread(server.start)
    log = find_place(home).log
    with log.open("ab") as writer:
        writer.write(b"x" * 50_000)
    monkeypatch.setattr("aos.infra.postgres.server.SERVER_LOG_BYTES_MAX", 10_000)
    keeping = asyncio.create_task(Housekeeper(database, server).run())
    async with asyncio.timeout(5):
        while log.stat().st_size > 10_000:  # noqa: ASYNC110 - a file is no event
            await asyncio.sleep(0.02)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            await connection.execute("SELECT 1/0")
    assert b"division by zero" in log.read_bytes()
    assert log.read_bytes().count(b"x") < 10
    await asyncio.to_thread(server.stop)
    rmtree(home)
