"""What the database itself refuses, and what a verification finds."""

import asyncio

import psycopg
import pytest

from aos.infra.settings import LeaseSettings
from aos.kit.money import Nanousd
from aos.ledger import HoldTooLarge, Lease, LeaseLost, Ledger, SettlementKind
from aos.ledger.limits import HOLD_NANOUSD_MAX
from tests.conftest import rows_as_owner
from tests.ledger.conftest import Bench, request

TABLES = ("account_terms", "accounts", "holds", "transfers", "threshold_crossings")


async def fill(bench: Bench, tenant_id: str) -> None:
    account = await bench.open("bgt_1", 1000, tenant_id=tenant_id, thresholds=(50,))
    held = await bench.hold(600, account, tenant_id=tenant_id)
    await bench.end(held.hold_id, 550, tenant_id=tenant_id)
    await bench.hold(100, account, tenant_id=tenant_id)


async def test_a_tenant_sees_its_own_money_only(bench: Bench) -> None:
    await fill(bench, "ten_a")
    await fill(bench, "ten_b")
    for table in TABLES:
        statement = f"SELECT DISTINCT tenant_id FROM aos.{table}"
        async with bench.database.tenant("ten_a") as tx:
            cursor = await tx.execute(statement)
            assert [row["tenant_id"] for row in await cursor.fetchall()] == ["ten_a"]
        async with bench.database.system() as tx:
            cursor = await tx.execute(statement)
            assert await cursor.fetchall() == []


@pytest.mark.parametrize("table", TABLES)
async def test_a_query_writes_no_money(bench: Bench, table: str) -> None:
    await fill(bench, "ten_a")
    for statement in (f"DELETE FROM aos.{table}", f"UPDATE aos.{table} SET tenant_id = 'ten_b'"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with bench.database.tenant("ten_a") as tx:
                await tx.execute(statement)


async def test_a_query_reads_no_partition_past_the_policies(bench: Bench) -> None:
    rows = await rows_as_owner(
        bench.database,
        "SELECT 'aos.' || relname AS partition FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid"
        " WHERE inhparent IN ('aos.holds'::regclass, 'aos.transfers'::regclass)",
    )
    assert len(rows) >= 10
    for row in rows:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with bench.database.tenant("ten_a") as tx:
                await tx.execute(f"SELECT FROM {row['partition']}")


async def test_a_booked_line_never_changes(bench: Bench, database_url: str) -> None:
    await fill(bench, "ten_a")
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("SET ROLE aos_owner")
        for statement in (
            "UPDATE aos.transfers SET posted_delta = 0",
            "DELETE FROM aos.transfers",
            "TRUNCATE aos.transfers",
        ):
            with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="correction"):
                owner.execute(statement)


async def test_healthy_books_have_no_mismatch(bench: Bench) -> None:
    await fill(bench, "ten_a")
    await fill(bench, "ten_b")
    assert await bench.ledger.verify() == []


@pytest.mark.parametrize(
    ("tampering", "problems"),
    [
        (
            "UPDATE aos.accounts SET posted_nanousd = posted_nanousd - 1",
            {"posted is not the sum of its lines"},
        ),
        (
            "UPDATE aos.accounts SET pending_nanousd = 0",
            {"pending is not the sum of its lines"},
        ),
        (
            "DELETE FROM aos.transfers WHERE kind = 'post'",
            {
                "pending is not the sum of its lines",
                "posted is not the sum of its lines",
                "what a hold keeps pending is not what its lines say",
            },
        ),
        (
            "UPDATE aos.holds SET cost_nanousd = 1 WHERE state = 'posted'",
            {"what a hold cost is not what its lines say"},
        ),
        ("DELETE FROM aos.holds", {"lines without a hold"}),
        (
            "UPDATE aos.transfers SET available_delta = 0 WHERE kind = 'hold'",
            {"a line does not sum to zero"},
        ),
        (
            "UPDATE aos.transfers SET limit_nanousd = 1 WHERE kind = 'hold'",
            {"a hold was granted over its limit"},
        ),
    ],
)
async def test_tampering_is_found(
    bench: Bench, database_url: str, tampering: str, problems: set[str]
) -> None:
    await fill(bench, "ten_a")
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("SET ROLE aos_owner")
        owner.execute("ALTER TABLE aos.transfers DISABLE TRIGGER USER")
        owner.execute("ALTER TABLE aos.transfers DROP CONSTRAINT transfers_check")
        owner.execute("ALTER TABLE aos.transfers DROP CONSTRAINT transfers_check1")
        owner.execute(tampering)
    assert {mismatch.problem for mismatch in await bench.ledger.verify()} == problems


async def test_a_threshold_is_crossed_once_a_period(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000, thresholds=(50, 80, 100))
    for cost in (499, 1, 350, 400):
        held = await bench.hold(100, account)
        await bench.end(held.hold_id, cost)
    rows = await rows_as_owner(
        bench.database,
        "SELECT percent, posted_nanousd FROM aos.threshold_crossings ORDER BY percent",
    )
    assert [tuple(row.values()) for row in rows] == [(50, 500), (80, 850), (100, 1250)]


