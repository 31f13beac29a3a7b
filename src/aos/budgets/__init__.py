"""Which limits bind a call, and what happens when it does not fit.

Moves money only through the ledger.
"""

from aos.budgets.definitions import (
    BreachAction,
    Budget,
    BudgetBook,
    BudgetMatch,
    BudgetPeriod,
    BudgetScope,
    Period,
    SpendFacts,
)

__all__ = [
    "BreachAction",
    "Budget",
    "BudgetBook",
    "BudgetMatch",
    "BudgetPeriod",
    "BudgetScope",
    "Period",
    "SpendFacts",
]
