"""Asks the ledger for a call's money, and does what `rules` says when there is not enough."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from aos.budgets.admission import rules
from aos.budgets.admission.limits import ACCOUNTS_CACHED_MAX, RETRY_SECONDS, WAIT_SECONDS_MAX
from aos.budgets.admission.model import Downgrade, Hold, SpendRequest
from aos.budgets.definitions import BudgetMatch
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


class Admission:
    """One a process."""

    def __init__(self, ledger: Ledger, clock: Clock | None = None) -> None:
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._account_ids: dict[AccountKey, int] = {}

    async def hold(self, request: SpendRequest) -> Hold | Downgrade:
        """Set the call's bound aside in every budget that binds it, or say why not.

        Raises BudgetExceeded, BudgetBusy, UnboundedRequest, UnpricedModel; DatabaseUnavailable,
        LedgerBusy and ClockSkewed when the ledger cannot be asked: budgets fail closed.
        """
        matches = request.matches
        amount = rules.amount_asked(request, matches)
        clamped_tokens: int | None = None
        began = self._clock.monotonic()
        deadline = began + min(request.wait_seconds, WAIT_SECONDS_MAX)
        while True:
            account_ids = await self._accounts(request.facts.tenant_id, matches)
            result = await self._take(request, amount, account_ids, matches)
            if result.granted:
                return Hold(
                    request.hold_id,
                    amount,
                    result.balances,
                    matches,
                    self._clock.monotonic() - began,
                    clamped_tokens,
                )
            patient = self._clock.monotonic() < deadline
            full, limited = _balances(result, account_ids, matches)
            match rules.next_step(request, amount, full, limited, patient=patient):
                case rules.Shrink(tokens, less):
                    clamped_tokens, amount = tokens, less
                case rules.Swap(budget_match, model):
                    return Downgrade(model, budget_match)
                case rules.Refuse(error):
                    raise error
                case rules.Wait():
                    await asyncio.sleep(RETRY_SECONDS)

    def settled(self, balances: Iterable[Balance]) -> None:
        """A call ended and left these balances: whoever waits for them may try again."""

    async def _take(
        self,
        request: SpendRequest,
        amount: Nanousd,
        account_ids: tuple[int, ...],
        matches: tuple[BudgetMatch, ...],
    ) -> HoldResult:
        claims = [Claim(account_ids[0], enforced=False)]
        claims += [
            Claim(account_id, rules.enforced(match))
            for account_id, match in zip(account_ids[1:], matches, strict=True)
        ]
        return await self._ledger.hold(
            HoldRequest(
                request.hold_id,
                request.call_id,
                request.facts.tenant_id,
                amount,
                tuple(claims),
                request.call,
                request.wait_seconds,
                rules.amount_least(request, amount),
            )
        )

    async def _accounts(self, tenant_id: str, matches: tuple[BudgetMatch, ...]) -> tuple[int, ...]:
        """Ids of the tenant's root account and of each match's; opened on first use."""
        known = self._account_ids
        keys = [AccountKey(tenant_id, "root", "", _EPOCH, None)]
        keys += [match.account for match in matches]
        if any(key not in known for key in keys):
            openings = [AccountOpening(keys[0], None)]
            openings += [
                AccountOpening(
                    match.account,
                    match.budget.limit,
                    rules.thresholds(match.budget),
                )
                for match in matches
            ]
            if len(known) > ACCOUNTS_CACHED_MAX:
                known.clear()
            known.update(zip(keys, await self._ledger.open_accounts(openings), strict=True))
        return tuple([known[key] for key in keys])


def _balances(
    result: HoldResult, account_ids: tuple[int, ...], matches: tuple[BudgetMatch, ...]
) -> tuple[tuple[BudgetMatch, Balance], tuple[Balance, ...]]:
    """The budget that refused, and the balances of every enforced one."""
    if result.outcome is not HoldOutcome.FULL or result.full is None:
        raise AosError(f"the ledger answered {result.outcome.name} to a new hold")
    # The first account is the tenant's root: it has no budget and is never full.
    by_account = dict(zip(account_ids[1:], matches, strict=True))
    limited = tuple(
        balance
        for balance in result.balances
        if balance.account_id in by_account and rules.enforced(by_account[balance.account_id])
    )
    return (by_account[result.full.account_id], result.full), limited