async def test_lowering_a_limit_crosses_thresholds_and_lets_pending_complete(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000, thresholds=(80,))
    first, second = await bench.hold(300, account), await bench.hold(300, account)
    await bench.end(first.hold_id, 300)
    async with bench.database.tenant("ten_a") as tx:
        await bench.ledger.set_terms(tx, "bgt_1", Nanousd(350), (80,))
    assert (await bench.balance(account)).available == 0
    assert (await bench.end(second.hold_id, 300)).balances[0].posted == 600
    rows = await rows_as_owner(bench.database, "SELECT percent FROM aos.threshold_crossings")
    assert [row["percent"] for row in rows] == [80]


async def test_a_stale_process_cannot_open_a_period_with_the_old_limit(bench: Bench) -> None:
    await bench.open("bgt_1", 1000)
    async with bench.database.tenant("ten_a") as tx:
        await bench.ledger.set_terms(tx, "bgt_1", Nanousd(10), ())
    stale = await bench.open("bgt_1", 1000, subject="agt_2")
    assert (await bench.balance(stale)).limit == 10


async def test_terms_are_changed_by_their_own_tenant_only(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000)
    async with bench.database.tenant("ten_b") as tx:
        await bench.ledger.set_terms(tx, "bgt_1", Nanousd(10), ())
        await bench.ledger.retire(tx, "bgt_1")
    assert (await bench.balance(account)).limit == 1000
    with pytest.raises(psycopg.errors.NotNullViolation):
        async with bench.database.system() as tx:
            await bench.ledger.set_terms(tx, "bgt_1", Nanousd(10), ())


async def test_a_retired_budget_binds_nobody(bench: Bench) -> None:
    account = await bench.open("bgt_1", 100, thresholds=(50,))
    async with bench.database.tenant("ten_a") as tx:
        await bench.ledger.retire(tx, "bgt_1")
    held = await bench.hold(5000, account)
    assert held.granted
    await bench.end(held.hold_id, 5000)
    assert await rows_as_owner(bench.database, "SELECT FROM aos.threshold_crossings") == []
    assert await bench.ledger.verify() == []


async def test_no_call_holds_more_than_a_million(bench: Bench) -> None:
    account = await bench.open("bgt_1", None)
    with pytest.raises(HoldTooLarge, match="less output"):
        await bench.hold(HOLD_NANOUSD_MAX + 1, account)
    assert (await bench.hold(HOLD_NANOUSD_MAX, account)).granted


async def test_the_lines_of_a_call(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000)
    held = await bench.hold(600, account)
    await bench.end(held.hold_id, 250)
    async with bench.database.tenant("ten_a") as tx:
        entries = await bench.ledger.entries(tx, [held.hold_id])
    assert [(e.kind, e.available, e.pending, e.posted) for e in entries] == [
        ("hold", -600, 600, 0),
        ("post", 350, -600, 250),
    ]
    async with bench.database.tenant("ten_b") as tx:
        assert await bench.ledger.entries(tx, [held.hold_id]) == []


async def test_a_dead_processs_holds_are_posted_at_their_bound(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000)
    lease = Lease(bench.database, LeaseSettings())
    await lease.start()
    dying = Ledger(bench.database, lease.process_id)
    held = await dying.hold(request(600, account))
    alive = await bench.hold(100, account)
    await lease.stop()
    async with bench.database.system() as tx:
        dead = await bench.ledger.expire(tx, 30)
    assert [(hold.id, hold.amount, hold.call) for hold in dead] == [
        (held.hold_id, 600, '{"model":"m"}')
    ]
    balance = await bench.balance(account)
    assert (balance.pending, balance.posted) == (100, 600)
    assert (await bench.end(held.hold_id, 50)).corrected
    assert (await bench.balance(account)).posted == 50
    await bench.end(alive.hold_id, 0, SettlementKind.VOID)
    assert await bench.ledger.verify() == []


async def test_two_reapers_do_not_wait_for_each_other(bench: Bench) -> None:
    account = await bench.open("bgt_1", None)
    lease = Lease(bench.database, LeaseSettings())
    await lease.start()
    dying = Ledger(bench.database, lease.process_id)
    await asyncio.gather(*(dying.hold(request(1, account)) for _ in range(10)))
    await lease.stop()
    async with bench.database.system() as first, bench.database.system() as second:
        found = await bench.ledger.expire(first, 30)
        assert len(found) == 10
        assert await bench.ledger.expire(second, 30) == []


async def test_a_process_without_a_lease_admits_nothing(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000)
    with pytest.raises(LeaseLost):
        await Ledger(bench.database, "proc_nobody").hold(request(1, account))


async def test_a_hold_whose_caller_left_is_taken_back(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000)
    leaving = asyncio.create_task(bench.hold(600, account))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert bench.ledger.doubtful == 1
    await bench.ledger.repair()
    assert bench.ledger.doubtful == 0
    async with asyncio.timeout(5):
        while (await bench.balance(account)).pending:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await bench.ledger.verify() == []


async def test_a_hold_taken_back_before_it_came_stays_out(bench: Bench) -> None:
    account = await bench.open("bgt_1", 1000)
    asked = request(600, account)
    bench.ledger._doubtful[asked.id] = "ten_a"
    await bench.ledger.repair()
    assert not (await bench.ledger.hold(asked)).granted
    assert (await bench.balance(account)).pending == 0
