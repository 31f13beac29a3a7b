"""Commits endings: ledger, attempt row and call row in one transaction, many calls at once."""

import asyncio
from collections.abc import Sequence

import structlog

from aos.budgets import Admission
from aos.gateway.limits import (
    REFUSALS_WAITING_MAX,
    SETTLEMENT_CLOSE_SECONDS_MAX,
    SETTLEMENT_RETRY_SECONDS,
    SETTLEMENT_WAIT_SECONDS_MAX,
)
from aos.gateway.settlement.model import Ending
from aos.gateway.store import end_calls
from aos.infra.batching import Batcher
from aos.infra.errors import DatabaseUnavailable
from aos.infra.postgres import Database
from aos.infra.telemetry import Metrics
from aos.ledger import LedgerAborted, SettlementResult
from aos.usage import AttemptRow, CallContent, ContentsNotKept, record, record_contents

log = structlog.get_logger("aos.gateway.settlement")


class Settler:
    """The one writer of endings.

    While the database is away, endings wait in memory and are retried in order; their number is
    bounded by the calls in flight, because nothing new is admitted without a hold.
    """

    def __init__(self, database: Database, admission: Admission, metrics: Metrics) -> None:
        self._database = database
        self._admission = admission
        self._metrics = metrics
        self._filed: set[asyncio.Task[SettlementResult | None]] = set()
        self._batcher: Batcher[Ending, SettlementResult | None] = Batcher(self._commit, lanes=1)

    async def settle(self, ending: Ending) -> SettlementResult | None:
        """Commit, waiting at most a second; None when it is still being retried by then."""
        if ending.attempt is not None:
            self._count(ending.attempt, ending.priced_as)
        try:
            async with asyncio.timeout(SETTLEMENT_WAIT_SECONDS_MAX):
                return await self._batcher.submit(ending)
        except TimeoutError:
            log.warning("settlement_delayed", hold=ending.settlement and ending.settlement.hold_id)
            return None

    def file(self, ending: Ending) -> None:
        """Commit without anybody waiting: for calls that were refused because the database is
        away. So many wait at most; the rest are told in the log alone, for nothing was spent.
        """
        if len(self._filed) >= REFUSALS_WAITING_MAX:
            log.warning("refusal_not_filed", call=ending.call and ending.call.id)
            return
        task = asyncio.create_task(self._batcher.submit(ending))
        self._filed.add(task)
        task.add_done_callback(self._filed.discard)

    async def close(self) -> None:
        """Wait for what is under way: an orderly stop leaves nothing to the reaper.

        Unless the database stays away: whoever reaps next posts the bounds of what is left.
        """
        if not await self._batcher.settle(SETTLEMENT_CLOSE_SECONDS_MAX):
            log.error("settlements_given_up", until="their holds are expired at their bound")
            for task in self._filed:
                task.cancel()

    def _count(self, attempt: AttemptRow, model: str) -> None:
        """Metrics count what providers were asked for: an attempt each."""
        self._metrics.observe_call(
            attempt.provider,
            model,
            attempt.status,
            attempt.latency_ms / 1000,
            tokens=attempt.usage,
            cost_nanousd=attempt.cost,
            unpriced=attempt.cost is None,
        )
        if attempt.cost:
            self._metrics.observe_spend(attempt.tenant_id, attempt.agent_id, attempt.cost)

    async def _commit(self, endings: Sequence[Ending]) -> list[SettlementResult | None]:
        while True:
            try:
                return await self._commit_once(endings)
            except LedgerAborted:
                if len(endings) > 1:
                    raise  # The batcher tries each alone.
                await asyncio.sleep(SETTLEMENT_RETRY_SECONDS)
            except DatabaseUnavailable:
                await asyncio.sleep(SETTLEMENT_RETRY_SECONDS)

    async def _keep(self, contents: Sequence[CallContent]) -> None:
        """One try: the money is settled by now, and no caller waits or fails for a kept text."""
        if not contents:
            return
        try:
            await record_contents(self._database, contents)
        except (ContentsNotKept, DatabaseUnavailable) as error:
            log.warning("contents_not_kept", calls=len(contents), error=error.message)

    async def _commit_once(self, endings: Sequence[Ending]) -> list[SettlementResult | None]:
        settlements = [e.settlement for e in endings if e.settlement is not None]
        calls = [e.call for e in endings if e.call is not None]
        attempts = [e.attempt for e in endings if e.attempt is not None]
        if not settlements:
            async with self._database.system() as tx:
                await record(tx, calls, attempts)
            return [None] * len(endings)
        made = [row for e in endings for row in e.made_objects]
        settled = await end_calls(self._database, settlements, calls, attempts, made)
        await self._keep([e.content for e in endings if e.content is not None])
        by_hold = {result.hold_id: result for result in settled}
        for result in settled:
            self._admission.settled(result.balances)
        return [by_hold.get(e.settlement.hold_id) if e.settlement else None for e in endings]
