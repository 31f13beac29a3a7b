"""Why the ledger did not do what it was asked."""

from aos.infra.errors import DatabaseUnavailable
from aos.kit.errors import AosError, InvalidInput, Unavailable


class ClockSkewed(Unavailable):
    """The clock of this machine is too far from the database's to know which period it is."""

    code = "clock_skewed"


class HoldTooLarge(InvalidInput):
    """No call may cost so much; the limit is HOLD_NANOUSD_MAX, a million dollars."""

    code = "hold_too_large"


class LeaseLost(Unavailable):
    """The process is not registered as alive, so its holds would count as a dead one's."""

    code = "lease_lost"


class LedgerBusy(DatabaseUnavailable):
    """The accounts stayed locked for too long. Nothing was taken."""

    code = "ledger_busy"


class LedgerAborted(DatabaseUnavailable):
    """The database chose this batch to be rolled back. Nothing was taken; each is tried alone."""

    code = "ledger_aborted"


class UnknownHold(AosError):
    """A settlement names a hold that this tenant does not have. A bug of ours."""

    code = "unknown_hold"
