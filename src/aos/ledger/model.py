"""Accounts, holds and settlements. Amounts are nano-dollars; instants are aware, in UTC."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from aos.kit.money import Nanousd


@dataclass(frozen=True, slots=True)
class AccountKey:
    """One budget period of one subject. `budget_id` is `root` for a tenant's implicit account.

    `subject` tells apart the accounts of a budget that has one per agent, key or user; else "".
    """

    tenant_id: str
    budget_id: str
    subject: str
    period_start: datetime
    period_end: datetime | None


@dataclass(frozen=True, slots=True)
class AccountOpening:
    """An account that a hold is about to claim, and what its budget allows.

    `limit` and `thresholds` (percents) count only while the budget is new to the ledger; after
    that its terms decide, which `Ledger.set_terms` changes.
    """

    key: AccountKey
    limit: Nanousd | None
    thresholds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """A hold's claim on one account. `enforced`: its limit is tested (BLOCK), else only counted."""

    account_id: int
    enforced: bool


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """Take `amount` from every claimed account, all or none, for one attempt of a call.

    `call` is JSON: all that the call's row needs if nobody ever settles this hold. A request
    with `wait_seconds` that is refused only for what is pending is remembered for so long: a
    settlement that makes room announces it. `amount_least` is what the caller would make do with
    (None = `amount`); nobody waits where even that cannot fit.
    """

    id: str
    call_id: str
    tenant_id: str
    amount: Nanousd
    claims: tuple[Claim, ...]
    call: bytes
    wait_seconds: float = 0.0
    amount_least: Nanousd | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """An account as it stood inside the transaction."""

    account_id: int
    limit: Nanousd | None
    pending: Nanousd
    posted: Nanousd

    @property
    def available(self) -> Nanousd | None:
        """What can still be held; None without a limit; never below zero."""
        if self.limit is None:
            return None
        return Nanousd(max(0, self.limit - self.posted - self.pending))


class HoldOutcome(IntEnum):
    """What came of asking for a hold. The numbers are those of `aos.ledger_hold`."""

    GRANTED = 0
    GRANTED_BEFORE = 1
    """The same hold was asked for twice; it was taken once."""
    FULL = 2
    FOREIGN = 3
    """An account of another tenant, or none at all."""
    CLOSED = 4
    """The account's period is over: ask again for the account of now."""
    ENDED = 5
    """This hold was settled or taken back before."""
    CONFLICT = 6
    """The id was used for another hold."""


@dataclass(frozen=True, slots=True)
class HoldResult:
    """What came of it, and the claimed accounts' balances as they stood after its batch.

    `full` is the account that refused: the first by id that would not fit the hold even if
    everything pending came back, else the first that does not fit it now.
    """

    hold_id: str
    outcome: HoldOutcome
    balances: tuple[Balance, ...]
    full: Balance | None = None

    @property
    def granted(self) -> bool:
        return self.outcome <= HoldOutcome.GRANTED_BEFORE


class SettlementKind(StrEnum):
    """How a hold ends (dispatched → …)."""

    POST = "post"
    VOID = "void"
    """Nothing was spent: the upstream was never reached, or says so."""
    EXPIRE = "expire"
    """Its process died: the bound is posted, marked estimated; a later POST corrects it."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """End a hold: post `cost`, return the rest. `cost` is 0 for VOID."""

    hold_id: str
    tenant_id: str
    kind: SettlementKind
    cost: Nanousd
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class SettlementResult:
    """`overrun` is what the cost exceeded the hold by; `repeated` says it was settled before."""

    hold_id: str
    balances: tuple[Balance, ...]
    overrun: Nanousd
    corrected: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class DeadHold:
    """A dispatched hold whose process is gone. `call` is what its call's row needs, as JSON."""

    id: str
    tenant_id: str
    call_id: str
    amount: Nanousd
    call: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal: how one account moved. The three amounts sum to zero."""

    hold_id: str
    kind: str
    account_id: int
    budget_id: str
    subject: str
    booked_at: datetime
    available: Nanousd
    pending: Nanousd
    posted: Nanousd


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something on the books that cannot be. `expected` is what the journal's lines say."""

    problem: str
    tenant_id: str | None
    account_id: int | None
    hold_id: str | None
    expected: int | None
    found: int | None
