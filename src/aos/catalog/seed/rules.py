"""Reads a price table: checks every field, and turns dollars into pico-dollars. Pure.

A field that is not understood is an error with its place in the document, never a default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from numbers import Real
from typing import Any, Final

import orjson

from aos.catalog.book.rules import check_clause
from aos.catalog.errors import InvalidPrice
from aos.catalog.limits import (
    MODEL_NAME_CHARACTERS_MAX,
    RATE_USD_MAX,
    SURCHARGE_PERCENT_MAX,
    TABLE_BYTES_MAX,
    TABLE_MODELS_MAX,
)
from aos.catalog.model import EVER, PriceTerms, PriceUnit, Rate
from aos.catalog.seed.model import JOINS, UNITS_PER_LIST_PRICE, WHOLES, Document
from aos.kit.money import pico_per_unit

SECONDS_PER_DAY: Final = 86_400
_UNITS: Final = {str(unit): unit for unit in PriceUnit}


@dataclass(frozen=True, slots=True)
class TableRows:
    """A table ready for the database: one JSON document a provider, rates in pico-dollars."""

    name: str
    version: str
    providers: tuple[Document, ...]
    models: int
    prices: int


def read_table_bytes(body: bytes) -> TableRows:
    """Raises InvalidPrice."""
    if len(body) > TABLE_BYTES_MAX:
        raise InvalidPrice(f"a price table has at most {TABLE_BYTES_MAX} bytes")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidPrice(f"the price table is not JSON: {error}") from None
    return read_table(document)


def read_table(document: Any) -> TableRows:
    """Raises InvalidPrice, which says where."""
    table = _Reader(document, "table")
    providers = [
        _read_provider(item, position) for position, item in enumerate(table.items("providers"))
    ]
    ids = [provider["id"] for provider in providers]
    if len(set(ids)) != len(ids):
        raise InvalidPrice("table.providers: an id stands twice")
    models = sum(len(provider["models"]) for provider in providers)
    if models > TABLE_MODELS_MAX:
        raise InvalidPrice(f"a price table has at most {TABLE_MODELS_MAX} models")
    return TableRows(
        name=table.text("name"),
        version=table.text("version"),
        providers=tuple(providers),
        models=models,
        prices=sum(len(provider["prices"]) for provider in providers),
    )


def read_rates(document: Any, where: str = "rates") -> dict[str, Any]:
    """`{"input": "3", …}` in dollars as pico-dollars. Raises InvalidPrice."""
    if not isinstance(document, Mapping):
        raise InvalidPrice(f"{where}: expected units and their prices")
    rates: dict[str, Any] = {}
    for name, value in document.items():
        unit = _UNITS.get(name)
        if unit is None:
            raise InvalidPrice(f"{where}: {name!r} is none of {', '.join(_UNITS)}")
        rates[name] = _read_rate(value, unit, f"{where}.{name}")
    return rates


def format_rates(rates: Mapping[PriceUnit, Rate]) -> dict[str, Any]:
    """Rates as people write them: what `read_rates` reads."""
    return {
        str(unit): _dollars(unit, rate.base)
        if not rate.tiers
        else {
            "base": _dollars(unit, rate.base),
            "tiers": [[above, _dollars(unit, pico)] for above, pico in rate.tiers],
        }
        for unit, rate in rates.items()
    }


def format_factor(percent: int) -> str:
    """A surcharge as people write it: 110 percent is `1.1`."""
    return f"{(Decimal(percent) / 100).normalize():f}"


def _dollars(unit: PriceUnit, pico: int) -> str:
    usd = (Decimal(pico) * UNITS_PER_LIST_PRICE[unit]).scaleb(-12)
    return f"{usd.normalize():f}"


def own_price(terms: PriceTerms) -> Document:
    """An own price ready for the database. Raises InvalidPrice."""
    start, end = terms.effective_from, terms.effective_to
    if start is not None and end is not None and end <= start:
        raise InvalidPrice("effective_to must be after effective_from")
    for name, text in (("provider", terms.provider), ("model", terms.model)):
        if not 0 < len(text) <= MODEL_NAME_CHARACTERS_MAX:
            raise InvalidPrice(f"{name} has 1 to {MODEL_NAME_CHARACTERS_MAX} characters")
    rates = read_rates(terms.rates)
    if not rates:
        raise InvalidPrice("rates: a price has at least one; write 0 for what costs nothing")
    check_coverage(rates)
    return {
        "provider": terms.provider.lower(),
        "model": terms.model.lower(),
        "effective_from": start.isoformat() if start else None,
        "effective_to": end.isoformat() if end else None,
        "rates": rates,
        "variants": read_variants(list(terms.variants), rates, "variants"),
    }


def check_coverage(rates: Mapping[str, Any], where: str = "rates") -> None:
    """Raises InvalidPrice where a token would be billed twice, or not at all."""
    for part, whole in WHOLES.items():
        if part in rates and whole not in rates:
            raise InvalidPrice(f"{where}: {part} is priced, so {whole} must be priced too")
    for one, other, both in JOINS:
        if one in rates and other in rates and (both is None or both not in rates):
            remedy = f"{both} must be priced too" if both else "drop one of the two"
            raise InvalidPrice(f"{where}: {one} and {other} can be the same token: {remedy}")


def read_variants(document: Any, rates: Mapping[str, Any], where: str) -> list[list[Any]]:
    """`[[key, value, rates], …]`, rates in pico-dollars. Raises InvalidPrice."""
    if not isinstance(document, list):
        raise InvalidPrice(f"{where}: expected a list of [key, value, rates]")
    variants = []
    for position, item in enumerate(document):
        place = f"{where}[{position}]"
        match item:
            case [str(key), str(value), dict(dollars)] if key and value:
                override = read_rates(dollars, place)
                check_coverage({**rates, **override}, place)
                variants.append([key, value, override])
            case _:
                raise InvalidPrice(f"{place}: expected [key, value, rates]")
    return variants


def read_surcharges(document: Any, where: str) -> list[list[Any]]:
    """`[[key, value, factor], …]`, the factor in percent. Raises InvalidPrice."""
    surcharges = []
    for item in document:
        match item:
            case [str(key), str(value), str(factor)] if key and value:
                surcharges.append([key, value, _percent(factor, where)])
            case _:
                raise InvalidPrice(f"{where}: expected [key, value, factor], such as 1.1")
    return surcharges


def _percent(factor: str, where: str) -> int:
    try:
        percent = Decimal(factor) * 100
    except InvalidOperation:
        raise InvalidPrice(f"{where}: {factor!r} is not a factor") from None
    if not 1 <= percent <= SURCHARGE_PERCENT_MAX or percent != percent.to_integral_value():
        raise InvalidPrice(f"{where}: a factor is 0.01 to {SURCHARGE_PERCENT_MAX // 100}")
    return int(percent)


def _read_rate(value: Any, unit: PriceUnit, where: str) -> Any:
    if not isinstance(value, Mapping):
        return _pico(value, unit, where)
    reader = _Reader(value, where)
    tiers: list[list[int]] = []
    for item in reader.items("tiers", plain=True):
        match item:
            case [int(above), dollars] if above >= 0 and (not tiers or above > tiers[-1][0]):
                tiers.append([above, _pico(dollars, unit, where)])
            case _:
                raise InvalidPrice(f"{where}.tiers: expected rising [input tokens, dollars]")
    return {"base": _pico(value.get("base"), unit, where), "tiers": tiers}


def _pico(value: Any, unit: PriceUnit, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, str | Real):
        raise InvalidPrice(f"{where}: expected dollars as a decimal text, not {value!r}")
    try:
        usd = Decimal(str(value))
    except InvalidOperation:
        raise InvalidPrice(f"{where}: {value!r} is not an amount of dollars") from None
    if not usd.is_finite() or not 0 <= usd <= RATE_USD_MAX:
        raise InvalidPrice(f"{where}: a price is 0 to {RATE_USD_MAX} dollars, not {value!r}")
    return int(pico_per_unit(usd, UNITS_PER_LIST_PRICE[unit]))


def _read_provider(document: Any, position: int) -> Document:
    provider = _Reader(document, f"providers[{position}]")
    identifier = provider.text("id")
    if identifier != identifier.lower():
        raise InvalidPrice(f"{provider.where}.id: {identifier!r} must be lower case")
    models: list[Document] = []
    prices: list[Document] = []
    for place, item in enumerate(provider.items("models")):
        model = _Reader(item, f"{identifier}.models[{place}]")
        name = model.text("id")
        models.append(
            {
                "id": name,
                "position": place,
                "name": model.get("name", str) or name,
                "match": model.clause("match") or {"equals": name},
                "context_window": model.tokens("context_window"),
                "output_tokens_max": model.tokens("output_tokens_max"),
            }
        )
        prices.extend(
            _read_price(price, name, f"{identifier}/{name}.prices[{number}]")
            for number, price in enumerate(model.items("prices"))
        )
    if len({model["id"] for model in models}) != len(models):
        raise InvalidPrice(f"{provider.where}.models: an id stands twice")
    return {
        "id": identifier,
        "name": provider.get("name", str) or identifier,
        "position": position,
        "match": provider.clause("match"),
        "model_match": provider.clause("model_match"),
        "fallbacks": provider.texts("fallbacks"),
        "models": models,
        "prices": prices,
    }


def _read_price(document: Any, model: str, where: str) -> Document:
    price = _Reader(document, where)
    rates = read_rates(document.get("rates", {}), f"{where}.rates")
    unmetered = price.texts("unmetered")
    if not rates and not unmetered:
        raise InvalidPrice(f"{where}: no rates; leave the price out where it is not known")
    if not unmetered:
        check_coverage(rates, where)
    start, end = price.instant("effective_from") or EVER, price.instant("effective_to")
    if end is not None and end <= start:
        raise InvalidPrice(f"{where}: effective_to must be after effective_from")
    window = price.get("daily_window", list)
    match window:
        case None:
            window = [None, None]
        case [int(first), int(last)] if 0 <= first < last <= SECONDS_PER_DAY:
            pass
        case _:
            raise InvalidPrice(f"{where}.daily_window: expected [from, to] in seconds of the day")
    return {
        "model": model,
        "effective_from": start.isoformat(),
        "effective_to": end.isoformat() if end else None,
        "window_start": window[0],
        "window_end": window[1],
        "rates": rates,
        "variants": read_variants(document.get("variants") or [], rates, f"{where}.variants"),
        "surcharges": read_surcharges(price.items("surcharges", plain=True), f"{where}.surcharges"),
        "unmetered": unmetered,
    }


class _Reader:
    """A JSON object and where it stands, for errors that a person can act on."""

    def __init__(self, document: Any, where: str) -> None:
        if not isinstance(document, Mapping):
            raise InvalidPrice(f"{where}: expected an object")
        self._document = document
        self.where = where

    def get(self, key: str, kind: type) -> Any:
        value = self._document.get(key)
        if value is not None and not isinstance(value, kind):
            raise InvalidPrice(f"{self.where}.{key}: expected {kind.__name__}, got {value!r}")
        return value

    def text(self, key: str) -> str:
        value = self.get(key, str)
        if not value:
            raise InvalidPrice(f"{self.where}.{key} is missing")
        return str(value)

    def items(self, key: str, *, plain: bool = False) -> list[Any]:
        values: list[Any] = self.get(key, list) or []
        if not plain and not all(isinstance(value, Mapping) for value in values):
            raise InvalidPrice(f"{self.where}.{key}: expected objects")
        return values

    def texts(self, key: str) -> list[str]:
        values = self.items(key, plain=True)
        if not all(isinstance(value, str) and value for value in values):
            raise InvalidPrice(f"{self.where}.{key}: expected texts")
        return values

    def tokens(self, key: str) -> int | None:
        value: int | None = self.get(key, int)
        if value is not None and (isinstance(value, bool) or value <= 0):
            raise InvalidPrice(f"{self.where}.{key}: expected a number of tokens above 0")
        return value

    def clause(self, key: str) -> Document | None:
        value: Document | None = self.get(key, dict)
        if value is not None:
            check_clause(value)
        return value

    def instant(self, key: str) -> datetime | None:
        return read_instant(self.get(key, str), f"{self.where}.{key}")


def read_instant(value: str | None, where: str) -> datetime | None:
    """An RFC 3339 instant; a date is midnight UTC. Raises InvalidPrice."""
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidPrice(f"{where}: {value!r} is not an RFC 3339 instant") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
