"""Budgets as people define them: scopes, periods, actions; which of them bind a call."""

from aos.budgets.definitions.errors import (
    BudgetManaged,
    BudgetNameTaken,
    BudgetNotFound,
    InvalidBudget,
    TooManyBudgets,
    UnknownSubject,
)
from aos.budgets.definitions.model import (
    BreachAction,
    Budget,
    BudgetMatch,
    BudgetPeriod,
    BudgetScope,
    BudgetTerms,
    Period,
    SpendFacts,
)
from aos.budgets.definitions.rules import (
    BudgetBook,
    day_beginnings,
    own_budget_id,
    period_of,
    thresholds_of,
)
from aos.budgets.definitions.service import Budgets
from aos.budgets.definitions.store import BudgetFilter

__all__ = [
    "BreachAction",
    "Budget",
    "BudgetBook",
    "BudgetFilter",
    "BudgetManaged",
    "BudgetMatch",
    "BudgetNameTaken",
    "BudgetNotFound",
    "BudgetPeriod",
    "BudgetScope",
    "BudgetTerms",
    "Budgets",
    "InvalidBudget",
    "Period",
    "SpendFacts",
    "TooManyBudgets",
    "UnknownSubject",
    "day_beginnings",
    "own_budget_id",
    "period_of",
    "thresholds_of",
]
