"""Upstreams that play a session: what the model says is written down, the client is the real one.

Each turn is one answer, its events in the order and shape in which Anthropic's Messages API and
OpenAI's Responses API stream them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Used:
    """Tokens of one answer: `fresh` input beside what was read from and written to the cache."""

    fresh: int
    output: int
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0

    @property
    def input(self) -> int:
        return self.fresh + self.cache_read + self.cache_write

    def cost(self, dollars_per_million: Mapping[str, str]) -> Decimal:
        """By hand, from a published price for each kind of token."""
        total = Decimal(0)
        for name, rate in dollars_per_million.items():
            total += Decimal(rate) * int(getattr(self, name))
        return total / 10**6


@dataclass(frozen=True)
class Turn:
    """What the model answers: words, or a tool to run with its input (a dict, or free text)."""

    used: Used
    text: str = ""
    tool: str | None = None
    tool_input: dict[str, Any] | str = field(default_factory=dict)


class Script:
    """Plays its turns one request after the other; more requests than turns are an error."""

    path: str

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.turns = turns
        self.played = 0

    async def __call__(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.method != "POST" or request.path != self.path:
            return web.json_response({"error": {"message": f"no {request.path}"}}, status=404)
        asked = json.loads(body)
        if self.played == len(self.turns):
            return web.json_response({"error": {"message": "the script is over"}}, status=400)
        turn = self.turns[self.played]
        self.played += 1
        if not asked.get("stream"):
            return web.json_response(self.whole(asked["model"], turn), headers=self.headers())
        response = web.StreamResponse(
            headers={"content-type": "text/event-stream; charset=utf-8", **self.headers()}
        )
        await response.prepare(request)
        for event in self.events(asked["model"], turn):
            line = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
            await response.write(line.encode())
        return response

    def headers(self) -> dict[str, str]:
        return {}

    def events(self, model: str, turn: Turn) -> Iterator[dict[str, Any]]:
        raise NotImplementedError

    def whole(self, model: str, turn: Turn) -> dict[str, Any]:
        """The same answer where no stream was asked for."""
        raise NotImplementedError


class AnthropicScript(Script):
    """`POST /v1/messages`."""

    path = "/v1/messages"

    def headers(self) -> dict[str, str]:
        return {
            "request-id": f"req_{self.played}",
            "anthropic-ratelimit-requests-remaining": "49",
        }

    def events(self, model: str, turn: Turn) -> Iterator[dict[str, Any]]:
        message = self._message(model, turn)
        message["usage"]["output_tokens"] = 1
        yield {"type": "message_start", "message": message}
        yield {"type": "ping"}
        yield from self._thought(0)
        yield from self._words(1, turn.text)
        if turn.tool is not None:
            yield from self._tool(2, turn)
        yield {
            "type": "message_delta",
            "delta": {"stop_reason": _stop_reason(turn), "stop_sequence": None},
            "usage": {"output_tokens": turn.used.output},
        }
        yield {"type": "message_stop"}

    def whole(self, model: str, turn: Turn) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "text", "text": turn.text}]
        if turn.tool is not None:
            call = {"id": f"toolu_{self.played}", "name": turn.tool, "input": turn.tool_input}
            content.append({"type": "tool_use", **call})
        told = {"content": content, "stop_reason": _stop_reason(turn)}
        return {**self._message(model, turn), **told}

    def _message(self, model: str, turn: Turn) -> dict[str, Any]:
        return {
            "id": f"msg_{self.played}",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": self._usage(turn.used),
        }

    def _thought(self, index: int) -> Iterator[dict[str, Any]]:
        """Adaptive thinking that is not shown: nothing but its signature."""
        block = {"type": "thinking", "thinking": "", "signature": ""}
        yield {"type": "content_block_start", "index": index, "content_block": block}
        delta = {"type": "signature_delta", "signature": f"EqQBCkYIBRgC{self.played}"}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}

    def _words(self, index: int, text: str) -> Iterator[dict[str, Any]]:
        block = {"type": "text", "text": ""}
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for word in text.split(" "):
            delta = {"type": "text_delta", "text": f"{word} "}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}

    def _tool(self, index: int, turn: Turn) -> Iterator[dict[str, Any]]:
        block: dict[str, Any] = {"type": "tool_use", "name": turn.tool, "input": {}}
        block["id"] = f"toolu_{self.played}"
        yield {"type": "content_block_start", "index": index, "content_block": block}
        text = json.dumps(turn.tool_input)
        for part in ("", text[: len(text) // 2], text[len(text) // 2 :]):
            delta = {"type": "input_json_delta", "partial_json": part}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}

    def _usage(self, used: Used) -> dict[str, Any]:
        return {
            "input_tokens": used.fresh,
            "cache_read_input_tokens": used.cache_read,
            "cache_creation_input_tokens": used.cache_write,
            "cache_creation": {
                "ephemeral_5m_input_tokens": used.cache_write,
                "ephemeral_1h_input_tokens": 0,
            },
            "output_tokens": used.output,
            "service_tier": "standard",
        }


def _stop_reason(turn: Turn) -> str:
    return "end_turn" if turn.tool is None else "tool_use"


class ResponsesScript(Script):
    """`POST /v1/responses`."""

    path = "/v1/responses"

    def headers(self) -> dict[str, str]:
        return {"x-request-id": f"req_{self.played}", "x-ratelimit-remaining-requests": "49"}

    def events(self, model: str, turn: Turn) -> Iterator[dict[str, Any]]:
        items = list(self._items(turn))
        response = {
            "id": f"resp_{self.played}",
            "object": "response",
            "created_at": 1_795_000_000,
            "model": model,
            "store": False,
        }
        under_way = {**response, "status": "in_progress", "output": [], "usage": None}
        plain: list[dict[str, Any]] = [{"type": "response.created", "response": under_way}]
        for index, item in enumerate(items):
            shell = {**item, "status": "in_progress"}
            plain.append({"type": "response.output_item.added", "output_index": index} | _of(shell))
            if item["type"] == "message":
                place = {"item_id": item["id"], "output_index": index, "content_index": 0}
                for word in turn.text.split(" "):
                    delta = {"type": "response.output_text.delta", "delta": f"{word} "}
                    plain.append({**delta, **place, "logprobs": []})
            plain.append({"type": "response.output_item.done", "output_index": index} | _of(item))
        done = {**response, "status": "completed", "output": items, "usage": _usage(turn.used)}
        plain.append({"type": "response.completed", "response": done})
        for number, event in enumerate(plain):
            yield {**event, "sequence_number": number}

    def _items(self, turn: Turn) -> Iterator[dict[str, Any]]:
        yield {
            "type": "reasoning",
            "id": f"rs_{self.played}",
            "summary": [],
            "encrypted_content": f"gAAAAABencrypted{self.played}",
        }
        if turn.tool is None:
            text = {"type": "output_text", "text": turn.text, "annotations": [], "logprobs": []}
            yield {
                "type": "message",
                "id": f"msg_{self.played}",
                "role": "assistant",
                "status": "completed",
                "content": [text],
            }
        elif isinstance(turn.tool_input, str):
            yield self._call("custom_tool_call", turn.tool, input=turn.tool_input)
        else:
            arguments = json.dumps(turn.tool_input)
            yield self._call("function_call", turn.tool, arguments=arguments)

    def _call(self, kind: str, name: str, **told: str) -> dict[str, Any]:
        return {
            "type": kind,
            "id": f"call_item_{self.played}",
            "call_id": f"call_{self.played}",
            "name": name,
            "status": "completed",
            **told,
        }


def _of(item: dict[str, Any]) -> dict[str, Any]:
    return {"item": item}


def _usage(used: Used) -> dict[str, Any]:
    return {
        "input_tokens": used.input,
        "input_tokens_details": {"cached_tokens": used.cache_read},
        "output_tokens": used.output,
        "output_tokens_details": {"reasoning_tokens": used.reasoning},
        "total_tokens": used.input + used.output,
    }
