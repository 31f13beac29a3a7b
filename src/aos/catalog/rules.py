"""What a piece of usage costs, and the most that a call can cost. Integers only; pure.

Sums are pico-dollars. A bill is rounded once, half-even; a bound is rounded up.
"""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from aos.catalog.errors import Unpriced
from aos.catalog.model import Cost, CostLine, PriceUnit, PriceVersion, Rate, WorstCase
from aos.kit.money import book, ceiling
from aos.messages import ModelCall, Reported, TokenUsage

NO_CONTEXT: Final[Mapping[str, str]] = MappingProxyType({})
NOTHING: Final[frozenset[PriceUnit]] = frozenset()

NO_DEARER: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "service_tier": frozenset(
            {"default", "standard", "standard_only", "auto", "flex", "batch", "scale", "on_demand"}
        ),
        "speed": frozenset({"standard"}),
        "region": frozenset({"global", "not_available"}),
    }
)
"""What a context may say without being dearer than the listed price. Anything else that the price
does not name (a new, faster tier) makes the call unpriced: it may cost a multiple."""

_INPUT: Final = PriceUnit.INPUT
_OUTPUT: Final = PriceUnit.OUTPUT
_REQUEST: Final = PriceUnit.REQUEST

# Parts of the input: unit, its count in the usage, the parts that count the same tokens again, and
# the unit whose price holds where this one has none. The most specific come first, so that every
# token is billed once. A part without any price is billed as plain input.
_INPUT_PARTS: Final = (
    (
        PriceUnit.CACHE_READ_AUDIO,
        "cache_read_audio_tokens",
        (PriceUnit.CACHE_READ, PriceUnit.INPUT_AUDIO),
        None,
    ),
    (
        PriceUnit.CACHE_READ_IMAGE,
        "cache_read_image_tokens",
        (PriceUnit.CACHE_READ, PriceUnit.INPUT_IMAGE),
        None,
    ),
    (PriceUnit.CACHE_READ, "cache_read_tokens", (), None),
    (PriceUnit.CACHE_WRITE_5M, "cache_write_5m_tokens", (), None),
    (PriceUnit.CACHE_WRITE_1H, "cache_write_1h_tokens", (), PriceUnit.CACHE_WRITE_5M),
    (PriceUnit.INPUT_AUDIO, "input_audio_tokens", (), None),
    (PriceUnit.INPUT_IMAGE, "input_image_tokens", (), None),
)
_OUTPUT_PARTS: Final = (
    (PriceUnit.REASONING, "reasoning_tokens"),
    (PriceUnit.OUTPUT_AUDIO, "output_audio_tokens"),
    (PriceUnit.OUTPUT_IMAGE, "output_image_tokens"),
)
_EVENTS: Final = (
    (PriceUnit.WEB_SEARCH, "web_searches"),
    (PriceUnit.STORAGE_SEARCH, "storage_searches"),
)
_INPUT_UNITS: Final = (_INPUT, *(unit for unit, *_ in _INPUT_PARTS))
_OUTPUT_UNITS: Final = (_OUTPUT, *(unit for unit, _ in _OUTPUT_PARTS))
_EVENT_UNITS: Final = tuple(unit for unit, _ in _EVENTS)
_NOT_TOKENS: Final = frozenset({_REQUEST, *_EVENT_UNITS})


def calculate_cost(
    price: PriceVersion, usage: TokenUsage, context: Mapping[str, str] = NO_CONTEXT
) -> Cost:
    """The bill for `usage`; `context` is what the answer says of its tier, speed and processing.

    A provider that reports parts larger than their total is billed for the parts.
    Raises Unpriced where any of it has no price: a cost is never a guess and never silently zero.
    """
    if price.unmetered:
        raise _unpriced(price, ", ".join(price.unmetered))
    rates = rates_in(price, context) if context else price.rates
    lines: list[CostLine] = []
    if usage.input_tokens:
        _bill_input(price, rates, usage, lines)
    if usage.output_tokens:
        _bill_output(price, rates, usage, lines)
    if usage.web_searches or usage.storage_searches:
        _bill_events(price, rates, usage, lines)
    if _REQUEST in rates:
        lines.append(CostLine(_REQUEST, 1, _pico(rates[_REQUEST], usage.input_tokens)))
    pico = 0
    for line in lines:
        pico += line.quantity * line.pico_per_unit
    return Cost(book(pico), tuple(lines), price.id)


