"""Bounds of the ledger."""

from typing import Final

HOLD_NANOUSD_MAX: Final = 1_000_000_000_000_000
"""Most that one hold may take: a million dollars. Keeps every sum inside 64 bits."""

CLOCK_SKEW_SECONDS_MAX: Final = 5.0
"""How far a process's clock may be from the database's; then nothing is admitted."""

HOLD_SECONDS_MAX: Final = 2.5
"""How long a caller waits for the database to take its hold or refuse it, before it is told that
the database is away. A dead network says nothing for longer than a caller should wait."""

HOLD_LANES: Final = 1
"""Batches of holds of one process under way at once. Two would wait for each other's accounts, and
each be smaller: one lane does more calls with less work."""

DOUBTFUL_HOLDS_MAX: Final = 10_000
"""Holds to be taken back because nobody knows whether they were committed. Beyond it nothing is
admitted: budgets fail closed."""

DEAD_HOLDS_MAX: Final = 100
"""Most holds that one transaction expires."""

MISMATCHES_MAX: Final = 1_000
"""Most mismatches that one verification reports."""

PROCESS_KEPT_SECONDS: Final = 3_600.0
"""How long the row of a dead process stays, for whoever asks what happened."""

VERIFY_SECONDS_MAX: Final = 1_800
"""Longest that reading the whole books may take."""
