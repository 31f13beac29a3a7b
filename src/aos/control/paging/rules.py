"""Opaque cursors. They hold the sort key of the last item, so that new items shift nothing."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

import orjson

from aos.control.errors import InvalidCursor
from aos.control.limits import CURSOR_LENGTH_MAX

Row = TypeVar("Row")


def encode_cursor(*parts: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def decode_cursor(cursor: str, count: int) -> list[str]:
    """The `count` parts of a cursor. Raises InvalidCursor."""
    try:
        padded = cursor[:CURSOR_LENGTH_MAX].encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        raise InvalidCursor("this cursor did not come from here; start without one") from None
    if (
        not isinstance(parts, list)
        or len(parts) != count
        or not all(isinstance(part, str) and part.isprintable() for part in parts)
    ):
        raise InvalidCursor("this cursor did not come from this list; start without one")
    return parts


def cut(
    rows: Sequence[Row], limit: int, cursor_of: Callable[[Row], str]
) -> tuple[Sequence[Row], str | None]:
    """A page of `limit` rows out of `limit + 1` that were asked for, and the cursor of the next."""
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], cursor_of(rows[limit - 1])
