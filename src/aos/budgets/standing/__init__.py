"""How budgets stand: the running period, what it has spent, what was crossed, and past days."""

from aos.budgets.standing.model import (
    AccountStatus,
    Alert,
    AlertKind,
    Crossing,
    DaySpend,
    Standing,
    Summary,
)
from aos.budgets.standing.rules import account_remaining, percent_used
from aos.budgets.standing.service import Standings

__all__ = [
    "AccountStatus",
    "Alert",
    "AlertKind",
    "Crossing",
    "DaySpend",
    "Standing",
    "Standings",
    "Summary",
    "account_remaining",
    "percent_used",
]
