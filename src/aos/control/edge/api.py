"""Gives every request an id and a bounded body, and every answer its headers, whatever happens."""

from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aos.control.errors import BodyTooLarge
from aos.control.limits import BODY_BYTES_MAX
from aos.control.problems.api import answer, internal
from aos.kit.ids import new

_log = structlog.get_logger(__name__)

REQUEST_ID: Final = b"x-aos-request-id"
_ALWAYS: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


class CallerGone(Exception):
    """The caller left before its body had come; there is nobody to answer."""


class Edge:
    """Plain ASGI. An id that an outer application put in `scope["state"]` is kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id: str = scope.setdefault("state", {}).setdefault("request_id", new("req"))
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = list(message["headers"])
                sent = {name for name, _ in headers}
                headers += [pair for pair in _ALWAYS if pair[0] not in sent]
                headers.append((REQUEST_ID, request_id.encode()))
                message = {**message, "headers": headers}
            await send(message)

        try:
            body = await _read_body(scope, receive)
            await self._app(scope, _replay(body, receive), send_with_headers)
        except CallerGone:
            return
        except BodyTooLarge as error:
            await answer(error, request_id)(scope, receive, send_with_headers)
        except Exception:
            _log.exception("request_failed", request_id=request_id, path=scope["path"])
            if started:
                raise
            await internal(request_id)(scope, receive, send_with_headers)


async def _read_body(scope: Scope, receive: Receive) -> bytes:
    announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if announced.isdigit() and int(announced) > BODY_BYTES_MAX:
        raise _too_large()
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            raise _too_large()
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    delivered = False

    async def once() -> Message:
        nonlocal delivered
        if delivered:
            return await receive()
        delivered = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"a body here has at most {BODY_BYTES_MAX} bytes", bytes_max=BODY_BYTES_MAX)
