"""What every dialect can do: read calls and answers, follow streams, tell failures."""

from abc import ABC, abstractmethod
from typing import Protocol

from aos.kit.errors import AosError
from aos.messages.events import EventSplitter
from aos.messages.model import ModelCall, Reported


class StreamReader(Protocol):
    """Follows one streamed answer, from first byte to last. Deterministic under any split."""

    finished: bool
    """The terminal event is here, and held: read no further, call `finish`."""
    output_bytes: int
    """Generated content so far (text, reasoning, tool arguments): at least one byte a token."""
    upstream_error: str | None
    """What the upstream said went wrong in mid-stream, or None."""

    @property
    def reported(self) -> Reported:
        """What the answer has said of itself so far; final after `finish`."""
        ...

    def feed(self, chunk: bytes) -> bytes:
        """What may be relayed now: every whole event before the terminal one, as it came.

        Raises StreamInvalid for an event without end.
        """
        ...

    def finish(self) -> bytes:
        """The upstream has ended: the held terminal bytes, to be sent after settlement."""
        ...

    def error_event(self, error: AosError, request_id: str) -> bytes:
        """Says, in the dialect, that the stream was cut; the official SDKs raise on it."""
        ...


class DialectReader(Protocol):
    """One wire format. Pure: bytes in, facts out."""

    def read_call(self, body: bytes) -> ModelCall:
        """Raises InvalidRequest, naming the field."""
        ...

    def rewrite(
        self,
        call: ModelCall,
        *,
        model: str | None = None,
        output_tokens_max: int | None = None,
        output_field: str | None = None,
        ask_stream_usage: bool = False,
    ) -> bytes:
        """The body with these changed and every other byte as it was; unchanged = the same object.

        `output_field` names the ceiling's field where the call has none and the upstream knows
        another name than the dialect's own.
        """
        ...

    def read_answer(self, body: bytes) -> Reported:
        """Never raises: what cannot be read is not reported (`complete` is False)."""
        ...

    def stream(self, call: ModelCall) -> StreamReader: ...

    def error_body(self, error: AosError, request_id: str) -> bytes:
        """The failure as the dialect's own error object, our details inside."""
        ...


class EventStreamReader(ABC):
    """What the dialects' stream readers share: cutting, holding back, the end of the stream."""

    def __init__(self) -> None:
        self.finished = False
        self.output_bytes = 0
        self.upstream_error: str | None = None
        self._holding = False
        self._held: list[bytes] = []
        self._splitter = EventSplitter()
        self._is_plain: bool | None = None
        """Whether one JSON body came in place of events; None until the first byte tells."""

    def feed(self, chunk: bytes) -> bytes:
        if self._is_plain is None:
            chunk = self._splitter.rest() + chunk
            start = chunk.lstrip()[:1]
            self._is_plain = start == b"{" if start else None
        if self._is_plain is not False:
            self._splitter.keep(chunk)
            return b""
        relayed: list[bytes] = []
        for event in self._splitter.feed(chunk):
            if self.finished:  # Nothing after the terminal event means anything.
                break
            kept = self._take(event)
            (self._held if self._withholds() else relayed).append(kept)
        return relayed[0] if len(relayed) == 1 else b"".join(relayed)

    def finish(self) -> bytes:
        rest = self._splitter.rest()
        if rest and not self.finished:
            if self._is_plain:
                self._take_plain(rest)
                self._held.append(rest)
            else:  # Some upstreams forget the last blank line.
                self._held.append(self._take(rest))
        self._splitter = EventSplitter()
        return b"".join(self._held)

    def _withholds(self) -> bool:
        return self.finished or self._holding

    @property
    @abstractmethod
    def reported(self) -> Reported: ...

    @abstractmethod
    def error_event(self, error: AosError, request_id: str) -> bytes: ...

    @abstractmethod
    def _take(self, event: bytes) -> bytes:
        """Read one event; return what stays of it. Sets `finished` or `_holding`."""

    @abstractmethod
    def _take_plain(self, body: bytes) -> None:
        """The whole answer came as one JSON body."""
