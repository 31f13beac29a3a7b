"""Why a call was not admitted. Nothing is held when one of these is raised."""

from aos.kit.errors import AosError, Who


class BudgetExceeded(AosError):
    """A blocking budget has no room for it, whatever comes back. Trying again does not help.

    Details: budget_id, budget_name, limit_usd, remaining_usd, needed_usd, reset_at.
    """

    code = "budget_exceeded"
    status = 402
    who = Who.CALLER


class BudgetBusy(AosError):
    """It would fit once calls under way return what they do not need. Details as BudgetExceeded."""

    code = "budget_busy"
    status = 429
    retryable = True
    who = Who.CALLER


class UnboundedRequest(AosError):
    """Nothing bounds what it may cost, and a blocking budget binds. Details: field, budget_id."""

    code = "unbounded_request"
    status = 400
    who = Who.CALLER


class UnpricedModel(AosError):
    """Nobody knows what it costs, and a blocking budget binds.

    Details: model, budget_id, and field: what the request asks for that has no price, or None.
    """

    code = "unpriced_model"
    status = 400
    who = Who.CALLER
