"""Bounds of waiting."""

from typing import Final

WAITERS_MAX: Final = 1_000
"""Calls of one process that wait for room. The next is told at once that the budget is busy."""

RETRY_SECONDS: Final = 0.25
"""The first in line tries again at least so often, news or no news."""
