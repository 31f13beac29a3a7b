"""The pinned genai-prices package as a price table.

Its semantics are kept: the last condition that is active wins, the first variant that fits wins
for each unit. What it bills by and we do not count is named, which makes the model unpriced.
"""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from aos.catalog.errors import InvalidPrice
from aos.catalog.facts import ceiling_of, markers_of, surcharges_of
from aos.catalog.model import EVER, PriceUnit
from aos.catalog.seed.model import Document
from aos.catalog.seed.rules import (
    SECONDS_PER_DAY,
    TableRows,
    check_coverage,
    read_rates,
    read_table,
    read_table_bytes,
)

if TYPE_CHECKING:
    from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice, Provider, TieredPrices

SEED_NAME: Final = "genai-prices"
SEED_REVISION: Final = 1
"""Raise it when this file or the ceilings change what is seeded from one and the same package."""

CHILD_SECONDS_MAX: Final = 60

_UNITS: Final = {
    "input_mtok": PriceUnit.INPUT,
    "cache_read_mtok": PriceUnit.CACHE_READ,
    "cache_write_mtok": PriceUnit.CACHE_WRITE_5M,
    "cache_write_1h_mtok": PriceUnit.CACHE_WRITE_1H,
    "input_audio_mtok": PriceUnit.INPUT_AUDIO,
    "cache_audio_read_mtok": PriceUnit.CACHE_READ_AUDIO,
    "input_image_mtok": PriceUnit.INPUT_IMAGE,
    "cache_image_read_mtok": PriceUnit.CACHE_READ_IMAGE,
    "output_mtok": PriceUnit.OUTPUT,
    "output_reasoning_mtok": PriceUnit.REASONING,
    "output_audio_mtok": PriceUnit.OUTPUT_AUDIO,
    "output_image_mtok": PriceUnit.OUTPUT_IMAGE,
    "web_searches_kcount": PriceUnit.WEB_SEARCH,
    "storage_searches_kcount": PriceUnit.STORAGE_SEARCH,
    "requests_kcount": PriceUnit.REQUEST,
}


def installed_seed_version() -> str:
    """Of the table that `seed_table` would make; read without importing the package."""
    return f"{version('genai-prices')}+{SEED_REVISION}"


def is_newer(offered: str, stored: str | None) -> bool:
    """Whether a table of version `offered` should replace one of version `stored`."""
    return stored is None or _parts(offered) > _parts(stored)


def seed_table() -> TableRows:
    """The table, made in this process: imports some 90 MB of the package."""
    return read_table(seed_document())


def seed_table_in_child() -> TableRows:
    """The table, made in a process of its own, so that this one stays small."""
    done = subprocess.run(
        [sys.executable, "-c", "from aos.catalog.seed.service import print_seed; print_seed()"],
        capture_output=True,
        check=False,
        timeout=CHILD_SECONDS_MAX,
    )
    if done.returncode:
        raise InvalidPrice(f"the price table could not be made: {done.stderr.decode()[-2000:]}")
    return read_table_bytes(done.stdout)


def print_seed() -> None:
    import orjson

    sys.stdout.buffer.write(orjson.dumps(seed_document()))


def seed_document() -> Document:
    """The package in the documented shape of a price table."""
    from genai_prices.data import providers

    return {
        "name": SEED_NAME,
        "version": installed_seed_version(),
        "providers": [_provider(provider) for provider in providers],
    }


def _parts(text: str) -> tuple[tuple[int, int | str], ...]:
    """`0.2.10+1` so that 10 comes after 9; texts come before numbers, as pre-releases do."""
    parts = text.replace("+", ".").replace("-", ".").split(".")
    return tuple((1, int(part)) if part.isdecimal() else (0, part) for part in parts)


def _provider(provider: "Provider") -> Document:
    return {
        "id": provider.id,
        "name": provider.name,
        "match": provider.provider_match and _clause(provider.provider_match),
        "model_match": provider.model_match and _clause(provider.model_match),
        "fallbacks": provider.fallback_model_providers or [],
        "models": [_model(provider.id, model) for model in provider.models],
    }


def _model(provider: str, model: "ModelInfo") -> Document:
    name = model.id.lower()
    ceiling = ceiling_of(provider, name)
    windows = (model.context_window, ceiling and ceiling.context_window)
    return {
        "id": model.id,
        "name": model.name or model.id,
        "match": _clause(model.match),
        "context_window": max((window for window in windows if window), default=None),
        "output_tokens_max": ceiling.output_tokens_max if ceiling else None,
        "prices": [
            {
                **price,
                "variants": [
                    *price["variants"],
                    *([key, value, {}] for key, value in markers_of(provider, name)),
                ],
                "surcharges": surcharges_of(provider, name),
            }
            for price in _prices(model)
        ],
    }


def _clause(clause: Any) -> Document:
    for kind in ("equals", "starts_with", "ends_with", "contains", "regex"):
        if hasattr(clause, kind):
            return {kind: getattr(clause, kind)}
    for kind in ("or", "and"):
        if hasattr(clause, f"{kind}_"):
            return {kind: [_clause(one) for one in getattr(clause, f"{kind}_")]}
    raise InvalidPrice(f"genai-prices matches names in a new way: {clause!r}")


