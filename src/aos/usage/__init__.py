"""What happened: a row a call, a row an attempt. Writes rows it is given; computes no money."""

from aos.usage.errors import CallNotFound
from aos.usage.model import (
    AttemptRow,
    CallCursor,
    CallFilter,
    CallLabel,
    CallRow,
    CallStatus,
    Spend,
)
from aos.usage.store import (
    encoded_rows,
    find_call,
    list_attempts,
    list_calls,
    record,
    spent_by_day,
    spent_by_key,
)

__all__ = [
    "AttemptRow",
    "CallCursor",
    "CallFilter",
    "CallLabel",
    "CallNotFound",
    "CallRow",
    "CallStatus",
    "Spend",
    "encoded_rows",
    "find_call",
    "list_attempts",
    "list_calls",
    "record",
    "spent_by_day",
    "spent_by_key",
]
