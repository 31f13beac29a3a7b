"""One ASGI application: the data path by hand, everything else by the control plane."""

from collections.abc import Awaitable, Callable
from typing import Final

import orjson

from aos.gateway.api import AsgiScope, GatewayApp, Receive, Send
from aos.infra.telemetry import METRICS
from aos.infra.wiring import Health

AsgiApp = Callable[[AsgiScope, Receive, Send], Awaitable[None]]

_HEALTH_PATHS: Final = frozenset({"/health", "/health/ready"})

_ROOT: Final = orjson.dumps(
    {"name": "AOS", "gateway": "/v1", "api": "/api/v1", "health": "/health", "docs": "/docs"}
)


class Front:
    """Routes by path. `/v1/*` must not pay for the control plane's framework."""

    def __init__(self, gateway: GatewayApp, control: AsgiApp, health: Health) -> None:
        self._gateway = gateway
        self._control = control
        self._health = health

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith("/v1/") or path == "/v1":
                await self._gateway(scope, receive, send)
                return
            if path == "/" and scope["method"] in {"GET", "HEAD"}:
                await _answer(scope, send, 200, _ROOT)
                return
            if path == "/metrics" and scope["method"] == "GET":
                content, media_type = METRICS.render()
                await _answer(scope, send, 200, content, media_type)
                return
            if path in _HEALTH_PATHS and scope["method"] in {"GET", "HEAD"}:
                report = await self._health.ask()
                status = 503 if report["status"] == "down" else 200
                await _answer(scope, send, status, orjson.dumps(report))
                return
        await self._control(scope, receive, send)


async def _answer(
    scope: AsgiScope, send: Send, status: int, content: bytes, media_type: str = "application/json"
) -> None:
    """The content; its head alone for `HEAD`, which is how clients ask whether anybody is there."""
    headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", str(len(content)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    body = content if scope["method"] == "GET" else b""
    await send({"type": "http.response.body", "body": body})
