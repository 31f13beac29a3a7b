"""What can be wrong with a budget."""

from aos.kit.errors import Conflict, InvalidInput, NotFound


class InvalidBudget(InvalidInput):
    """A field of the definition means nothing; `field` says which."""

    code = "invalid_budget"


class UnknownSubject(InvalidInput):
    """`scope_value` names an agent or a key that this tenant does not have."""

    code = "unknown_subject"


class BudgetNotFound(NotFound):
    """No such budget, or not the caller's, or deleted."""

    code = "budget_not_found"


class BudgetNameTaken(Conflict):
    """Another live budget of this tenant has the name: a budget is found by it as code."""

    code = "budget_name_taken"


class BudgetManaged(Conflict):
    """The budget is a field of an agent or a key, and is changed there."""

    code = "budget_managed"


class TooManyBudgets(Conflict):
    """The tenant has as many live budgets as it may have."""

    code = "too_many_budgets"
