"""Cutting a byte stream into server-sent events (WHATWG HTML, 9.2.6)."""

import re
from typing import Final

from aos.messages.errors import StreamInvalid
from aos.messages.limits import EVENT_BYTES_MAX

_END: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_END_BYTES_MAX: Final = 4
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class EventSplitter:
    """Gives whole events, each with the blank line that ends it; keeps what is unfinished.

    Events and rest, joined, are exactly the bytes that came in, and the cuts do not depend on how
    these were split: a carriage return at the very end waits for the byte after it.
    """

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that are now whole. Raises StreamInvalid for one that is too long."""
        if not self._buffer and chunk.endswith(b"\n\n") and b"\r" not in chunk:
            events = chunk.split(b"\n\n")  # The usual case: whole events.
            self._buffer += events.pop()
            return [event + b"\n\n" for event in events]
        searched = max(0, len(self._buffer) - _END_BYTES_MAX + 1)
        self._buffer += chunk
        return self._cut(searched)

    def keep(self, chunk: bytes) -> None:
        """Take it in without looking for an end: it is no event. Raises StreamInvalid."""
        self._buffer += chunk
        self._refuse_too_long()

    def rest(self) -> bytes:
        """What is left when the stream has ended."""
        rest = bytes(self._buffer)
        self._buffer = bytearray()
        return rest

    def _cut(self, searched: int) -> list[bytes]:
        buffer = self._buffer
        events: list[bytes] = []
        at = 0
        for match in _END.finditer(buffer, searched):
            end = match.end()
            if end == len(buffer) and buffer.endswith(b"\r"):
                break
            events.append(bytes(buffer[at:end]))
            at = end
        if at:
            self._buffer = buffer[at:]
        self._refuse_too_long()
        return events

    def _refuse_too_long(self) -> None:
        if len(self._buffer) > EVENT_BYTES_MAX:
            raise StreamInvalid(
                f"The upstream sent an event of more than {EVENT_BYTES_MAX:,} bytes."
            )


def data_of(event: bytes) -> bytes:
    """The event's data; empty where it has none (a comment, a lone `event:` line)."""
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2 and b"\r" not in event:
        return event[6:-2]
    lines = []
    for line in _LINE_END.split(event.removeprefix(_BYTE_ORDER_MARK)):
        name, _, value = line.partition(b":")
        if name == b"data":
            lines.append(value.removeprefix(b" "))
    return b"\n".join(lines)
