"""The stub's chat completions."""

from typing import Any

import orjson

from aos.messages import ModelCall
from aos.providers.answers.model import Reply, reply


class ChatSpeaker:
    def plain(self, call: ModelCall) -> bytes:
        said = reply(call)
        message = {"role": "assistant", "content": said.text, "refusal": None}
        choices = [
            {"index": i, "message": message, "logprobs": None, "finish_reason": _reason(said)}
            for i in range(call.choices)
        ]
        return orjson.dumps(
            {
                **_head(call, said, "chat.completion"),
                "choices": choices,
                "usage": _usage(call, said),
            }
        )

    def stream(self, call: ModelCall) -> list[bytes]:
        said = reply(call)
        head = _head(call, said, "chat.completion.chunk")
        # With include_usage, every chunk but the last says `"usage":null`, as OpenAI's do.
        usage: dict[str, Any] = {"usage": None} if call.stream_usage_requested else {}
        deltas: list[tuple[dict[str, Any], str | None]] = [
            ({"role": "assistant", "content": ""}, None),
            *(({"content": word}, None) for word in said.words),
            ({}, _reason(said)),
        ]
        events = [
            _event(
                {
                    **head,
                    "choices": [
                        {"index": i, "delta": delta, "logprobs": None, "finish_reason": reason}
                    ],
                    **usage,
                }
            )
            for delta, reason in deltas
            for i in range(call.choices)
        ]
        if call.stream_usage_requested:
            events.append(_event({**head, "choices": [], "usage": _usage(call, said)}))
        return [*events, b"data: [DONE]\n\n"]


def _head(call: ModelCall, said: Reply, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{said.id}",
        "object": kind,
        "created": said.created,
        "model": call.model,
        "system_fingerprint": "fp_stub",
    }


def _reason(said: Reply) -> str:
    return "length" if said.cut else "stop"


def _usage(call: ModelCall, said: Reply) -> dict[str, Any]:
    completion = said.tokens * call.choices
    return {
        "prompt_tokens": said.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": said.prompt_tokens + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(chunk)