def worst_case(
    price: PriceVersion,
    *,
    input_tokens: int,
    output_tokens: int,
    web_searches: int = 0,
    pinned: Mapping[str, str] = NO_CONTEXT,
    excluded: Collection[PriceUnit] = NOTHING,
) -> WorstCase:
    """The most that a call within these ceilings can cost, whatever its usage turns out to be.

    Every rate is the dearest that can be reached: cache writes, the long-context tier that
    `input_tokens` can reach, every service tier and speed that `pinned` does not rule out.
    `excluded` are units that this call cannot use (audio, where none is sent). `web_searches`
    counts searches of any kind. Raises Unpriced.
    """
    if price.unmetered:
        raise _unpriced(price, ", ".join(price.unmetered))
    _check_known(price, pinned)
    reachable = [price.rates]
    for (key, value), rates in price.variants.items():
        if rates and pinned.get(key, value) == value:
            reachable.append(rates)
    percent = _dearest_percent(price, pinned)
    fixed = _dearest(reachable, (_REQUEST,), input_tokens, NOTHING) or 0
    if input_tokens:
        if _INPUT not in price.rates:
            raise _unpriced(price, _INPUT)
        dearest = _dearest(reachable, _INPUT_UNITS, input_tokens, excluded)
        fixed += input_tokens * -(-(dearest or 0) * percent // 100)
    if web_searches:
        search = _dearest(reachable, _EVENT_UNITS, input_tokens, NOTHING)
        if search is None:
            raise _unpriced(price, PriceUnit.WEB_SEARCH)
        fixed += web_searches * search
    per_output = 0
    if output_tokens:
        if _OUTPUT not in price.rates:
            raise _unpriced(price, _OUTPUT)
        dearest = _dearest(reachable, _OUTPUT_UNITS, input_tokens, excluded)
        per_output = -(-(dearest or 0) * percent // 100)
    return WorstCase(ceiling(fixed + output_tokens * per_output), ceiling(fixed), per_output)


def rates_in(price: PriceVersion, context: Mapping[str, str]) -> Mapping[PriceUnit, Rate]:
    """The rates that hold in this context: for each unit the first variant that names it wins.

    Raises Unpriced where the context says something dearer than this price knows of.
    """
    _check_known(price, context)
    overrides: dict[PriceUnit, Rate] = {}
    for (key, value), named in price.variants.items():
        if named and context.get(key) == value:
            overrides = {**named, **overrides}
    rates: Mapping[PriceUnit, Rate] = {**price.rates, **overrides} if overrides else price.rates
    for (key, value), percent in price.surcharges.items():
        if context.get(key) == value:
            rates = {unit: _with_surcharge(unit, rate, percent) for unit, rate in rates.items()}
    return rates


def pinned_context(call: ModelCall) -> dict[str, str]:
    """What the request itself fixes of its price: no answer can be dearer than these allow.

    A tier that is left out or `auto` may become any tier, and a place that is left out any place:
    an account has defaults of its own. A speed that is not asked for stays standard; nothing that
    is answered at once is a batch.
    """
    pinned = {"processing": "online", "speed": call.speed or "standard"}
    if call.service_tier not in (None, "auto"):
        pinned["service_tier"] = str(call.service_tier)
    if call.region is not None:
        pinned["region"] = call.region
    return pinned


def billed_context(call: ModelCall, reported: Reported) -> dict[str, str]:
    """What decides the price after the fact: what the answer says, else what was asked for."""
    context: dict[str, str] = {}
    if tier := reported.service_tier or call.service_tier:
        context["service_tier"] = tier
    if speed := reported.speed or call.speed:
        context["speed"] = speed
    if region := reported.region or call.region:
        context["region"] = region
    return context


def _bill_input(
    price: PriceVersion,
    rates: Mapping[PriceUnit, Rate],
    usage: TokenUsage,
    lines: list[CostLine],
) -> None:
    total = rest = usage.input_tokens
    counted: dict[PriceUnit, int] = {}
    for unit, name, within, stand_in in _INPUT_PARTS:
        quantity: int = getattr(usage, name)
        if not quantity:
            continue
        rate = rates.get(unit) or (rates.get(stand_in) if stand_in else None)
        if rate is None:
            continue
        quantity -= counted.get(unit, 0)
        for outer in within:
            counted[outer] = counted.get(outer, 0) + quantity
        if quantity > 0:
            lines.append(CostLine(unit, quantity, _pico(rate, total)))
            rest -= quantity
    if rest > 0:
        plain = rates.get(_INPUT)
        if plain is None:
            raise _unpriced(price, _INPUT)
        lines.append(CostLine(_INPUT, rest, _pico(plain, total)))


def _bill_output(
    price: PriceVersion,
    rates: Mapping[PriceUnit, Rate],
    usage: TokenUsage,
    lines: list[CostLine],
) -> None:
    total, rest = usage.input_tokens, usage.output_tokens
    for unit, name in _OUTPUT_PARTS:
        quantity: int = getattr(usage, name)
        if quantity and (rate := rates.get(unit)) is not None:
            lines.append(CostLine(unit, quantity, _pico(rate, total)))
            rest -= quantity
    if rest > 0:
        plain = rates.get(_OUTPUT)
        if plain is None:
            raise _unpriced(price, _OUTPUT)
        lines.append(CostLine(_OUTPUT, rest, _pico(plain, total)))


def _bill_events(
    price: PriceVersion,
    rates: Mapping[PriceUnit, Rate],
    usage: TokenUsage,
    lines: list[CostLine],
) -> None:
    for unit, name in _EVENTS:
        quantity: int = getattr(usage, name)
        if quantity:
            rate = rates.get(unit)
            if rate is None:
                raise _unpriced(price, unit)
            lines.append(CostLine(unit, quantity, _pico(rate, usage.input_tokens)))


def _pico(rate: Rate, input_tokens: int) -> int:
    """The tier that the whole input reaches, strictly above its threshold, holds for all of it."""
    pico = rate.base
    for above, dearer in rate.tiers:
        if input_tokens <= above:
            break
        pico = dearer
    return pico


def _dearest(
    reachable: Iterable[Mapping[PriceUnit, Rate]],
    units: Collection[PriceUnit],
    input_tokens_max: int,
    excluded: Collection[PriceUnit],
) -> int | None:
    dearest: int | None = None
    for rates in reachable:
        for unit in units:
            rate = rates.get(unit)
            if rate is None or unit in excluded:
                continue
            if dearest is None or rate.base > dearest:
                dearest = rate.base
            for above, pico in rate.tiers:
                if above < input_tokens_max and pico > dearest:
                    dearest = pico
    return dearest


def _check_known(price: PriceVersion, context: Mapping[str, str]) -> None:
    for key, value in context.items():
        harmless = NO_DEARER.get(key)
        if harmless is None or value in harmless:
            continue
        if (key, value) not in price.variants and (key, value) not in price.surcharges:
            raise _unpriced(price, f"{key} {value}", key)


def _dearest_percent(price: PriceVersion, pinned: Mapping[str, str]) -> int:
    percent = 100
    for (key, value), surcharge in price.surcharges.items():
        if surcharge > 100 and pinned.get(key, value) == value:  # noqa: PLR2004 - percent
            percent = -(-percent * surcharge // 100)
    return percent


def _with_surcharge(unit: PriceUnit, rate: Rate, percent: int) -> Rate:
    if unit in _NOT_TOKENS:
        return rate
    tiers = tuple((above, -(-pico * percent // 100)) for above, pico in rate.tiers)
    return Rate(-(-rate.base * percent // 100), tiers)


def _unpriced(price: PriceVersion, unit: str, context: str | None = None) -> Unpriced:
    return Unpriced(
        f"{price.provider}/{price.model} has no price for {unit}; set one with POST /api/v1/prices",
        provider=price.provider,
        model=price.model,
        unit=str(unit),
        context=context,
    )
