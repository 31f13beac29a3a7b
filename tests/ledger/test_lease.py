import asyncio
from datetime import UTC, datetime

import psycopg

from aos.infra.postgres import Database
from aos.infra.settings import LeaseSettings
from aos.kit.clock import ManualClock
from aos.ledger import Lease, Ledger
from tests.conftest import rows_as_owner
from tests.ledger.conftest import Bench, request

QUICK = LeaseSettings(beat_seconds=0.05, dead_after_seconds=0.3)


async def beaten_at(database: Database, process_id: str) -> datetime | None:
    rows = await rows_as_owner(
        database, "SELECT beaten_at FROM aos.processes WHERE id = %s", (process_id,)
    )
    return rows[0]["beaten_at"] if rows else None


async def test_a_lease_beats_until_it_is_given_back(database: Database) -> None:
    lease = Lease(database, QUICK)
    assert lease.alive_seconds == 0
    await lease.start()
    first = await beaten_at(database, lease.process_id)
    await asyncio.sleep(0.3)
    second = await beaten_at(database, lease.process_id)
    assert first is not None
    assert second is not None
    assert second > first
    assert lease.alive_seconds > 0.2
    await lease.stop()
    assert lease.alive_seconds == 0
    assert await beaten_at(database, lease.process_id) is None


async def test_whoever_stood_still_is_alive_for_no_time(database: Database) -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    lease = Lease(database, LeaseSettings(), clock)
    await lease.start()
    clock.advance(9)
    assert lease.alive_seconds == 9
    clock.advance(100)
    assert lease.alive_seconds == 0
    await lease._beat()
    clock.advance(2)
    assert lease.alive_seconds == 2
    await lease.stop()


async def test_a_process_that_was_forgotten_registers_again(database: Database) -> None:
    lease = Lease(database, QUICK)
    await lease.start()
    async with database.system() as tx:
        await tx.execute("DELETE FROM aos.processes")
    await asyncio.sleep(0.2)
    assert await beaten_at(database, lease.process_id) is not None
    await lease.stop()


async def test_an_hours_hold_lives_as_long_as_its_process_beats(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000)
    lease = Lease(bench.database, QUICK)
    await lease.start()
    await Ledger(bench.database, lease.process_id).hold(request(600, account))
    for _ in range(4):
        await asyncio.sleep(0.15)
        async with bench.database.system() as tx:
            assert await bench.ledger.expire(tx, QUICK.dead_after_seconds) == []
    await lease.stop()
    async with bench.database.system() as tx:
        assert len(await bench.ledger.expire(tx, QUICK.dead_after_seconds)) == 1


async def test_an_answer_lost_on_the_way_leaks_nothing(bench: Bench, database_url: str) -> None:
    """The connection dies under a hold: refused, and taken back whatever became of it."""
    account = await bench.open("bgt_1", 1000)
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("SET ROLE aos_owner")
        owner.execute(
            "CREATE FUNCTION aos.dawdle() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$"
        )
        owner.execute(
            "CREATE TRIGGER slow AFTER INSERT ON aos.holds"
            " FOR EACH STATEMENT EXECUTE FUNCTION aos.dawdle()"
        )
        owner.execute("RESET ROLE")
        taking = asyncio.create_task(bench.hold(600, account))
        await asyncio.sleep(0.3)
        owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE wait_event = 'PgSleep' AND datname = current_database()"
        )
        answers = await asyncio.gather(taking, return_exceptions=True)
        assert [type(answer).__name__ for answer in answers] == ["DatabaseUnavailable"]
        owner.execute("SET ROLE aos_owner")
        owner.execute("DROP TRIGGER slow ON aos.holds")
    assert bench.ledger.doubtful == 1
    assert await bench.ledger.repair() == 1
    assert (await bench.balance(account)).pending == 0
    assert await bench.ledger.verify() == []
