"""The story of a call, top to bottom: read, authorise, price, hold, dispatch, settle.

Every way to a provider leads through `Pipeline`. No transaction is open while an upstream is
waited for: the hold commits before the dispatch, the settlement before the last byte.
"""

import asyncio
from collections import deque
from contextlib import nullcontext

from aos.budgets import Admission, Downgrade
from aos.gateway.candidates.service import Planner
from aos.gateway.errors import CallerGone
from aos.gateway.limits import CONNECT_RETRIES_MAX
from aos.gateway.model import Candidate, Habits, Incoming, Reply
from aos.gateway.progress.model import Attempt, Progress
from aos.gateway.relay.rules import cut, failed, told_of
from aos.gateway.relay.service import Delivery, Relay
from aos.gateway.rules import call_of
from aos.gateway.settlement.model import Ending, Outcome
from aos.gateway.settlement.rules import attempt_row, call_row, ending_of, status_of, told
from aos.gateway.settlement.service import Settler
from aos.gateway.watch.service import CallerWatch
from aos.infra.errors import OutboundRefused
from aos.kit import ids
from aos.kit.clock import Clock
from aos.kit.errors import AosError, Forbidden, NotFound, Unavailable
from aos.messages import StreamInvalid
from aos.providers import AnswerTooLarge, UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from aos.usage import CallStatus