def _prices(model: "ModelInfo") -> Iterator[Document]:
    """Its prices as spans of time, each for all day or for hours of the day."""
    open_spans: dict[Any, Document] = {}
    starts = [EVER, *(_midnight(day) for day in _start_dates(model))]
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        spans = open_spans
        open_spans = {}
        for window, prices in _active(model, start):
            document = _price(window, prices, _variants(model, start))
            if not document["rates"] and not document["unmetered"]:
                continue
            key = repr(document)
            span = spans.pop(key, None) or {**document, "effective_from": start.isoformat()}
            open_spans[key] = span
            if end is None:
                yield span
        yield from ({**span, "effective_to": start.isoformat()} for span in spans.values())


def _price(
    window: "tuple[int, int] | None", prices: "ModelPrice", variants: "_Variants"
) -> Document:
    rates, unmetered = _rates(prices)
    unmetered |= variants.unmetered
    try:
        check_coverage(read_rates(rates))
        for _, _, override in variants.overrides:
            check_coverage(read_rates({**rates, **override}))
    except InvalidPrice:
        unmetered.add("tokens of two kinds at once")
    return {
        "rates": rates,
        "variants": variants.overrides,
        "unmetered": sorted(unmetered),
        "daily_window": list(window) if window else None,
    }


def _rates(prices: "ModelPrice") -> tuple[Document, set[str]]:
    rates: Document = {}
    unmetered = set()
    for key, value in prices.__dict__.items():
        if value is None:
            continue
        unit = _UNITS.get(key)
        if unit is None:
            unmetered.add(key)
        else:
            rates[str(unit)] = _rate(value)
    return rates, unmetered


def _rate(value: "Decimal | TieredPrices") -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return {
        "base": f"{value.base:f}",
        "tiers": [[tier.start, f"{tier.price:f}"] for tier in value.tiers],
    }


def _conditions(model: "ModelInfo") -> "list[ConditionalPrice]":
    from genai_prices.types import ConditionalPrice, ModelPrice

    if isinstance(model.prices, ModelPrice):
        return [ConditionalPrice(prices=model.prices)]
    return model.prices


def _start_dates(model: "ModelInfo") -> list[date]:
    from genai_prices.types import StartDateConstraint

    constraints = [condition.constraint for condition in _conditions(model)]
    constraints += [variant.constraint for variant in model.price_variants or []]
    return sorted({one.start_date for one in constraints if isinstance(one, StartDateConstraint)})


def _active(
    model: "ModelInfo", at: datetime
) -> "Iterator[tuple[tuple[int, int] | None, ModelPrice]]":
    """The price for all day, and those for hours of the day that stand before it."""
    conditions = _conditions(model)
    taken: list[tuple[int, int]] = []
    for condition in reversed(conditions):
        constraint = condition.constraint
        if constraint is None or hasattr(constraint, "start_date"):
            if constraint is None or _midnight(constraint.start_date) <= at:
                yield None, condition.prices
                return
            continue
        for hours in _free(_hours(constraint.start_time, constraint.end_time), taken):
            taken.append(hours)
            yield hours, condition.prices
    if conditions:
        yield None, conditions[0].prices


def _free(wanted: Iterable[tuple[int, int]], taken: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What of `wanted` no later, stronger condition has taken."""
    free = list(wanted)
    for start, end in taken:
        cut = [(a, min(b, start)) for a, b in free] + [(max(a, end), b) for a, b in free]
        free = [(a, b) for a, b in cut if a < b]
    return free


def _hours(start: time, end: time) -> list[tuple[int, int]]:
    """Seconds of the UTC day; a window over midnight is two."""
    first, last = _second_of_day(start), _second_of_day(end)
    if first <= last:
        return [(first, last)] if first < last else []
    return [(first, SECONDS_PER_DAY), *([(0, last)] if last else [])]


def _second_of_day(value: time) -> int:
    moment = datetime.combine(EVER.date(), value)
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    return moment.hour * 3600 + moment.minute * 60 + moment.second


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@dataclass(slots=True)
class _Variants:
    overrides: list[tuple[str, str, Document]]
    unmetered: set[str]


def _variants(model: "ModelInfo", at: datetime) -> _Variants:
    merged: dict[tuple[str, str], Document] = {}
    unmetered: set[str] = set()
    for variant in model.price_variants or []:
        constraint = variant.constraint
        if hasattr(constraint, "start_time") or len(variant.when) > 1:
            unmetered.add("a variant of several conditions")
            continue
        if constraint is not None and _midnight(constraint.start_date) > at:
            continue
        rates, unknown = _rates(variant.prices)
        unmetered |= unknown
        own = merged.setdefault(next(iter(variant.when.items())), {})
        merged_rates = {**rates, **own}
        own.update(merged_rates)
    return _Variants([(key, value, rates) for (key, value), rates in merged.items()], unmetered)
