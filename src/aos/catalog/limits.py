"""Bounds of the catalogue."""

from typing import Final

MODEL_NAME_CHARACTERS_MAX: Final = 256
"""A longer name matches nothing: rules are never run over it."""

LOOKUPS_KEPT_MAX: Final = 8_192
"""Answers of look-ups a snapshot remembers; above it starts afresh, so that a caller who invents
names costs time and never memory."""

RATE_USD_MAX: Final = 1_000_000
"""Dearest list price accepted (dollars a million tokens, or a thousand events)."""

SURCHARGE_PERCENT_MAX: Final = 10_000
"""Highest surcharge accepted, in percent of the listed price."""

TABLE_BYTES_MAX: Final = 32 * 1024 * 1024
"""Largest price table that an import accepts."""

TABLE_MODELS_MAX: Final = 50_000

CLAUSES_PER_RULE_MAX: Final = 200

PAGE_PRICES_MAX: Final = 500
"""Prices on one page of a list."""

TABLE_SECONDS_MAX: Final = 60.0
"""Longest statement of an import or of loading a snapshot; both run beside the calls."""

ROWS_AT_A_TIME: Final = 100
"""Rows of a snapshot that are read in one go: about a millisecond of an otherwise busy process."""
