"""The verbs of the ledger. Holds open their own transaction; settling runs inside the caller's."""

import asyncio
from collections.abc import Sequence

from aos.infra.batching import Batcher
from aos.infra.errors import DatabaseUnavailable
from aos.infra.postgres import Database, Transaction
from aos.kit.clock import Clock, SystemClock
from aos.kit.errors import Unavailable
from aos.kit.money import Nanousd, format_usd
from aos.ledger import store
from aos.ledger.errors import HoldTooLarge, LedgerAborted
from aos.ledger.limits import (
    DEAD_HOLDS_MAX,
    DOUBTFUL_HOLDS_MAX,
    HOLD_LANES,
    HOLD_NANOUSD_MAX,
    HOLD_SECONDS_MAX,
    MISMATCHES_MAX,
    PROCESS_KEPT_SECONDS,
    VERIFY_SECONDS_MAX,
)
from aos.ledger.model import (
    AccountOpening,
    DeadHold,
    Entry,
    HoldRequest,
    HoldResult,
    Mismatch,
    Settlement,
    SettlementKind,
    SettlementResult,
)


class Ledger:
    """One a process; `process_id` is its lease's."""

    def __init__(
        self,
        database: Database,
        process_id: str,
        clock: Clock | None = None,
        *,
        lanes: int = HOLD_LANES,
    ) -> None:
        self._database = database
        self._process_id = process_id
        self._clock = clock or SystemClock()
        self._holds: Batcher[HoldRequest, HoldResult | Unavailable] = Batcher(
            self._take_holds, lanes=lanes
        )
        self._doubtful: dict[str, str] = {}

    async def open_accounts(self, openings: Sequence[AccountOpening]) -> list[int]:
        """Ids of these accounts, in order; those that are not there are opened.

        Raises DatabaseUnavailable.
        """
        try:
            async with asyncio.timeout(HOLD_SECONDS_MAX):
                return await store.open_accounts(self._database, openings)
        except TimeoutError as error:
            raise DatabaseUnavailable("the database did not answer in time") from error

    async def hold(self, request: HoldRequest) -> HoldResult:
        """Take a hold from every claimed account, all or none; concurrent holds share a batch.

        Safe to repeat with the same id. Raises HoldTooLarge. Raises DatabaseUnavailable,
        LedgerBusy, LedgerAborted, ClockSkewed or LeaseLost: then the hold counts as refused, and
        is taken back if it was committed after all (see `repair`). The same when the caller is
        cancelled.
        """
        assert request.claims, "spend off the books"
        if request.amount > HOLD_NANOUSD_MAX:
            raise HoldTooLarge(
                f"{format_usd(request.amount)} USD is more than one call may hold: ask for less"
                " output"
            )
        if len(self._doubtful) >= DOUBTFUL_HOLDS_MAX:
            raise DatabaseUnavailable("too many holds wait to be taken back; try again soon")
        try:
            async with asyncio.timeout(HOLD_SECONDS_MAX):
                result = await self._holds.submit(request)
        except (TimeoutError, asyncio.CancelledError) as error:
            # Its batch runs on, and grants a hold that nobody will settle.
            self._doubtful[request.id] = request.tenant_id
            if isinstance(error, TimeoutError):
                raise DatabaseUnavailable("the database did not answer in time") from error
            raise
        if isinstance(result, Unavailable):
            raise type(result)(result.message) from result
        return result

    async def settle(
        self, tx: Transaction, settlements: Sequence[Settlement]
    ) -> list[SettlementResult]:
        """End holds inside the caller's transaction, of any tenants; results in order.

        Repeating a settlement changes nothing. A POST after its hold expired books the
        correction. Put it last in the transaction: it locks the accounts until the commit.
        Raises UnknownHold, LedgerBusy, LedgerAborted, DatabaseUnavailable.
        """
        results: list[SettlementResult] = []
        for batch in _without_repeats(settlements):
            results += await store.end_holds(tx, batch)
        return results

    async def set_terms(
        self, tx: Transaction, budget_id: str, limit: Nanousd | None, thresholds: Sequence[int]
    ) -> None:
        """What a budget of this transaction's tenant allows from now on.

        Its open periods take it at once, and waiters try again; what is pending completes.
        """
        await store.set_terms(tx, budget_id, limit, thresholds)

    async def retire(self, tx: Transaction, budget_id: str) -> None:
        """A budget of this transaction's tenant was deleted: it binds nobody from now on."""
        await store.retire(tx, budget_id)

    async def expire(self, tx: Transaction, dead_after_seconds: float) -> list[DeadHold]:
        """Post the bound of holds whose process is dead, at most a hundred; returns them.

        The caller writes their calls' rows in the same transaction, marked estimated.
        """
        dead = await store.lock_dead_holds(tx, dead_after_seconds, DEAD_HOLDS_MAX)
        if not dead:
            await store.forget_processes(tx, PROCESS_KEPT_SECONDS)
        else:
            await self.settle(
                tx,
                [
                    Settlement(
                        hold.id, hold.tenant_id, SettlementKind.EXPIRE, hold.amount, estimated=True
                    )
                    for hold in dead
                ],
            )
        return dead

    async def verify(self) -> list[Mismatch]:
        """Everything on the books that cannot be, at most a thousand; nothing when all is well.

        Reads all of it in one snapshot, while money moves.
        """
        async with self._database.system() as tx:
            return await store.mismatches(tx, MISMATCHES_MAX, VERIFY_SECONDS_MAX)

    async def entries(self, tx: Transaction, hold_ids: Sequence[str]) -> list[Entry]:
        """The journal's lines of these holds of the transaction's tenant. Raises InvalidId."""
        return await store.read_entries(tx, hold_ids) if hold_ids else []

    @property
    def doubtful(self) -> int:
        """Holds of which nobody knows yet whether they were committed."""
        return len(self._doubtful)

    async def repair(self) -> int:
        """Take back the doubtful holds; returns how many. Raises DatabaseUnavailable.

        Only this process remembers them. If it dies first, its lease ends and they are expired
        like every hold of a dead process.
        """
        done = 0
        for hold_id, tenant_id in list(self._doubtful.items()):
            await store.cancel_hold(self._database, hold_id, tenant_id)
            del self._doubtful[hold_id]
            done += 1
        return done

    async def _take_holds(
        self, requests: Sequence[HoldRequest]
    ) -> Sequence[HoldResult | Unavailable]:
        try:
            return await store.take_holds(
                self._database, self._process_id, self._clock.now(), requests
            )
        except LedgerAborted:
            raise  # Each is tried alone.
        except Unavailable as error:
            # All are refused at once: trying each alone would make the last wait for minutes.
            if not store.certainly_refused(error):
                self._doubtful.update((request.id, request.tenant_id) for request in requests)
            return [error] * len(requests)


def _without_repeats(settlements: Sequence[Settlement]) -> list[list[Settlement]]:
    """Runs in which no hold comes twice: one batch, but for a bug or an odd coincidence."""
    batches: list[list[Settlement]] = []
    seen: set[str] = set()
    for settlement in settlements:
        if not batches or settlement.hold_id in seen:
            batches.append([])
            seen.clear()
        seen.add(settlement.hold_id)
        batches[-1].append(settlement)
    return batches
