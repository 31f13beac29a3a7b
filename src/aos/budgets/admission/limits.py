"""Bounds of admission."""

from typing import Final

ROOM_CHANNEL: Final = "aos_room"
"""Where settlements announce accounts that somebody waits for: `Changes.listen` to it."""

WAIT_SECONDS_MAX: Final = 30.0
"""Longest that a call may wait for room in its budgets, whatever it asks for."""

BUSY_RETRY_AFTER_SECONDS: Final = 1.0
"""What a caller is told to wait after BudgetBusy."""

ACCOUNTS_CACHED_MAX: Final = 100_000
"""Account ids that a process remembers; then it forgets all and asks the database again."""

TRIES_AT_ONCE_MAX: Final = 8
"""How often a hold is asked for again at once, because room or period changed under it."""
