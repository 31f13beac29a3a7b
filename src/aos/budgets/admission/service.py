"""Asks the ledger for a call's money, and does what `rules` says when there is not enough."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from aos.budgets.admission import rules
from aos.budgets.admission.limits import (
    ACCOUNTS_CACHED_MAX,
    TRIES_AT_ONCE_MAX,
    WAIT_SECONDS_MAX,
)
from aos.budgets.admission.model import Downgrade, Hold, SpendRequest
from aos.budgets.definitions import BudgetMatch, SpendFacts, thresholds_of
from aos.budgets.queues import LinesFull, Queues, Waiter
from aos.kit.clock import Clock, SystemClock
from aos.kit.errors import AosError
from aos.kit.money import Nanousd
from aos.ledger import (
    AccountKey,
    AccountOpening,
    Balance,
    Claim,
    HoldOutcome,
    HoldRequest,
    HoldResult,
    Ledger,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Matcher = Callable[[SpendFacts], tuple[BudgetMatch, ...]]
"""The budgets that bind a call, as the snapshot of the moment has them."""


@dataclass(slots=True)
class _Asking:
    """A request on its way: what binds it now, and where it stands in line."""

    request: SpendRequest
    matches: tuple[BudgetMatch, ...]
    began: float
    deadline: float
    account_ids: tuple[int, ...] = ()
    shrunk: rules.Shrink | None = None
    waiter: Waiter | None = None
    waited: bool = False

    @property
    def amount(self) -> Nanousd:
        if self.shrunk is not None:
            return self.shrunk.amount
        return rules.amount_asked(self.request, self.matches)

    def by_account(self) -> dict[int, BudgetMatch]:
        # The first account is the tenant's root: it has no budget.
        return dict(zip(self.account_ids[1:], self.matches, strict=True))


class Admission:
    """One a process. `match` is asked again for a call that waited: the world may have changed."""

    def __init__(self, ledger: Ledger, match: Matcher, clock: Clock | None = None) -> None:
        self._ledger = ledger
        self._match = match
        self._clock = clock or SystemClock()
        self._queues = Queues()
        self._account_ids: dict[AccountKey, int] = {}

    async def hold(self, request: SpendRequest) -> Hold | Downgrade:
        """Set the call's bound aside in every budget that binds it, or say why not.

        Raises BudgetExceeded, BudgetBusy, UnboundedRequest, UnpricedModel; DatabaseUnavailable,
        LedgerBusy, ClockSkewed and LeaseLost when the ledger cannot be asked: budgets fail closed.
        """
        began = self._clock.monotonic()
        deadline = began + min(request.wait_seconds, WAIT_SECONDS_MAX)
        asking = _Asking(request, request.matches, began, deadline)
        try:
            return await self._ask(asking)
        finally:
            if asking.waiter is not None:
                self._queues.leave(asking.waiter)

    @property
    def waiting(self) -> int:
        """Calls of this process that wait for room."""
        return self._queues.waiting

    def settled(self, balances: Iterable[Balance]) -> None:
        """A call ended and left these balances: whoever waits for them may try again."""
        if self._queues.waiting:
            self._queues.seen(balances)

    def heard(self, payload: str) -> None:
        """A notice of channel ROOM_CHANNEL: account ids, set apart by commas, may have room."""
        if self._queues.waiting:
            self._queues.nudge(map(int, payload.split(",")))

    async def budgets_changed(self) -> None:
        """Limits were raised or periods reset: everybody who waits tries again."""
        self._queues.nudge_all()

    async def _ask(self, asking: _Asking) -> Hold | Downgrade:
        tries = TRIES_AT_ONCE_MAX
        asking.account_ids = await self._accounts(asking)
        if self._queues.waiting:
            await self._queue_behind_others(asking)
        while True:
            result = await self._take(asking)
            if result.granted:
                return self._granted(asking, result)
            tries -= 1
            if result.outcome is HoldOutcome.CLOSED and tries:
                await self._match_again(asking)
                continue
            full, limited = _refusal(asking, result)
            patient = self._clock.monotonic() < asking.deadline
            match rules.next_step(asking.request, full, limited, patient=patient):
                case rules.Shrink() as shrink:
                    if not tries:
                        raise rules.busy(*full)
                    asking.shrunk = shrink
                case rules.Swap(match, model):
                    return Downgrade(model, match)
                case rules.Wait():
                    await self._wait(asking, *full)
                    tries = TRIES_AT_ONCE_MAX
                case rules.Refuse(error):
                    raise error

    def _granted(self, asking: _Asking, result: HoldResult) -> Hold:
        if asking.waiter is not None:
            self._queues.leave(asking.waiter)
            asking.waiter = None
            self._queues.seen(result.balances)
        return Hold(
            result.hold_id,
            asking.amount,
            result.balances,
            asking.matches,
            self._clock.monotonic() - asking.began if asking.waited else 0.0,
            None if asking.shrunk is None else asking.shrunk.tokens,
        )

    async def _queue_behind_others(self, asking: _Asking) -> None:
        """A newcomer does not overtake those who wait for one of its accounts.

        Who cannot fit whatever comes back does not wait to hear it.
        """
        least = rules.amount_least(asking.request, asking.amount)
        for account_id, match in asking.by_account().items():
            line = self._queues.line(account_id)
            if line is None or not rules.enforced(match):
                continue
            if rules.fits_later(least, (line.balance,)):
                if self._clock.monotonic() < asking.deadline:
                    await self._wait(asking, match, line.balance)
                return

    async def _wait(self, asking: _Asking, match: BudgetMatch, balance: Balance) -> None:
        asking.shrunk = None
        asking.waited = True
        if asking.waiter is not None and asking.waiter.account_id != balance.account_id:
            self._queues.leave(asking.waiter)
            asking.waiter = None
        if asking.waiter is None:
            least = rules.amount_least(asking.request, asking.amount)
            try:
                asking.waiter = self._queues.join(balance, asking.amount, least)
            except LinesFull:
                raise rules.busy(match, balance) from None
        left = asking.deadline - self._clock.monotonic()
        if not await self._queues.turn(asking.waiter, left):
            raise rules.busy(match, balance)
        await self._match_again(asking)

    async def _match_again(self, asking: _Asking) -> None:
        facts = replace(asking.request.facts, at=self._clock.now())
        asking.matches = self._match(facts)
        asking.account_ids = await self._accounts(asking)

    async def _take(self, asking: _Asking) -> HoldResult:
        request, amount = asking.request, asking.amount
        claims = [Claim(asking.account_ids[0], enforced=False)]
        claims += [
            Claim(account_id, rules.enforced(match))
            for account_id, match in zip(asking.account_ids[1:], asking.matches, strict=True)
        ]
        return await self._ledger.hold(
            HoldRequest(
                request.hold_id,
                request.call_id,
                request.facts.tenant_id,
                amount,
                tuple(claims),
                request.call,
                max(0.0, asking.deadline - self._clock.monotonic()),
                rules.amount_least(request, amount),
            )
        )

    async def _accounts(self, asking: _Asking) -> tuple[int, ...]:
        """Ids of the tenant's root account and of each match's; opened on first use."""
        known = self._account_ids
        keys = [AccountKey(asking.request.facts.tenant_id, "root", "", _EPOCH, None)]
        keys += [match.account for match in asking.matches]
        if any(key not in known for key in keys):
            openings = [AccountOpening(keys[0], None)]
            openings += [
                AccountOpening(match.account, match.budget.limit, thresholds_of(match.budget))
                for match in asking.matches
            ]
            if len(known) > ACCOUNTS_CACHED_MAX:
                known.clear()
            known.update(zip(keys, await self._ledger.open_accounts(openings), strict=True))
        return tuple([known[key] for key in keys])


def _refusal(
    asking: _Asking, result: HoldResult
) -> tuple[tuple[BudgetMatch, Balance], tuple[Balance, ...]]:
    """The budget that refused, and the balances of every enforced one."""
    if result.outcome is not HoldOutcome.FULL or result.full is None:
        raise AosError(f"the ledger answered {result.outcome.name} to a new hold")
    by_account = asking.by_account()
    limited = tuple(
        balance
        for balance in result.balances
        if balance.account_id in by_account and rules.enforced(by_account[balance.account_id])
    )
    return (by_account[result.full.account_id], result.full), limited
