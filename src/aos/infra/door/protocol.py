"""uvicorn's HTTP protocol with bounds.

uvicorn takes headers of any size at any pace: 64 MB of header were parsed and kept, and a
connection that trickled one byte now and then was held for ever. Here a request's head must be
whole within DOOR_HEAD_SECONDS_MAX and DOOR_HEAD_BYTES_MAX, its body must keep coming, and only so
many connections are open. A request that comes in one piece, as nearly all do, arms no timer.
"""

import asyncio
import re
from asyncio import TimerHandle
from collections.abc import Callable
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final

import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from aos.infra.limits import (
    DOOR_BODY_BYTES_MIN,
    DOOR_BODY_SECONDS_MAX,
    DOOR_BODY_WINDOW_SECONDS,
    DOOR_CONNECTIONS_MAX,
    DOOR_HEAD_BYTES_MAX,
    DOOR_HEAD_SECONDS_MAX,
    DOOR_LINGER_SECONDS_MAX,
    DOOR_PIPELINE_MAX,
)
from aos.infra.telemetry import METRICS

TELL_WHEN_GONE: Final = "aos.tell_when_gone"
"""Where an application finds `DoorProtocol.tell_when_gone` in its scope."""

_H2C = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*\r\n", re.IGNORECASE)


class Reading(Enum):
    """What of a request is still to come."""

    HEAD = auto()
    BODY = auto()
    NOTHING = auto()
    """The request is whole, or none has begun."""
    REFUSED = auto()
    """Nothing more of this connection is read."""


