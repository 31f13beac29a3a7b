"""What happened: a row a call, a row an attempt. Writes rows it is given; computes no money."""

from aos.usage.contents import CallContent, content_of, find_content, record_contents
from aos.usage.errors import CallNotFound, ContentsNotKept
from aos.usage.limits import CONTENT_BYTES_MAX
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
    call_values,
    encoded_rows,
    find_call,
    list_attempts,
    list_calls,
    record,
    spent_by_day,
    spent_by_key,
    storable,
)

__all__ = [
    "CONTENT_BYTES_MAX",
    "AttemptRow",
    "CallContent",
    "CallCursor",
    "CallFilter",
    "CallLabel",
    "CallNotFound",
    "CallRow",
    "CallStatus",
    "ContentsNotKept",
    "Spend",
    "call_values",
    "content_of",
    "encoded_rows",
    "find_call",
    "find_content",
    "list_attempts",
    "list_calls",
    "record",
    "record_contents",
    "spent_by_day",
    "spent_by_key",
    "storable",
]
