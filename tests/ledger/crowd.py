"""A process of the concurrency test: takes from shared accounts as fast as it can."""

import asyncio
import sys
from random import Random

import orjson

from aos.infra.postgres import Database
from aos.infra.settings import LeaseSettings
from aos.kit import ids
from aos.kit.money import Nanousd
from aos.ledger import Claim, HoldRequest, Lease, Ledger, Settlement, SettlementKind

AMOUNT = Nanousd(10)
HOLDS = 50
ROUNDS = 4


async def crowd(url: str, account_ids: list[int], seed: int) -> dict[str, int]:
    """Rounds of concurrent holds on the first account and two others, each round settled."""
    database = await Database(url).open()
    lease = Lease(database, LeaseSettings())
    await lease.start()
    ledger = Ledger(database, lease.process_id)
    random = Random(seed)

    def request() -> HoldRequest:
        claimed = [account_ids[0], *random.sample(account_ids[1:], 2)]
        random.shuffle(claimed)
        claims = tuple(Claim(account_id, enforced=True) for account_id in claimed)
        return HoldRequest(ids.new("hold"), "call_1", "ten_a", AMOUNT, claims, b"{}")

    async def settle(hold_ids: list[str], kind: SettlementKind, cost: int) -> None:
        random.shuffle(hold_ids)
        async with database.system() as tx:
            await ledger.settle(
                tx, [Settlement(each, "ten_a", kind, Nanousd(cost)) for each in hold_ids]
            )

    kept = 0
    for number in range(ROUNDS):
        results = await asyncio.gather(*(ledger.hold(request()) for _ in range(HOLDS)))
        granted = [result.hold_id for result in results if result.granted]
        half = len(granted) // 2 if number < ROUNDS - 1 else 0
        await asyncio.gather(
            settle(granted[:half], SettlementKind.VOID, 0),
            settle(granted[half:], SettlementKind.POST, AMOUNT),
        )
        kept += len(granted) - half
    await lease.stop()
    await database.close()
    return {"kept": kept}


if __name__ == "__main__":
    answer = asyncio.run(crowd(sys.argv[1], orjson.loads(sys.argv[2]), int(sys.argv[3])))
    sys.stdout.buffer.write(orjson.dumps(answer))
