"""Price tables: the documented JSON shape, and how the pinned genai-prices package becomes one."""

from aos.catalog.seed.rules import (
    TableRows,
    check_coverage,
    read_instant,
    read_rates,
    read_table,
    read_table_bytes,
    read_variants,
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
    "check_coverage",
    "installed_seed_version",
    "is_newer",
    "read_instant",
    "read_rates",
    "read_table",
    "read_table_bytes",
    "read_variants",
    "seed_table",
    "seed_table_in_child",
]
