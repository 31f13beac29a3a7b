"""Which limits bind a call, and what happens when it does not fit.

Moves money only through the ledger.
"""

from aos.budgets.admission import (
    Admission,
    BudgetBusy,
    BudgetExceeded,
    Clamp,
    Downgrade,
    Hold,
    SpendRequest,
    UnboundedRequest,
    UnpricedModel,
)
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
    "Admission",
    "BreachAction",
    "Budget",
    "BudgetBook",
    "BudgetBusy",
    "BudgetExceeded",
    "BudgetMatch",
    "BudgetPeriod",
    "BudgetScope",
    "Clamp",
    "Downgrade",
    "Hold",
    "Period",
    "SpendFacts",
    "SpendRequest",
    "UnboundedRequest",
    "UnpricedModel",
]
