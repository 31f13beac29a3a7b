"""Models, prices and what a piece of usage costs. Prices are pico-dollars a unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from aos.kit.money import Nanousd

Clause = dict[str, Any]
"""A rule over a lower-case name: one of `equals`, `starts_with`, `ends_with`, `contains`, `regex`
with a text, or `or`, `and` with a list of clauses."""

EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The `effective_from` of a price whose beginning nobody recorded."""


class PriceUnit(StrEnum):
    """What a price is for one of. The values are the columns of a price row and of a cost line."""

    INPUT = "input"
    CACHE_READ = "cache_read"
    CACHE_WRITE_5M = "cache_write_5m"
    CACHE_WRITE_1H = "cache_write_1h"
    INPUT_AUDIO = "input_audio"
    CACHE_READ_AUDIO = "cache_read_audio"
    INPUT_IMAGE = "input_image"
    CACHE_READ_IMAGE = "cache_read_image"
    OUTPUT = "output"
    REASONING = "reasoning"
    OUTPUT_AUDIO = "output_audio"
    OUTPUT_IMAGE = "output_image"
    WEB_SEARCH = "web_search"
    STORAGE_SEARCH = "storage_search"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class Rate:
    """Pico-dollars a unit. `tiers` are (input tokens above which it holds, pico-dollars), rising;
    the tier that the whole request's input reaches applies to all of its units.
    """

    base: int
    tiers: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class PriceVersion:
    """The prices of one model during [effective_from, effective_to).

    `variants` are keyed by what the request or answer says, for example
    `("service_tier", "flex")`, `("speed", "fast")`, `("processing", "batch")`; a variant overrides
    only the units it names.
    """

    id: str
    provider: str
    model: str
    source: str
    rates: dict[PriceUnit, Rate]
    effective_from: datetime
    effective_to: datetime | None = None
    variants: dict[tuple[str, str], dict[PriceUnit, Rate]] = field(default_factory=dict)
    tenant_id: str | None = None
    daily_window: tuple[int, int] | None = None
    """(start, end) in seconds of the UTC day, for off-peak prices; None = all day."""
    own: bool = False
    """Set by people, not by a price table: it beats the table's price."""
    surcharges: dict[tuple[str, str], int] = field(default_factory=dict)
    """Percent of all token prices that hold in a context, keyed as `variants` are; 110 = x 1.1."""
    unmetered: tuple[str, ...] = ()
    """What this model is also billed by that nobody counts here (hours of audio, pages, …).
    Where there is any, what a call costs is not known, and the model is unpriced."""


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """An own price as people write it: dollars as decimal texts, as in a price table.

    From `effective_from` (None = now) until `effective_to` (None = until the next one).
    """

    provider: str
    model: str
    rates: Mapping[str, Any]
    variants: Sequence[Any] = ()
    effective_from: datetime | None = None
    effective_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """One model of one provider. Token ceilings are None where nobody has published them."""

    provider: str
    id: str
    name: str
    context_window: int | None = None
    output_tokens_max: int | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """A vendor of the catalogue, and how its names are recognised. Rules are JSON clauses.

    `fallbacks` are providers whose models it resells under the same names and prices.
    """

    id: str
    name: str
    match: Clause | None = None
    model_match: Clause | None = None
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of a bill: `quantity` units at `pico_per_unit` pico-dollars."""

    unit: PriceUnit
    quantity: int
    pico_per_unit: int


@dataclass(frozen=True, slots=True)
class Cost:
    """A bill: its lines summed in pico-dollars and rounded once, half-even."""

    amount: Nanousd
    lines: tuple[CostLine, ...]
    price_id: str


@dataclass(frozen=True, slots=True)
class WorstCase:
    """The most that a call can cost. `amount` = `input_amount` + output tokens x
    `pico_per_output_token`, rounded up; `input_amount` is all that no shorter answer can save.
    """

    amount: Nanousd
    input_amount: Nanousd
    pico_per_output_token: int
