"""A call asks for its bound: hold, wait, downgrade, clamp, or refuse."""

from aos.budgets.admission.errors import (
    BudgetBusy,
    BudgetExceeded,
    UnboundedRequest,
    UnpricedModel,
)
from aos.budgets.admission.limits import ROOM_CHANNEL
from aos.budgets.admission.model import Clamp, Downgrade, Hold, SpendRequest
from aos.budgets.admission.service import Admission

__all__ = [
    "ROOM_CHANNEL",
    "Admission",
    "BudgetBusy",
    "BudgetExceeded",
    "Clamp",
    "Downgrade",
    "Hold",
    "SpendRequest",
    "UnboundedRequest",
    "UnpricedModel",
]
