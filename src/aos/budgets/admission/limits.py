"""Bounds of admission."""

from typing import Final

WAIT_SECONDS_MAX: Final = 30.0
"""Longest that a call may wait for room in its budgets, whatever it asks for."""

WAITERS_MAX: Final = 1_000
"""Calls of one process that wait for room. The next is told at once that the budget is busy."""

RETRY_SECONDS: Final = 0.25
"""The first waiter of an account tries again at least so often, news or no news."""

BUSY_RETRY_AFTER_SECONDS: Final = 1.0
"""What a caller is told to wait after BudgetBusy."""

ACCOUNTS_CACHED_MAX: Final = 100_000
"""Account ids that a process remembers; then it forgets all and asks the database again."""

REMATCHES_MAX: Final = 3
"""How often a hold is asked for again because the period ended under it."""

THRESHOLDS_PERCENT: Final = (50, 75, 90, 100)
"""Crossings that every budget tells of, beside its own warning and critical percents."""
