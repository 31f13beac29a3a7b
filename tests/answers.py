"""What providers answer in each dialect, as an official SDK can read it."""

import json
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from tests.upstreams import Handler, chat_answer, chat_events, streams

RATE_LIMITS = {"x-ratelimit-remaining-requests": "41", "x-request-id": "req_upstream"}


def event(data: dict[str, Any], *, named: bool = True) -> bytes:
    name = f"event: {data['type']}\n".encode() if named else b""
    return name + b"data: " + json.dumps(data).encode() + b"\n\n"


def response(
    response_id: str = "resp_1", *, status: str = "completed", usage: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "id": response_id,
        "object": "response",
        "created_at": 1760000000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "gpt-4o-2024-08-06",
        "output": [
            {
                "type": "message",
                "id": "msg_1",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Hello!", "annotations": []}],
            }
        ],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": usage
        or {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 40},
            "output_tokens": 10,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 110,
        },
    }


RESPONSE_COST = "0.000300000"
"""60 at 2.50, 40 cached at 1.25, 10 out at 10 dollars a million."""


def response_events(response_id: str = "resp_1") -> list[bytes]:
    begun: dict[str, Any] = {
        **response(response_id, status="in_progress"),
        "output": [],
        "usage": None,
    }
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    said: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_text.delta", "delta": "Hel", "logprobs": [], **place},
        {"type": "response.output_text.delta", "delta": "lo!", "logprobs": [], **place},
        {"type": "response.completed", "response": response(response_id)},
    ]
    return [event({**data, "sequence_number": n}) for n, data in enumerate(said)]


MESSAGE_USAGE: dict[str, Any] = {
    "input_tokens": 50,
    "cache_creation_input_tokens": 30,
    "cache_read_input_tokens": 200,
    "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
    "output_tokens": 12,
}
MESSAGE_COST = "0.000525000"
"""50 at 3, 20 written at 3.75, 10 written for an hour at 6, 200 read at 0.30, 12 out at 15."""


def message(usage: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        "content": [{"type": "text", "text": "Hello!"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage or MESSAGE_USAGE,
    }


def message_events() -> list[bytes]:
    begun: dict[str, Any] = {
        **message({**MESSAGE_USAGE, "output_tokens": 1}),
        "content": [],
        "stop_reason": None,
    }
    text = {"type": "text_delta", "text": "Hello!"}
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    said: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": text},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 12}},
        {"type": "message_stop"},
    ]
    return [event(data) for data in said]


EMBEDDING_COST = "0.000000160"
"""8 at 0.02 dollars a million."""


def embedding() -> dict[str, Any]:
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }


CHAT_COST = "0.000008400"
"""20 at 0.15, 9 out at 0.60 dollars a million."""

_PLAIN: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "/v1/chat/completions": chat_answer,
    "/v1/responses": response,
    "/v1/messages": message,
    "/v1/embeddings": embedding,
    "/v1/messages/count_tokens": lambda: {"input_tokens": 77},
}
_STREAMED: Final[dict[str, Callable[[], list[bytes]]]] = {
    "/v1/chat/completions": chat_events,
    "/v1/responses": response_events,
    "/v1/messages": message_events,
}


async def every_dialect(request: web.Request, body: bytes) -> web.StreamResponse:
    """An ordinary answer to whatever is asked, streamed where that is asked for."""
    asked = json.loads(body) if body else {}
    if asked.get("stream"):
        return await streams(_STREAMED[request.path]())(request, body)
    return web.json_response(_PLAIN[request.path](), headers=RATE_LIMITS)


def refuses(status: int, body: dict[str, Any] | bytes, **headers: str) -> Handler:
    """An error, as JSON or as whatever a proxy in between makes of it."""

    async def handler(_request: web.Request, _body: bytes) -> web.StreamResponse:
        if isinstance(body, bytes):
            return web.Response(status=status, body=body, content_type="text/html", headers=headers)
        return web.json_response(body, status=status, headers=headers)

    return handler
