"""Budgets as people define them: scopes, periods, actions; which of them bind a call."""

from aos.budgets.definitions.model import (
    BreachAction,
    Budget,
    BudgetMatch,
    BudgetPeriod,
    BudgetScope,
    Period,
    SpendFacts,
)
from aos.budgets.definitions.rules import BudgetBook, natural_period, period_of

__all__ = [
    "BreachAction",
    "Budget",
    "BudgetBook",
    "BudgetMatch",
    "BudgetPeriod",
    "BudgetScope",
    "Period",
    "SpendFacts",
    "natural_period",
    "period_of",
]
