"""The only room that writes money: accounts, holds, transfers.

A hold is taken before a call leaves (`Ledger.hold`) and ended when its cost is known
(`Ledger.settle`). Refuses: a hold that does not fit an enforced limit, another tenant's account, a
second life of an id, and every change of a booked line.
"""

from aos.ledger.errors import (
    ClockSkewed,
    HoldTooLarge,
    LeaseLost,
    LedgerAborted,
    LedgerBusy,
    UnknownHold,
)
from aos.ledger.jobs import Lease
from aos.ledger.model import (
    AccountKey,
    AccountOpening,
    Balance,
    Claim,
    DeadHold,
    Entry,
    HoldOutcome,
    HoldRequest,
    HoldResult,
    Mismatch,
    Settlement,
    SettlementKind,
    SettlementResult,
)
from aos.ledger.service import Ledger
from aos.ledger.store import SettlementBatch, named_failures

__all__ = [
    "AccountKey",
    "AccountOpening",
    "Balance",
    "Claim",
    "ClockSkewed",
    "DeadHold",
    "Entry",
    "HoldOutcome",
    "HoldRequest",
    "HoldResult",
    "HoldTooLarge",
    "Lease",
    "LeaseLost",
    "Ledger",
    "LedgerAborted",
    "LedgerBusy",
    "Mismatch",
    "Settlement",
    "SettlementBatch",
    "SettlementKind",
    "SettlementResult",
    "UnknownHold",
    "named_failures",
]
