"""Opaque ids with a prefix, ordered by time: `call_01ARZ3NDEKTSV4RRFFQ69G5FAV`.

The 26 characters are 48 bits of milliseconds and 80 random bits in Crockford base32, so that a
look-up by id knows which monthly partition to read.
"""

import os
import time
from datetime import UTC, datetime
from typing import Final

from aos.kit.errors import InvalidInput

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS: Final = [a + b for a in _ALPHABET for b in _ALPHABET]
_LETTERS: Final = frozenset(_ALPHABET)
_TO_BASE_32: Final = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_BODY_LENGTH: Final = 26
_TIME_LENGTH: Final = 10


class InvalidId(InvalidInput):
    """The text is not an id of this kind."""

    code = "invalid_id"
    status = 404


def new(prefix: str, at: datetime | None = None) -> str:
    """A fresh id; its time is now, or `at`."""
    milliseconds = time.time_ns() // 1_000_000 if at is None else int(at.timestamp() * 1000)
    number = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    pairs = _PAIRS
    parts = [pairs[(number >> shift) & 1023] for shift in range(120, -1, -10)]
    return f"{prefix}_{''.join(parts)}"


def time_of(identifier: str) -> datetime:
    """The instant in an id, to the millisecond. Raises InvalidId."""
    try:
        return datetime.fromtimestamp(milliseconds_of(identifier) / 1000, UTC)
    except (ValueError, OverflowError):
        raise InvalidId(f"{identifier!r} is not an id") from None


def milliseconds_of(identifier: str) -> int:
    """The instant in an id, as milliseconds since 1970. Raises InvalidId."""
    body = identifier.rpartition("_")[2]
    if len(body) != _BODY_LENGTH or not _LETTERS.issuperset(body[:_TIME_LENGTH]):
        raise InvalidId(f"{identifier!r} is not an id")
    return int(body[:_TIME_LENGTH].translate(_TO_BASE_32), 32)
