"""How fast money moves: `python bench/ledger.py [--pairs 40000] [--workers 200]`.

A hold on the tenant's root account and two budgets, and its settlement, durable, against a private
PostgreSQL on the same machine. Prints pairs a second in batches, and latencies alone and together.
"""

import argparse
import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import uvloop

from aos.infra.batching import Batcher
from aos.infra.postgres import Database, PrivateServer
from aos.infra.postgres.migrate import migrate
from aos.infra.settings import LeaseSettings
from aos.kit import ids
from aos.kit.money import Nanousd
from aos.ledger import (
    AccountKey,
    AccountOpening,
    Claim,
    HoldRequest,
    Lease,
    Ledger,
    Settlement,
    SettlementKind,
    SettlementResult,
)

START = datetime(2020, 1, 1, tzinfo=UTC)
AMOUNT, COST = Nanousd(2_000_000), Nanousd(450_000)
CALL = (
    b'{"key_id":"key_01","model":"gpt-4o-mini","dialect":"openai-chat","story":"'
    + b"x" * 300
    + b'"}'
)


class Bench:
    def __init__(self, database: Database, ledger: Ledger, claims: tuple[Claim, ...]) -> None:
        self.database = database
        self.ledger = ledger
        self.claims = claims
        self.settlements: Batcher[Settlement, SettlementResult] = Batcher(self._settle, lanes=2)
        self.hold_seconds: list[float] = []
        self.settle_seconds: list[float] = []

    async def pair(self) -> None:
        began = perf_counter()
        request = HoldRequest(ids.new("hold"), ids.new("call"), "ten_a", AMOUNT, self.claims, CALL)
        result = await self.ledger.hold(request)
        assert result.granted
        held = perf_counter()
        await self.settlements.submit(Settlement(request.id, "ten_a", SettlementKind.POST, COST))
        self.hold_seconds.append(held - began)
        self.settle_seconds.append(perf_counter() - held)

    async def _settle(self, batch: Sequence[Settlement]) -> Sequence[SettlementResult]:
        async with self.database.system() as tx:
            return await self.ledger.settle(tx, batch)

    def report(self, title: str, seconds: float) -> None:
        print(f"{title}: {len(self.hold_seconds) / seconds:,.0f} pairs/s")
        for name, values in (("hold", self.hold_seconds), ("settle", self.settle_seconds)):
            values.sort()
            marks = {p: values[min(len(values) - 1, int(len(values) * p / 100))] for p in (50, 99)}
            print("  " + name + "".join(f"  p{p} {v * 1000:.2f} ms" for p, v in marks.items()))
            values.clear()


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    began = perf_counter()
    await work()
    return perf_counter() - began


async def run(url: str, pairs: int, workers: int) -> None:
    database = await Database(url).open()
    lease = Lease(database, LeaseSettings())
    await lease.start()
    ledger = Ledger(database, lease.process_id)
    keys = [AccountKey("ten_a", name, "", START, None) for name in ("root", "bgt_1", "bgt_2")]
    limits = [None, Nanousd(10**15), Nanousd(10**15)]
    account_ids = await ledger.open_accounts(
        [AccountOpening(key, limit, (50, 75, 90)) for key, limit in zip(keys, limits, strict=True)]
    )
    claims = tuple(
        Claim(i, limit is not None) for i, limit in zip(account_ids, limits, strict=True)
    )
    bench = Bench(database, ledger, claims)

    async def alone() -> None:
        for _ in range(1000):
            await bench.pair()

    async def together() -> None:
        async def worker() -> None:
            for _ in range(pairs // workers):
                await bench.pair()

        await asyncio.gather(*(worker() for _ in range(workers)))

    await alone()
    bench.hold_seconds.clear()
    bench.settle_seconds.clear()
    bench.report("alone", await timed(alone))
    bench.report(f"{workers} at once", await timed(together))
    print("mismatches:", len(await ledger.verify()))
    await lease.stop()
    await database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40_000)
    parser.add_argument("--workers", type=int, default=200)
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="aos-bench-"))
    home.chmod(0o711)
    server = PrivateServer(home)
    try:
        url = server.start()
        migrate(url)
        uvloop.run(run(url, arguments.pairs, arguments.workers))
    finally:
        server.stop()
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
