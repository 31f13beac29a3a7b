"""The words of the data path."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from aos.catalog import PriceVersion
from aos.identity import Caller
from aos.kit.money import Nanousd
from aos.messages import Dialect, Labels
from aos.providers import Ceilings, Provider

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

    def tell_when_gone(self, told: Callable[[], None]) -> Callable[[], None]:
        """Call `told` when the caller has left; the result takes that back."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider and model that may serve the call, and the most that can cost.

    `bound` is None when the call is unbounded on it, or unpriced: that is when there is no price
    (`price` is None), or none for what the call asks for (`priced` is False).
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
    priced: bool = True
    because: str | None = None
    """The request's field that makes it unbounded, or that has no price."""
    output_tokens_known: int | None = None
    """The model's own output ceiling, where somebody has published it."""
