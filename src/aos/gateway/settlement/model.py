"""How an attempt ended, ready for the books."""

from dataclasses import dataclass

from aos.kit.money import Nanousd
from aos.ledger import Settlement
from aos.messages import Reported, TokenUsage
from aos.usage import AttemptRow, CallContent, CallRow, CallStatus


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to.

    `cost` is None when nobody knows a price; `posted` is what the ledger takes. `reported` is
    None when the upstream said nothing that can be read.
    """

    status: CallStatus
    posted: Nanousd
    cost: Nanousd | None
    spent: bool
    """False: the upstream was never reached or refused; the hold is voided."""
    estimated: bool = False
    usage: TokenUsage = TokenUsage()
    reported: Reported | None = None
    cost_lines: tuple[dict[str, object], ...] = ()
    price_id: str | None = None
    error: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """What one commit writes: at least one of its parts is there.

    `settlement` is None for a call that was refused before any hold; `call` is None for an
    attempt that another attempt follows.
    """

    settlement: Settlement | None
    call: CallRow | None
    attempt: AttemptRow | None
    priced_as: str = "unknown"
    """The catalogue's name of the model: bounded, as a metric's label must be."""
    content: CallContent | None = None
    made_objects: tuple[tuple[str, str, str], ...] = ()
    """(tenant, provider, object id) of what the provider now keeps for this tenant."""
