"""Several processes on the same accounts."""

import asyncio
import sys

import orjson

from tests.conftest import rows_as_owner
from tests.ledger import crowd
from tests.ledger.conftest import Bench

PROCESSES = 4
LIMIT = 1_000


async def test_processes_together_never_exceed_a_limit_nor_deadlock(bench: Bench) -> None:
    shared = await bench.open("bgt_0", LIMIT)
    others = [await bench.open(f"bgt_{number}", 100_000) for number in range(1, 9)]

    async def start(seed: int) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.ledger.crowd",
            bench.database.url,
            orjson.dumps([shared, *others]).decode(),
            str(seed),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0
        kept: int = orjson.loads(output)["kept"]
        return kept

    kept = sum(await asyncio.gather(*(start(seed) for seed in range(PROCESSES))))
    balance = await bench.balance(shared)
    assert balance.pending == 0
    assert balance.posted == kept * crowd.AMOUNT
    assert balance.posted == LIMIT  # Full to the last nano-dollar, and not over.
    assert await bench.ledger.verify() == []
    rows = await rows_as_owner(
        bench.database,
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
    )
    assert rows[0]["deadlocks"] == 0
