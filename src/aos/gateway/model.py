"""The words of the data path."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from aos.budgets import Hold
from aos.catalog import PriceVersion
from aos.identity import Caller
from aos.kit.money import Nanousd
from aos.ledger import Balance
from aos.messages import Dialect, Labels, ModelCall, StreamReader
from aos.providers import Ceilings, Provider
from aos.usage import AttemptRow

if TYPE_CHECKING:
    from aos.gateway.relay.rules import Pricer
    from aos.gateway.relay.service import CallerWatch

Headers = list[tuple[bytes, bytes]]
"""Names in lower case, as ASGI has them."""


class Kind(StrEnum):
    """What a path under /v1/ does."""

    GENERATE = "generate"
    """Costs money: held, dispatched, settled."""
    COUNT = "count"
    """Counts tokens at the provider: forwarded free, never guessed."""
    RETRIEVE = "retrieve"
    """Reads or cancels what an earlier call left at the provider: forwarded free."""
    MODELS = "models"


@dataclass(frozen=True, slots=True)
class Operation:
    """One served path. `path` is what the upstream gets after `/v1`."""

    kind: Kind
    dialect: Dialect
    path: str
    object_id: str | None = None
    fixed_output: bool = False
    """The path takes no output ceiling: none is set, and nothing is clamped."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request as it came in; the body is decoded, the headers are raw."""

    id: str
    operation: Operation
    method: str
    query: bytes
    headers: Headers
    body: bytes
    caller: Caller
    labels: Labels
    received_at: datetime
    started: float
    """Clock.monotonic() when it came in."""


@dataclass(frozen=True, slots=True)
class Door:
    """What the ASGI door insists on."""

    body_bytes_max: int
    tenant_required: bool
    scopes_enforced: bool


@dataclass(frozen=True, slots=True)
class Habits:
    """What the operator chose. `drain`: when the caller leaves, read its answer to the end and
    book the truth. `keep_contents`: store what was asked and answered, redacted of keys.
    """

    drain: bool = False
    keep_contents: bool = False


class Reply(Protocol):
    """Where an answer goes: an ASGI connection, or a run that asked in-process."""

    async def start(self, status: int, headers: Headers) -> None: ...

    async def send(self, body: bytes, *, last: bool) -> None: ...

    async def gone(self) -> None:
        """Return when the caller has left; wait for ever while it has not."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider and model that may serve the call, and the most that can cost.

    `bound` is None when the call is unbounded on it; `price` is None when it is unpriced.
    """

    provider: Provider
    model: str
    prices_of: str
    """Whose prices hold: an id in the catalogue."""
    price: PriceVersion | None
    ceilings: Ceilings
    bound: Nanousd | None
    input_bound: Nanousd
    pico_per_output_token: int
    output_tokens_known: int | None = None
    """The model's own output ceiling, where somebody has published it."""


@dataclass(slots=True)
class Attempt:
    """One dispatch under one hold. `balances` are the latest known of the claimed accounts."""

    candidate: Candidate
    hold: Hold
    number: int
    created_at: datetime
    started: float
    balances: tuple[Balance, ...]


@dataclass(slots=True)
class Progress:
    """What has become of a call so far: the one mutable thing of the path."""

    incoming: Incoming
    pricer: "Pricer"
    watch: "CallerWatch"
    call: ModelCall | None = None
    stream: StreamReader | None = None
    attempts: list[AttemptRow] = field(default_factory=list)
    first_token_at: float | None = None
    kept: bytearray | None = None
    """The answer as it went out, where contents are stored; else None."""
    answered: bool = False
    """The status line has left: errors can no longer change it."""
    recorded: bool = False
    """The call's row is written, or waits in memory to be."""
    story: dict[str, Any] = field(default_factory=dict)
