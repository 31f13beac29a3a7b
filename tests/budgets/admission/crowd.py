"""A process of the crowd test: many calls at once on one budget, each held, made and settled."""

import asyncio
import sys
from collections import Counter

import orjson

from aos.budgets import BudgetMatch
from aos.infra.postgres import Changes, Database
from aos.infra.settings import LeaseSettings
from aos.kit.errors import AosError
from aos.ledger import Lease
from tests.budgets.admission.conftest import budget, match, open_gate

LIMIT, BOUND, COST = 40, 3, 1
CALLS = 125


async def crowd(url: str) -> dict[str, int]:
    database = await Database(url).open()
    lease = Lease(database, LeaseSettings())
    await lease.start()
    gate = await open_gate(database, lease)
    changes = Changes(url)
    changes.listen("aos_room", gate.admission.heard)
    await changes.start()
    shared: BudgetMatch = match(budget(LIMIT, id="bgt_shared"))
    gate.binding.append(shared)
    ends: Counter[str] = Counter()

    async def call() -> None:
        try:
            hold = await gate.hold(BOUND, shared.budget, wait_seconds=20.0)
        except AosError as refusal:
            ends[refusal.code] += 1
            return
        await asyncio.sleep(0.02)
        await gate.end(hold, COST)
        ends["served"] += 1

    await asyncio.gather(*(call() for _ in range(CALLS)))
    await changes.stop()
    await lease.stop()
    await database.close()
    return dict(ends)


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(asyncio.run(crowd(sys.argv[1]))))
