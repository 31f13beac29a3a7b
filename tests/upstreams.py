"""A provider at the edge of the network: answers as it is told, remembers what it was sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FakeProvider:
    """`handler` answers every request; swap it within a test."""

    url: str
    handler: Handler
    received: list[Received] = field(default_factory=list)
    cut_off: int = 0
    """Requests whose connection was closed from our side before they were answered."""


def chat_answer(
    *,
    prompt: int = 20,
    completion: int = 9,
    model: str = "gpt-4o-mini-2024-07-18",
    content: str = "Hello!",
) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1760000000,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        },
    }


def chat_events(
    *, prompt: int = 20, completion: int = 9, words: int = 5, usage: bool = True
) -> list[bytes]:
    """The events of a streamed chat answer, the terminal one last."""

    def event(**fields: Any) -> bytes:
        chunk = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1760000000,
            "model": "gpt-4o-mini-2024-07-18",
            **fields,
        }
        return b"data: " + json.dumps(chunk).encode() + b"\n\n"

    events = [
        event(choices=[{"index": 0, "delta": {"content": f"wörd{n} "}, "finish_reason": None}])
        for n in range(words)
    ]
    events.append(event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]))
    if usage:
        total = prompt + completion
        counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
        events.append(event(choices=[], usage=counts))
    return [*events, b"data: [DONE]\n\n"]


def answers(body: dict[str, Any], status: int = 200, **headers: str) -> Handler:
    async def handler(_request: web.Request, _body: bytes) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return handler


def streams(events: list[bytes], *, pause_seconds: float = 0, cut: bool = False) -> Handler:
    """One write an event; `cut` closes the connection instead of ending the answer."""

    async def handler(request: web.Request, _body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in events:
            await response.write(event)
            await asyncio.sleep(pause_seconds)
        if cut:
            assert request.transport is not None
            request.transport.abort()
        return response

    return handler


def hangs() -> Handler:
    async def handler(_request: web.Request, _body: bytes) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    return handler


async def by_dialect(request: web.Request, body: bytes) -> web.StreamResponse:
    """A plain or streamed chat answer, as the request asks."""
    if json.loads(body).get("stream"):
        return await streams(chat_events())(request, body)
    return await answers(chat_answer())(request, body)


@asynccontextmanager
async def fake_provider(handler: Handler = by_dialect) -> AsyncIterator[FakeProvider]:
    async def serve(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        provider.received.append(Received(request.path_qs, headers, body))
        try:
            return await provider.handler(request, body)
        except asyncio.CancelledError:
            provider.cut_off += 1
            raise

    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    provider = FakeProvider(f"http://{host}:{port}", handler)
    try:
        yield provider
    finally:
        await runner.cleanup()
