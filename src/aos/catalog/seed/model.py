"""The shape of a price table: what `aos prices import` reads and the seed is written in.

Dollars are decimal texts: for a million tokens, or for a thousand searches or requests.

    {"name": "acme", "version": "2026-11-20", "providers": [{
      "id": "acme", "name": "Acme", "match": CLAUSE?, "model_match": CLAUSE?, "fallbacks": []?,
      "models": [{
        "id": "acme-1", "name": "Acme 1"?, "match": CLAUSE?, "context_window": 200000?,
        "output_tokens_max": 64000?,
        "prices": [{
          "effective_from": "2026-01-01T00:00:00Z"?, "effective_to": "…"?,
          "daily_window": [3600, 14400]?,
          "rates": {"input": "3", "output": {"base": "15", "tiers": [[200000, "22.5"]]}},
          "variants": [["service_tier", "flex", {"input": "1.5"}]]?,
          "surcharges": [["region", "us", "1.1"]]?,
          "unmetered": ["audio_hours"]?}]}]}]}

A variant overrides the units it names where the context (what the request or the answer says of
its tier, speed, …) says so; an empty one says that this context costs no more than the listed
price. A surcharge is a factor on every token price.

CLAUSE is one of {"equals": text}, {"starts_with": …}, {"ends_with": …}, {"contains": …},
{"regex": …}, {"or": [CLAUSE, …]}, {"and": [CLAUSE, …]}; a model without one is matched by its id.
"""

from typing import Any, Final

from aos.catalog.model import PriceUnit

Document = dict[str, Any]

UNITS_PER_LIST_PRICE: Final[dict[PriceUnit, int]] = {
    **dict.fromkeys(PriceUnit, 1_000_000),
    PriceUnit.WEB_SEARCH: 1_000,
    PriceUnit.STORAGE_SEARCH: 1_000,
    PriceUnit.REQUEST: 1_000,
}
"""How many units a list price is for."""

JOINS: Final[tuple[tuple[PriceUnit, PriceUnit, PriceUnit | None], ...]] = (
    (PriceUnit.CACHE_READ, PriceUnit.INPUT_AUDIO, PriceUnit.CACHE_READ_AUDIO),
    (PriceUnit.CACHE_READ, PriceUnit.INPUT_IMAGE, PriceUnit.CACHE_READ_IMAGE),
    (PriceUnit.CACHE_WRITE_5M, PriceUnit.INPUT_AUDIO, None),
    (PriceUnit.CACHE_WRITE_5M, PriceUnit.INPUT_IMAGE, None),
    (PriceUnit.REASONING, PriceUnit.OUTPUT_AUDIO, None),
    (PriceUnit.REASONING, PriceUnit.OUTPUT_IMAGE, None),
)
"""Two units that can be one and the same token, and the unit that this token is then billed by.
None = nothing here counts such tokens, so a model priced by both cannot be billed."""

WHOLES: Final[dict[PriceUnit, PriceUnit]] = {
    PriceUnit.CACHE_READ: PriceUnit.INPUT,
    PriceUnit.CACHE_WRITE_5M: PriceUnit.INPUT,
    PriceUnit.CACHE_WRITE_1H: PriceUnit.CACHE_WRITE_5M,
    PriceUnit.INPUT_AUDIO: PriceUnit.INPUT,
    PriceUnit.INPUT_IMAGE: PriceUnit.INPUT,
    PriceUnit.CACHE_READ_AUDIO: PriceUnit.INPUT_AUDIO,
    PriceUnit.CACHE_READ_IMAGE: PriceUnit.INPUT_IMAGE,
    PriceUnit.REASONING: PriceUnit.OUTPUT,
    PriceUnit.OUTPUT_AUDIO: PriceUnit.OUTPUT,
    PriceUnit.OUTPUT_IMAGE: PriceUnit.OUTPUT,
}
"""A part cannot be priced where its whole is not: the rest of the whole would cost nothing."""
