"""The stub's responses."""

from typing import Any

import orjson

from aos.messages import ModelCall
from aos.providers.answers.model import Reply, reply


class ResponsesSpeaker:
    def plain(self, call: ModelCall) -> bytes:
        said = reply(call)
        return orjson.dumps(_finished(call, said))

    def stream(self, call: ModelCall) -> list[bytes]:
        said = reply(call)
        started = _response(call, said, status="in_progress")
        item = _message(said, status="in_progress", content=[])
        part = _text("")
        place = {"item_id": item["id"], "output_index": 0}
        inside = {**place, "content_index": 0}
        done = _message(said, status=_status(said), content=[_text(said.text)])
        deltas = [
            {"type": "response.output_text.delta", **inside, "delta": word, "logprobs": []}
            for word in said.words
        ]
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": started},
            {"type": "response.in_progress", "response": started},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.content_part.added", **inside, "part": part},
            *deltas,
            {"type": "response.output_text.done", **inside, "text": said.text, "logprobs": []},
            {"type": "response.content_part.done", **inside, "part": _text(said.text)},
            {"type": "response.output_item.done", "output_index": 0, "item": done},
            {"type": f"response.{_status(said)}", "response": _finished(call, said)},
        ]
        return [
            b"event: %b\ndata: %b\n\n"
            % (event["type"].encode(), orjson.dumps({**event, "sequence_number": number}))
            for number, event in enumerate(events)
        ]


def _status(said: Reply) -> str:
    return "incomplete" if said.cut else "completed"


def _text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _message(said: Reply, *, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"msg_{said.id}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }


def _response(call: ModelCall, said: Reply, *, status: str) -> dict[str, Any]:
    return {
        "id": f"resp_{said.id}",
        "object": "response",
        "created_at": said.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": call.output_tokens_max,
        "model": call.model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "metadata": {},
    }


def _finished(call: ModelCall, said: Reply) -> dict[str, Any]:
    return {
        **_response(call, said, status=_status(said)),
        "incomplete_details": {"reason": "max_output_tokens"} if said.cut else None,
        "output": [_message(said, status=_status(said), content=[_text(said.text)])],
        "usage": {
            "input_tokens": said.prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": said.tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": said.prompt_tokens + said.tokens,
        },
    }
