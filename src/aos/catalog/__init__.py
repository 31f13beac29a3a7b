"""Models and prices: a versioned table in the database, an integer kernel in memory.

Who calls what something costs: the gateway, with a snapshot (`Catalog.book`) and pure functions.
It refuses to guess: what has no price raises Unpriced, and is never zero.
"""

from aos.catalog.book import PriceBook
from aos.catalog.errors import InvalidPrice, PriceNotFound, PriceOverlap, Unpriced
from aos.catalog.model import (
    EVER,
    Clause,
    Cost,
    CostLine,
    Model,
    PriceTerms,
    PriceUnit,
    PriceVersion,
    Provider,
    Rate,
    WorstCase,
)
from aos.catalog.rules import billed_context, calculate_cost, pinned_context, worst_case
from aos.catalog.seed import (
    TableRows,
    format_factor,
    format_rates,
    read_table,
    read_table_bytes,
)
from aos.catalog.service import Catalog, Prices, seed_prices, seed_sql
from aos.catalog.store import PriceFilter

find_pricing = PriceBook.find_pricing

__all__ = [
    "EVER",
    "Catalog",
    "Clause",
    "Cost",
    "CostLine",
    "InvalidPrice",
    "Model",
    "PriceBook",
    "PriceFilter",
    "PriceNotFound",
    "PriceOverlap",
    "PriceTerms",
    "PriceUnit",
    "PriceVersion",
    "Prices",
    "Provider",
    "Rate",
    "TableRows",
    "Unpriced",
    "WorstCase",
    "billed_context",
    "calculate_cost",
    "find_pricing",
    "format_factor",
    "format_rates",
    "pinned_context",
    "read_table",
    "read_table_bytes",
    "seed_prices",
    "seed_sql",
    "worst_case",
]