class Pipeline:
    """Admits, dispatches and settles calls."""

    def __init__(
        self,
        planner: Planner,
        admission: Admission,
        relay: Relay,
        settler: Settler,
        clock: Clock,
        habits: Habits,
    ) -> None:
        self._planner = planner
        self._admission = admission
        self._relay = relay
        self._settler = settler
        self._clock = clock
        self._drain = habits.drain
        self._keep_contents = habits.keep_contents

    async def complete(self, incoming: Incoming, reply: Reply) -> None:
        """Serve one call that costs money.

        Raises an AosError that the door tells the caller; the refusal is on the books by then.
        """
        watch = CallerWatch(reply)
        kept = bytearray() if self._keep_contents else None
        progress = Progress(incoming, self._planner.pricer(incoming), watch, kept=kept)
        try:
            progress.call = call_of(incoming)
            candidates = await self._planner.candidates(incoming, progress.call)
            await self._serve(progress, deque(candidates), reply)
        except AosError as error:
            await self._file_refusal(progress, error)
            raise
        finally:
            watch.close()

    async def _serve(self, progress: Progress, candidates: deque[Candidate], reply: Reply) -> None:
        """The first candidate that answers, serves: each try with its own hold and row."""
        reconnects = CONNECT_RETRIES_MAX
        while True:
            attempt = await self._admit(progress, candidates[0])
            if isinstance(attempt, Downgrade):
                candidates = self._downgraded(progress, attempt) or candidates
                continue
            others = len(candidates) > 1
            try:
                delivery = await self._carry(
                    progress, attempt, reply, others=others, again=bool(reconnects)
                )
            except (UpstreamUnreachable, OutboundRefused) as error:
                if reconnects and isinstance(error, UpstreamUnreachable):
                    reconnects -= 1
                elif others:
                    candidates.popleft()
                    reconnects = CONNECT_RETRIES_MAX
                else:
                    raise
                continue
            if delivery.another_may_do and others:
                await self._end(progress, attempt, delivery.outcome, last=False)
                candidates.popleft()
                continue
            await self._deliver(progress, attempt, delivery, reply)
            return

    async def _admit(self, progress: Progress, candidate: Candidate) -> Attempt | Downgrade:
        """Transaction 1: a hold on every budget that binds the call on this candidate."""
        request = await self._planner.spend_request(progress, candidate)
        asked = self._clock.monotonic()
        with progress.watch:
            hold = await self._admission.hold(request)
        if isinstance(hold, Downgrade):
            return hold
        now = self._clock.monotonic()
        _tell_hold(progress, hold.waited_seconds, now - asked, hold.clamped_tokens)
        return Attempt(
            candidate=candidate,
            hold=hold,
            number=len(progress.attempts) + 1,
            created_at=ids.time_of(hold.id),
            started=now,
            balances=hold.balances,
        )

    async def _carry(
        self, progress: Progress, attempt: Attempt, reply: Reply, *, others: bool, again: bool
    ) -> Delivery:
        """To the upstream and back. However that fails, the hold ends at what it cost at most.

        `others` and `again` say what may follow a failure to reach it: another, or it once more.
        """
        sent = False
        try:
            request = self._planner.upstream_request(progress, attempt)
            # A draining gate stops for nobody from here on: what is under way will be paid for.
            with nullcontext() if self._drain else progress.watch:
                sent = True
                return await self._relay.carry(progress, attempt, request, reply)
        except UpstreamUnreachable as error:
            await self._end(progress, attempt, failed(error), last=not (others or again))
            raise
        except OutboundRefused as error:
            await self._end(progress, attempt, failed(error), last=not others)
            raise
        except (UpstreamTimeout, UpstreamBroken, AnswerTooLarge, StreamInvalid) as error:
            await self._end(progress, attempt, self._cut(progress, attempt, error), last=True)
            await self._tell_stream(progress, error, reply)
            raise
        except BaseException as error:
            # The caller left, we are told to stop, or this is a bug: no hold outlives its attempt.
            if sent:
                outcome = self._cut(progress, attempt, error)
            else:
                outcome = failed(CallerGone("the caller left first"), CallStatus.CANCELLED)
            await self._end(progress, attempt, outcome, last=True)
            raise

    async def _deliver(
        self, progress: Progress, attempt: Attempt, delivery: Delivery, reply: Reply
    ) -> None:
        """Transaction 2, then the last byte."""
        outcome = delivery.outcome
        await self._end(progress, attempt, outcome, last=True)
        if not progress.answered:
            model = (outcome.reported and outcome.reported.model) or attempt.candidate.model
            headers = [*delivery.headers, *told_of(attempt, model, outcome.cost)]
            headers.append((b"content-length", str(len(delivery.rest)).encode()))
            await reply.start(delivery.status, headers)
        await reply.send(delivery.rest, last=True)

    def _downgraded(self, progress: Progress, downgrade: Downgrade) -> deque[Candidate]:
        """The budget wants a cheaper model: ask once more, on that model's own budgets.

        Nobody where that model cannot serve this call, or not for this key: the budget then does
        what it does without one.
        """
        call = progress.call
        assert call is not None
        try:
            found = self._planner.for_model(progress.incoming, call, downgrade.model)
        except (NotFound, Forbidden) as error:
            progress.story["not_downgraded"] = error.message
            return deque()
        progress.story["downgraded_to"] = downgrade.model
        return deque(found)

    def _cut(self, progress: Progress, attempt: Attempt, error: BaseException) -> Outcome:
        if isinstance(error, CallerGone | asyncio.CancelledError):
            status = CallStatus.CANCELLED
        else:
            status = CallStatus.UPSTREAM_ERROR
        failure: dict[str, object] = {"code": "shutting_down"}
        if isinstance(error, AosError):
            failure = told(error)
        return cut(progress, attempt, status, failure)

    async def _end(
        self, progress: Progress, attempt: Attempt, outcome: Outcome, *, last: bool
    ) -> None:
        """Put the attempt on the books, and with the last one the call."""
        now = self._clock.monotonic()
        row = attempt_row(progress, attempt, outcome, now)
        progress.attempts.append(row)
        call = call_row(progress, outcome.status, now) if last else None
        progress.recorded = last
        result = await self._settler.settle(ending_of(progress, attempt, row, outcome, call))
        if result is not None:
            attempt.balances = result.balances

    async def _file_refusal(self, progress: Progress, error: AosError) -> None:
        """The row of a call that ended before, or between, its attempts."""
        if progress.recorded:
            return
        progress.recorded = True
        row = call_row(progress, status_of(error), self._clock.monotonic(), told(error))
        ending = Ending(settlement=None, call=row, attempt=None)
        if isinstance(error, Unavailable):
            self._settler.file(ending)
        else:
            await self._settler.settle(ending)

    async def _tell_stream(self, progress: Progress, error: AosError, reply: Reply) -> None:
        """A stream that broke after its status line left: say so in the stream itself."""
        if progress.answered and progress.stream is not None:
            event = progress.stream.error_event(error, progress.incoming.id)
            await reply.send(event, last=True)


def _tell_hold(
    progress: Progress, waited_seconds: float, hold_seconds: float, clamped: int | None
) -> None:
    """What GET /api/v1/usage/calls/{id} says of how the call was admitted."""
    story = progress.story
    story["hold_ms"] = round(hold_seconds * 1000, 3)
    if waited_seconds:
        story["waited_ms"] = round(waited_seconds * 1000, 3)
    if clamped is not None:
        story["clamped_output_tokens"] = clamped