class DoorProtocol(HttpToolsProtocol):
    """One connection."""

    connections_max = DOOR_CONNECTIONS_MAX

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._reading = Reading.HEAD
        self._timer: TimerHandle | None = None
        self._head_bytes = 0
        self._piece_bytes = 0
        self._window_bytes = 0
        self._window_paused = False
        self._body_ends_at = 0.0
        self._lost = False
        self._leaving: list[Callable[[], None]] = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own narrowing
        super().connection_made(transport)
        if len(self.connections) > self.connections_max:
            METRICS.connections_refused.inc()
            self._refuse(503, "too_many_connections", "This server has no connection free.")
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._reading = Reading.REFUSED
        super().connection_lost(exc)
        self._tell_gone()

    def tell_when_gone(self, told: Callable[[], None]) -> Callable[[], None]:
        """Call `told` once when nobody is left to be answered; the result takes that back.

        An application finds this in its scope as TELL_WHEN_GONE. To wait for `receive()` instead
        costs a task for each request.
        """
        # A body of over 64 KB pauses reading, and only reading finds out that the other end left.
        self.flow.resume_reading()
        if self._lost:
            return self.loop.call_soon(told).cancel
        self._leaving.append(told)
        return lambda: self._leaving.remove(told) if told in self._leaving else None

    def data_received(self, data: bytes) -> None:
        if self._reading is Reading.REFUSED:
            return
        self._piece_bytes = len(data)
        self._window_bytes += len(data)
        if self._reading is not Reading.BODY and data.find(b"h2c", 0, DOOR_HEAD_BYTES_MAX) != -1:
            data = _without_h2c(data)
        super().data_received(data)
        if self._reading is Reading.HEAD:
            self._head_bytes += self._piece_bytes
            if self._head_bytes > DOOR_HEAD_BYTES_MAX:
                self._refuse_head()
            else:
                self._await_head()
        elif self._reading is Reading.BODY:
            self._await_body()
        elif self._under_way() is None and self.timeout_keep_alive_task is None:
            # Bytes that begin no request (blank lines) have stopped the keep-alive timer.
            self._await_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._reading is not Reading.REFUSED:
            self._reading = Reading.HEAD

    def on_headers_complete(self) -> None:
        if self._reading is Reading.REFUSED:
            return
        self._disarm()
        seen, self._head_bytes = self._head_bytes + self._piece_bytes, 0
        if seen > DOOR_HEAD_BYTES_MAX and self._exact_head_bytes() > DOOR_HEAD_BYTES_MAX:
            self._refuse_head()
            return
        if self.parser.should_upgrade() and self._get_upgrade() == b"websocket":
            self._refuse(426, "upgrade_refused", "There is no WebSocket here: use HTTP streaming.")
            return
        if len(self.pipeline) >= DOOR_PIPELINE_MAX:
            self._refuse(429, "too_many_pipelined", "Wait for answers before asking on.")
            return
        self._reading = Reading.BODY
        self._window_bytes = 0
        super().on_headers_complete()
        self.scope[TELL_WHEN_GONE] = self.tell_when_gone  # type: ignore[typeddict-unknown-key]  # ours

    def on_body(self, body: bytes) -> None:
        if self._reading is not Reading.REFUSED:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._reading is Reading.REFUSED:
            return
        self._disarm()
        self._reading = Reading.NOTHING
        self._piece_bytes = 0  # What of this piece is left belongs to the next request.
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "invalid_http", msg)

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade that is not taken is no news; `h2c` is offered by ordinary clients."""

    def _under_way(self) -> RequestResponseCycle | None:
        """The request that is being answered, if any."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle if cycle is not None and not cycle.response_complete else None

    def _tell_gone(self) -> None:
        self._lost = True
        leaving, self._leaving = self._leaving, []
        for told in leaving:
            told()

    def _exact_head_bytes(self) -> int:
        lines = sum(len(name) + len(value) + 4 for name, value in self.headers)
        return lines + len(self.url)

    def _await_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(DOOR_HEAD_SECONDS_MAX, self._head_late)

    def _head_late(self) -> None:
        self._timer = None
        if self._head_bytes == 0 and self._under_way() is None:
            self.transport.close()  # It never asked for anything.
        else:
            self._refuse(408, "head_too_slow", "The request's head did not arrive in time.")

    def _await_body(self) -> None:
        if self._timer is None:
            self._body_ends_at = self.loop.time() + DOOR_BODY_SECONDS_MAX
            self._open_window()
        elif self.flow.read_paused:
            self._window_paused = True

    def _open_window(self) -> None:
        self._window_bytes = 0
        self._window_paused = self.flow.read_paused
        self._timer = self.loop.call_later(DOOR_BODY_WINDOW_SECONDS, self._window_over)

    def _window_over(self) -> None:
        self._timer = None
        # Where we did not read, because the application was not ready, the sender is not late.
        ours = self._window_paused or self.flow.read_paused
        too_slow = self._window_bytes < DOOR_BODY_BYTES_MIN and not ours
        if too_slow or self.loop.time() > self._body_ends_at:
            self._refuse(408, "body_too_slow", "The request's body did not arrive in time.")
        else:
            self._open_window()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse_head(self) -> None:
        message = f"The request's head is larger than {DOOR_HEAD_BYTES_MAX} bytes."
        self._refuse(431, "head_too_large", message)

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer, and close once the answer can have been read.

        A connection closed while its peer still sends is reset, and the reset may overtake the
        answer: what comes is read and dropped for a moment.
        """
        if self._reading is Reading.REFUSED or self.transport.is_closing():
            return
        self._disarm()
        self._reading = Reading.REFUSED
        self._unset_keepalive_if_required()
        cycle = self._under_way()
        if cycle is None or not cycle.response_started:
            self.transport.write(_answer(status, code, message))
        if cycle is not None:
            # The application's answer has nowhere to go; it hears of a caller who left.
            cycle.disconnected = True
            cycle.message_event.set()
            self.flow.resume_reading()
            self._tell_gone()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(DOOR_LINGER_SECONDS_MAX, self.transport.close)


def _without_h2c(data: bytes) -> bytes:
    """Java's HTTP client offers HTTP/2 with each first request, body and all. The offer may be
    ignored, but the parser would take the body for HTTP/2.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return _H2C.sub(b"\r\n", head + b"\r\n") + end[2:] + rest


def _answer(status: int, code: str, message: str) -> bytes:
    """A whole response, its error in the shape that OpenAI's and Anthropic's clients read."""
    error = {"type": "invalid_request_error", "code": code, "message": message}
    body = orjson.dumps({"type": "error", "error": error})
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(body)}\r\n"
        "connection: close\r\n" + ("retry-after: 1\r\n" if status in {429, 503} else "") + "\r\n"
    )
    return head.encode() + body
