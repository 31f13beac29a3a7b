"""What happened: a row a call, a row an attempt. Writes rows it is given; computes no money."""

from aos.usage.model import AttemptRow, CallRow, CallStatus
from aos.usage.store import record

__all__ = ["AttemptRow", "CallRow", "CallStatus", "record"]
