"""Price tables: the documented JSON shape, and how the pinned genai-prices package becomes one."""

from aos.catalog.seed.rules import (
    TableRows,
    format_factor,
    format_rates,
    own_price,
    read_table,
    read_table_bytes,
)
from aos.catalog.seed.service import (
    SEED_NAME,
    installed_seed_version,
    is_newer,
    seed_table,
    seed_table_in_child,
)

__all__ = [
    "SEED_NAME",
    "TableRows",
    "format_factor",
    "format_rates",
    "installed_seed_version",
    "is_newer",
    "own_price",
    "read_table",
    "read_table_bytes",
    "seed_table",
    "seed_table_in_child",
]
