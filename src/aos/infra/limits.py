"""Bounds of what the rooms stand on."""

from typing import Final

DATABASE_CONNECTIONS_MAX: Final = 20
"""Connections of one process to the database."""

DATABASE_ACQUIRE_SECONDS_MAX: Final = 2.0
"""Longest wait for a connection; then DatabaseUnavailable. Budgets fail closed on it."""

DATABASE_CONNECT_SECONDS_MAX: Final = 5

BATCH_ITEMS_MAX: Final = 64
"""Most elements of one micro-batch."""
