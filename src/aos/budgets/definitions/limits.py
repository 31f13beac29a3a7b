"""Bounds of budget definitions."""

from typing import Final

from aos.kit.money import NANO_PER_USD, Nanousd

LIMIT_NANOUSD_MAX: Final = Nanousd(1_000_000_000 * NANO_PER_USD)
"""Largest limit of a budget: a billion dollars."""

NAME_CHARACTERS_MAX: Final = 200
SCOPE_VALUE_CHARACTERS_MAX: Final = 200
BUDGETS_PER_TENANT_MAX: Final = 20_000
"""Live budgets of one tenant, those of its agents and keys included. At it: 409."""

MATCHES_REMEMBERED_MAX: Final = 20_000
"""Answers that one snapshot remembers; at it, it forgets them all and begins again."""

PERIODS_REMEMBERED_MAX: Final = 4_096
"""Beginnings of days, by zone and date."""

PERCENT_MAX: Final = 100
THRESHOLD_PERCENTS: Final = (50, 75, 90, 100)
"""Booked for every budget, beside its own warning and critical ones."""

CHECK_SECONDS_MAX: Final = 2.0
"""Longest that a call waits for the book to be checked; then 503."""

BOOK_STALE_SECONDS_MAX: Final = 0.9
"""Age at which the book must be checked against the database unless news of changes is being
heard: with the time that a check takes, a budget is in force everywhere within one second."""
