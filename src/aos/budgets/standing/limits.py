"""Bounds of what is told of budgets."""

from typing import Final

ACCOUNTS_SHOWN_MAX: Final = 100
"""Subjects listed by a status, the fullest first."""

SUMMARY_BUDGETS_MAX: Final = 200
"""Budgets listed by a summary, the fullest first; its totals count all."""

SUMMARY_ALERTS_MAX: Final = 200

HISTORY_DAYS_MAX: Final = 365
