"""The ASGI door of `/v1/*`: bytes in, bytes out. No framework: this is the hot path."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import structlog

from aos.gateway.errors import CallerGone, UnsupportedEndpoint
from aos.gateway.free.service import FreeOperations
from aos.gateway.model import Door, Headers, Incoming, Kind, Operation
from aos.gateway.pipeline import Pipeline
from aos.gateway.rules import decode_body, dialect_of_path, operation_for, too_large
from aos.identity import (
    Authenticator,
    Caller,
    Scope,
    ScopeMissing,
    check_tenant,
    key_from_headers,
    labels_from_headers,
)
from aos.infra.door import TELL_WHEN_GONE
from aos.kit import ids
from aos.kit.clock import Clock
from aos.kit.errors import AosError
from aos.messages import Dialect, reader

AsgiMessage = MutableMapping[str, Any]
AsgiScope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]

REQUEST_ID: Final = b"x-aos-request-id"

log = structlog.get_logger("aos.gateway")


class AsgiReply:
    """An ASGI connection as a Reply. Adds the request id to whatever leaves."""

    def __init__(self, request_id: str, scope: AsgiScope, receive: Receive, send: Send) -> None:
        self.started = False
        self._request_id = request_id.encode()
        self._tell_when_gone = scope.get(TELL_WHEN_GONE)
        self._receive = receive
        self._send = send

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True
        headers.append((REQUEST_ID, self._request_id))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, body: bytes, *, last: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})

    def tell_when_gone(self, told: Callable[[], None]) -> Callable[[], None]:
        if self._tell_when_gone is not None:
            taken_back: Callable[[], None] = self._tell_when_gone(told)
            return taken_back
        # A server that is not our door: only its `receive` tells.
        watcher = asyncio.ensure_future(self._gone(told))

        def take_back() -> None:
            watcher.cancel()

        return take_back

    async def _gone(self, told: Callable[[], None]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        told()


class GatewayApp:
    """The ASGI application of the data path."""

    def __init__(
        self,
        pipeline: Pipeline,
        free: FreeOperations,
        authenticator: Authenticator,
        clock: Clock,
        door: Door,
    ) -> None:
        self._pipeline = pipeline
        self._free = free
        self._authenticator = authenticator
        self._clock = clock
        self._body_bytes_max = door.body_bytes_max
        self._tenant_required = door.tenant_required
        self._scopes_enforced = door.scopes_enforced

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        request_id = ids.new("call")
        reply = AsgiReply(request_id, scope, receive, send)
        dialect = dialect_of_path(scope["path"])
        try:
            operation = operation_for(scope["method"], scope["path"])
            dialect = operation.dialect
            incoming = await self._incoming(request_id, operation, scope, receive)
            if operation.kind is Kind.GENERATE:
                await self._pipeline.complete(incoming, reply)
            else:
                await self._free.serve(incoming, reply)
        except CallerGone:
            pass
        except AosError as error:
            await _refuse(reply, dialect, request_id, error)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("call_failed", request_id=request_id, path=scope["path"])
            fault = AosError("something went wrong inside AOS; the request id finds it in the logs")
            await _refuse(reply, dialect, request_id, fault)

    async def _incoming(
        self, request_id: str, operation: Operation, scope: AsgiScope, receive: Receive
    ) -> Incoming:
        received_at, started = self._clock.now(), self._clock.monotonic()
        headers: Headers = scope["headers"]
        caller = await self._authenticate(headers)
        check_tenant(caller, headers, required=self._tenant_required)
        if self._scopes_enforced and not caller.may(Scope.INVOKE):
            raise ScopeMissing("this key may not call models: it lacks the scope invoke")
        labels = labels_from_headers(caller, headers)
        body = b"" if scope["method"] == "GET" else await self._body(headers, receive)
        return Incoming(
            id=request_id,
            operation=operation,
            method=scope["method"],
            query=scope["query_string"],
            headers=headers,
            body=body,
            caller=caller,
            labels=labels,
            received_at=received_at,
            started=started,
        )

    async def _authenticate(self, headers: Headers) -> Caller:
        key = key_from_headers(headers)
        known = self._authenticator.cached(key) if key else None
        return known or await self._authenticator.authenticate(key)

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        """The whole body, decoded. Raises BodyTooLarge before reading what is announced as such."""
        encoding = ""
        for name, value in headers:
            if name == b"content-length" and int(value or 0) > self._body_bytes_max:
                raise too_large(self._body_bytes_max)
            if name == b"content-encoding":
                encoding = value.decode("latin-1").strip().lower()
        message = await receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            body = await self._rest_of_body(body, receive)
        if message["type"] == "http.disconnect":
            raise CallerGone("the caller left before its request was read")
        return decode_body(body, encoding, self._body_bytes_max) if encoding else body

    async def _rest_of_body(self, first: bytes, receive: Receive) -> bytes:
        parts, size, more = [first], len(first), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise CallerGone("the caller left before its request was read")
            part = message.get("body", b"")
            size += len(part)
            if size > self._body_bytes_max:
                raise too_large(self._body_bytes_max)
            parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts)


async def _refuse(reply: AsgiReply, dialect: Dialect, request_id: str, error: AosError) -> None:
    """The error in the caller's dialect; a no-op once an answer is under way."""
    if reply.started:
        return
    headers: Headers = [(b"content-type", b"application/json")]
    if not error.retryable and error.status in {402, 429}:
        headers.append((b"x-should-retry", b"false"))
    if error.retry_after_seconds is not None:
        headers.append((b"retry-after", str(max(1, round(error.retry_after_seconds))).encode()))
    if isinstance(error, UnsupportedEndpoint):
        headers.append((b"x-should-retry", b"false"))
    body = reader(dialect).error_body(error, request_id)
    headers.append((b"content-length", str(len(body)).encode()))
    await reply.start(error.status, headers)
    await reply.send(body, last=True)
