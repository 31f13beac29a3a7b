"""The stub's messages."""

from typing import Any

import orjson

from aos.messages import ModelCall
from aos.providers.answers.model import Reply, reply


class MessagesSpeaker:
    def plain(self, call: ModelCall) -> bytes:
        said = reply(call)
        content = [{"type": "text", "text": said.text}] if said.words else []
        message = _message(call, said, content=content, output_tokens=said.tokens)
        return orjson.dumps({**message, "stop_reason": _reason(said)})

    def stream(self, call: ModelCall) -> list[bytes]:
        said = reply(call)
        block = {"type": "text", "text": ""}
        deltas = [
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": w}}
            for w in said.words
        ]
        events: list[dict[str, Any]] = [
            {
                "type": "message_start",
                "message": _message(call, said, content=[], output_tokens=1),
            },
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "ping"},
            *deltas,
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": _reason(said), "stop_sequence": None},
                "usage": {"output_tokens": said.tokens},
            },
            {"type": "message_stop"},
        ]
        return [
            b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))
            for event in events
        ]


def _message(
    call: ModelCall, said: Reply, *, content: list[dict[str, Any]], output_tokens: int
) -> dict[str, Any]:
    return {
        "id": f"msg_{said.id}",
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": said.prompt_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output_tokens,
            "service_tier": "standard",
        },
    }


def _reason(said: Reply) -> str:
    return "max_tokens" if said.cut else "end_turn"
