"""Accounts, holds and settlements. Amounts are nano-dollars; instants are aware, in UTC."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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
class Claim:
    """A hold's claim on one account. `enforced`: its limit is tested (BLOCK), else only counted."""

    account_id: int
    enforced: bool


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """Take `amount` from every claimed account, all or none, for one attempt of a call.

    `call` is JSON: all that the call's row needs if nobody ever settles this hold.
    """

    id: str
    call_id: str
    tenant_id: str
    amount: Nanousd
    claims: tuple[Claim, ...]
    call: bytes


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


@dataclass(frozen=True, slots=True)
class HoldResult:
    """`granted`, or else the first enforced account that it did not fit in, by sorted account id.

    `balances` are those of the claimed accounts: after the hold when granted, untouched when not.
    """

    hold_id: str
    granted: bool
    balances: tuple[Balance, ...]
    full: Balance | None = None


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
