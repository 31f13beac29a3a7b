"""Pure: what an answer came to, priced by the model that the provider says it ran."""

from typing import Final

from aos.catalog import Cost
from aos.gateway.model import Candidate, Headers
from aos.gateway.pricing.rules import Pricer
from aos.gateway.progress.model import Attempt, Progress
from aos.gateway.settlement.model import Outcome
from aos.kit.errors import AosError
from aos.kit.money import Nanousd, ceiling, format_usd
from aos.messages import ModelCall, Reported, TokenUsage
from aos.providers import estimate_cut
from aos.usage import CallStatus

_REDIRECT: Final = 300
_BAD: Final = 400
_NAME_CHARACTERS_MAX: Final = 512


def answered(
    pricer: Pricer, attempt: Attempt, call: ModelCall, reported: Reported, fault: str | None = None
) -> Outcome:
    """A complete answer with its usage: the truth. `fault` is an error it ended with."""
    status = CallStatus.UPSTREAM_ERROR if fault else CallStatus.OK
    error: dict[str, object] | None = None
    if fault:
        error = {"code": "upstream_error", "message": fault}
    bills = pricer.bill(attempt.candidate, call, reported)
    if bills is None:
        return _unpriced(attempt, status, reported, error)
    amount = Nanousd(sum(bill.amount for bill in bills))
    return Outcome(
        status,
        posted=amount,
        cost=amount,
        spent=True,
        usage=reported.usage,
        reported=reported,
        cost_lines=_lines(bills),
        price_id=bills[0].price_id if bills else None,
        error=error,
    )


def cut(
    progress: Progress,
    attempt: Attempt,
    status: CallStatus,
    error: dict[str, object] | None = None,
    said: Reported | None = None,
) -> Outcome:
    """An answer without its usage: post the most that it can have cost, marked estimated.

    `said` is what a whole answer told all the same; a stream knows how far it came.
    """
    candidate, call, stream = attempt.candidate, progress.call, progress.stream
    assert call is not None
    reported = said or (stream.reported if stream is not None else Reported())
    if candidate.price is None or not candidate.priced:
        return _unpriced(attempt, status, reported, error)
    if candidate.bound is None:
        return _unbounded(progress, attempt, status, reported, error)
    usage = estimate_cut(
        call,
        candidate.ceilings,
        reported,
        output_bytes=stream.output_bytes if stream is not None else 0,
        hidden_reasoning=stream is None
        or candidate.provider.hides_reasoning(call, candidate.model),
    )
    amount = min(attempt.hold.amount, _most(candidate, usage))
    return Outcome(
        status,
        posted=amount,
        cost=amount,
        spent=True,
        estimated=True,
        usage=usage,
        reported=reported,
        price_id=candidate.price.id,
        error=error,
    )


def _unpriced(
    attempt: Attempt, status: CallStatus, reported: Reported, error: dict[str, object] | None
) -> Outcome:
    """A cap must trip all the same: what was held is posted, and the cost stays unknown."""
    return Outcome(
        status,
        posted=attempt.hold.amount,
        cost=None,
        spent=True,
        estimated=True,
        usage=reported.usage,
        reported=reported,
        error=error,
    )


def _unbounded(
    progress: Progress,
    attempt: Attempt,
    status: CallStatus,
    reported: Reported,
    error: dict[str, object] | None,
) -> Outcome:
    """Nothing bounds what it has cost: the reserve, or what it has told so far if that is more."""
    assert progress.call is not None
    bills = progress.pricer.bill(attempt.candidate, progress.call, reported)
    price = attempt.candidate.price
    if bills is None or price is None:
        return _unpriced(attempt, status, reported, error)
    amount = Nanousd(max(attempt.hold.amount, sum(bill.amount for bill in bills)))
    return Outcome(
        status,
        posted=amount,
        cost=amount,
        spent=True,
        estimated=True,
        usage=reported.usage,
        reported=reported,
        price_id=price.id,
        error=error,
    )


def failed(error: AosError, status: CallStatus = CallStatus.UPSTREAM_ERROR) -> Outcome:
    """The upstream was never reached: nothing was spent."""
    return Outcome(
        status,
        posted=Nanousd(0),
        cost=Nanousd(0),
        spent=False,
        error={"code": error.code, "message": error.message},
    )


def _most(candidate: Candidate, usage: TokenUsage) -> Nanousd:
    """The input at its bound, the output at the dearest rate: never less than the truth."""
    return Nanousd(
        candidate.input_bound + ceiling(usage.output_tokens * candidate.pico_per_output_token)
    )


def _lines(bills: tuple[Cost, ...]) -> tuple[dict[str, object], ...]:
    return tuple(
        {"unit": line.unit, "quantity": line.quantity, "pico_per_unit": line.pico_per_unit}
        for bill in bills
        for line in bill.lines
    )


def refused_upstream(error: dict[str, object]) -> Outcome:
    """The upstream answered with an error: it bills nothing for that."""
    return Outcome(
        CallStatus.UPSTREAM_ERROR,
        posted=Nanousd(0),
        cost=Nanousd(0),
        spent=False,
        error=error,
    )


def status_for_caller(status: int) -> int:
    """An upstream's error status as the caller gets it.

    401 would blame the caller's key for a fault of ours, 500 would blame AOS for the upstream's, a
    redirect would lead round the gate: these become 502. The rest says the same on both sides.
    """
    return 502 if status in {401, 500} or _REDIRECT <= status < _BAD else status


def _shown(name: str) -> bytes:
    """A name that a caller or an upstream chose, as a header can carry it."""
    if not name.isprintable():
        name = "".join(letter if letter.isprintable() else "?" for letter in name)
    return name[:_NAME_CHARACTERS_MAX].encode("ascii", "replace")


def told_of(attempt: Attempt, model: str, cost: Nanousd | None) -> Headers:
    """What the answer's headers tell: provider, model, cost (not on streams), budget left."""
    headers: Headers = [
        (b"x-aos-provider", attempt.candidate.provider.config.id.encode()),
        (b"x-aos-model", _shown(model)),
    ]
    if cost is not None:
        headers.append((b"x-aos-cost-usd", format_usd(cost).encode()))
    left = [b.available for b in attempt.balances if b.available is not None]
    if left:
        headers.append((b"x-aos-budget-remaining-usd", format_usd(min(left)).encode()))
    if attempt.hold.clamped_tokens is not None:
        headers.append((b"x-aos-clamped-output-tokens", str(attempt.hold.clamped_tokens).encode()))
    return headers
