"""How budgets stand: what the running period has spent. Amounts are nano-dollars."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from aos.budgets.definitions import Budget, Period
from aos.kit.money import Nanousd


@dataclass(frozen=True, slots=True)
class Crossing:
    """A threshold that the spend of an account has reached, in the running period."""

    percent: int
    crossed_at: datetime


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """The running period of one subject, as the ledger has it."""

    subject: str
    posted: Nanousd
    pending: Nanousd
    crossings: tuple[Crossing, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget and its running period. `accounts` are the fullest first, at most a hundred.

    The figures are those of the fullest account: of the subject that the budget will stop first.
    A budget without a call in this period has no account yet, and figures of zero.
    """

    budget: Budget
    period: Period
    accounts: tuple[AccountStatus, ...] = ()
    subjects: int = 0
    """Accounts of this period, those not listed included."""

    @property
    def fullest(self) -> AccountStatus:
        return self.accounts[0] if self.accounts else UNUSED


UNUSED = AccountStatus("", Nanousd(0), Nanousd(0))


class AlertKind(StrEnum):
    BUDGET_WARNING = "BUDGET_WARNING"
    BUDGET_BREACH = "BUDGET_BREACH"


@dataclass(frozen=True, slots=True)
class Alert:
    """A warning or critical threshold that was crossed in the running period."""

    kind: AlertKind
    budget: Budget
    subject: str
    crossing: Crossing


@dataclass(frozen=True, slots=True)
class Summary:
    """The tenant's budgets, the fullest first. The totals count every budget, listed or not.

    A call counts in each budget that binds it, so the totals are no sum of what was paid.
    """

    standings: tuple[Standing, ...]
    limit: Nanousd
    spent: Nanousd
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class DaySpend:
    """One day of the budget's zone: what was spent by the calls that the budget covers."""

    day: date
    cost: Nanousd
    calls: int
    total_tokens: int
