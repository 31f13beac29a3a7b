"""The only room that writes money: accounts, holds, transfers."""

from aos.ledger.model import (
    AccountKey,
    Balance,
    Claim,
    HoldRequest,
    HoldResult,
    Settlement,
    SettlementKind,
    SettlementResult,
)

__all__ = [
    "AccountKey",
    "Balance",
    "Claim",
    "HoldRequest",
    "HoldResult",
    "Settlement",
    "SettlementKind",
    "SettlementResult",
]
