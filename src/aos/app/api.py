"""One ASGI application: the data path by hand, everything else by the control plane."""

from collections.abc import Awaitable, Callable
from typing import Final

import orjson

from aos.gateway.api import AsgiScope, GatewayApp, Receive, Send

AsgiApp = Callable[[AsgiScope, Receive, Send], Awaitable[None]]

_ROOT: Final = orjson.dumps(
    {"name": "AOS", "gateway": "/v1", "api": "/api/v1", "health": "/health", "docs": "/docs"}
)


class Front:
    """Routes by path. `/v1/*` must not pay for the control plane's framework."""

    def __init__(self, gateway: GatewayApp, control: AsgiApp) -> None:
        self._gateway = gateway
        self._control = control

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith("/v1/") or path == "/v1":
                await self._gateway(scope, receive, send)
                return
            if path == "/" and scope["method"] in {"GET", "HEAD"}:
                await _root(scope, send)
                return
        await self._control(scope, receive, send)


async def _root(scope: AsgiScope, send: Send) -> None:
    """Clients ask `HEAD /` to see whether anybody is there."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(_ROOT)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    body = _ROOT if scope["method"] == "GET" else b""
    await send({"type": "http.response.body", "body": body})
