"""Bounds of a configuration document. Reaching one is an error that names it."""

from typing import Final

ENTRIES_MAX: Final = 1_000
"""Things in one section."""

PROBLEMS_SHOWN_MAX: Final = 20
"""Mistakes that one answer lists."""

APPLY_SECONDS_MAX: Final = 30
"""Longest that one apply may hold its transaction."""
