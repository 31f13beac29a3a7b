"""Why a price cannot be told, or cannot be set."""

from aos.kit.errors import AosError, Conflict, InvalidInput, NotFound, Who


class Unpriced(AosError):
    """What this costs is not known: NULL on the row, refused where a budget blocks, never zero.

    `details` name the provider, the model and the unit that has no price; `context` says
    which of tier, speed and place it is that has none, or None.
    """

    code = "unpriced"
    status = 422
    who = Who.CALLER


class InvalidPrice(InvalidInput):
    """The price, or the table of prices, is not in the documented shape; the message says where."""

    code = "invalid_price"


class PriceOverlap(Conflict):
    """Another price of the same model is in force during a part of that time."""

    code = "price_overlap"


class PriceNotFound(NotFound):
    """No such price of this tenant's own. The table's prices are everybody's: override them."""

    code = "price_not_found"
