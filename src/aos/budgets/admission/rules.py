"""What happens next to a call, given what the ledger said. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aos.budgets.admission.errors import (
    BudgetBusy,
    BudgetExceeded,
    UnboundedRequest,
    UnpricedModel,
)
from aos.budgets.admission.limits import BUSY_RETRY_AFTER_SECONDS
from aos.budgets.admission.model import Clamp, SpendRequest
from aos.budgets.definitions import BreachAction, BudgetMatch
from aos.kit.errors import AosError
from aos.kit.money import PICO_PER_NANO, Nanousd, format_usd
from aos.ledger import Balance


@dataclass(frozen=True, slots=True)
class Wait:
    """Room may come back."""


@dataclass(frozen=True, slots=True)
class Shrink:
    """Ask again for less: `amount` with an output ceiling of `tokens`."""

    tokens: int
    amount: Nanousd


@dataclass(frozen=True, slots=True)
class Swap:
    """Ask again with the cheaper model that this budget names."""

    match: BudgetMatch
    model: str


@dataclass(frozen=True, slots=True)
class Refuse:
    error: AosError


Step = Wait | Shrink | Swap | Refuse


def enforced(match: BudgetMatch) -> bool:
    """ALERT_ONLY is counted and never in the way; so is a budget without a limit."""
    return match.budget.action is not BreachAction.ALERT_ONLY and match.budget.limit is not None


def amount_asked(request: SpendRequest, matches: tuple[BudgetMatch, ...]) -> Nanousd:
    """What to hold. Raises UnboundedRequest and UnpricedModel, under a blocking budget only."""
    if request.priced and request.bound is not None:
        return request.bound
    blocking = next((match.budget for match in matches if enforced(match)), None)
    if blocking is None:
        return request.reserve
    if not request.priced:
        model, field = request.facts.model, request.because
        lacks = "has no price" if field is None else f"has no price for the {field} asked for"
        way = "use a priced model" if field is None else f"ask for another {field}"
        raise UnpricedModel(
            f"{model} {lacks}, so budget {blocking.name!r} cannot bound it: import a price or "
            f"{way}",
            model=model,
            field=field,
            budget_id=blocking.id,
            budget_name=blocking.name,
        )
    raise UnboundedRequest(
        f"nothing bounds what this request may cost ({request.because}), and budget "
        f"{blocking.name!r} must not be exceeded: set a limit for it or leave it out",
        field=request.because,
        budget_id=blocking.id,
        budget_name=blocking.name,
    )


def amount_least(request: SpendRequest, amount: Nanousd) -> Nanousd:
    """The smallest hold that the call would make do with."""
    if request.clamp is None:
        return amount
    return min(amount, request.clamp.amount(request.clamp.tokens_floor))


def next_step(
    request: SpendRequest,
    full: tuple[BudgetMatch, Balance],
    limited: tuple[Balance, ...],
    *,
    patient: bool,
) -> Step:
    """What to do with a request that did not fit.

    `full` is the budget that refused, `limited` the balances of all enforced accounts; `patient`
    says that the call may still wait. In this order: wait, downgrade, clamp, refuse.
    """
    match, balance = full
    amount = request.bound
    assert amount is not None, "only a bounded request is tested against a limit"
    wait = Wait() if patient else Refuse(busy(match, balance))
    if fits_later(amount, limited):
        return wait
    if match.budget.action is BreachAction.DOWNGRADE_MODEL and not request.downgraded:
        model = match.budget.downgrade_model
        if model is not None and model != request.facts.model:
            return Swap(match, model)
    if request.clamp is not None:
        tokens = tokens_affordable(request.clamp, _available(limited))
        if tokens is not None:
            return Shrink(tokens, request.clamp.amount(tokens))
        if fits_later(amount_least(request, amount), limited):
            return wait
    return Refuse(_exceeded(match, balance, amount_least(request, amount)))


def tokens_affordable(clamp: Clamp, available: int) -> int | None:
    """The largest output ceiling that `available` pays for; None when that is below the floor."""
    left = (available - clamp.fixed) * PICO_PER_NANO
    if left < 0:
        return None
    rate = clamp.pico_per_output_token * clamp.choices
    tokens = clamp.tokens_max if rate == 0 else min(clamp.tokens_max, left // rate)
    return tokens if tokens >= max(1, clamp.tokens_floor) else None


def fits_later(amount: int, limited: tuple[Balance, ...]) -> bool:
    """It would fit if everything pending came back."""
    return all(b.limit is None or b.posted + amount <= b.limit for b in limited)


def _available(limited: tuple[Balance, ...]) -> int:
    return min((b.available for b in limited if b.available is not None), default=0)


def _exceeded(match: BudgetMatch, balance: Balance, needed: Nanousd) -> BudgetExceeded:
    ends = match.account.period_end
    return BudgetExceeded(
        f"budget {match.budget.name!r} has {_usd(balance.available)} USD left of "
        f"{_usd(balance.limit)}, and this request may cost up to {_usd(needed)} (less with a lower "
        "output ceiling); "
        + ("it never resets" if ends is None else f"it resets at {_time(ends)}"),
        needed_usd=_usd(needed),
        **_details(match, balance),
    )


def busy(match: BudgetMatch, balance: Balance) -> BudgetBusy:
    """The call is told to come back."""
    return BudgetBusy(
        f"the rest of budget {match.budget.name!r} is held by calls under way; try again soon",
        retry_after_seconds=BUSY_RETRY_AFTER_SECONDS,
        **_details(match, balance),
    )


def _details(match: BudgetMatch, balance: Balance) -> dict[str, Any]:
    ends = match.account.period_end
    return {
        "budget_id": match.budget.id,
        "budget_name": match.budget.name,
        "limit_usd": _usd(balance.limit),
        "remaining_usd": _usd(balance.available),
        "reset_at": None if ends is None else _time(ends),
    }


def _usd(amount: int | None) -> str:
    return "unlimited" if amount is None else format_usd(amount)


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
