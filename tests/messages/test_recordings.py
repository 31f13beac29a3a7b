"""Answers as the providers' documentation and SDKs write them, plain and streamed."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from aos.messages import Dialect, Reported, StreamReader, TokenUsage, reader

FOLDER = Path(__file__).parent / "recordings"
CHAT, RESPONSES, EMBEDDINGS, MESSAGES = (
    Dialect.OPENAI_CHAT,
    Dialect.OPENAI_RESPONSES,
    Dialect.OPENAI_EMBEDDINGS,
    Dialect.ANTHROPIC_MESSAGES,
)
CALLS = {
    CHAT: b'{"model":"m","messages":[],"stream":true}',
    RESPONSES: b'{"model":"m","input":"","stream":true}',
    EMBEDDINGS: b'{"model":"m","input":""}',
    MESSAGES: b'{"model":"m","messages":[],"max_tokens":1,"stream":true}',
}


def one(usage: TokenUsage) -> tuple[tuple[str | None, TokenUsage], ...]:
    return ((None, usage),)


PLAIN = {
    "openai-chat.json": (
        CHAT,
        Reported(
            model="gpt-5-mini-2025-08-07",
            usages=one(
                TokenUsage(
                    input_tokens=2006,
                    cache_read_tokens=1920,
                    output_tokens=300,
                    reasoning_tokens=128,
                )
            ),
            service_tier="default",
            response_id="chatcmpl-BxkQ2",
            finish_reason="stop",
        ),
    ),
    "xai.json": (
        CHAT,
        Reported(
            model="grok-4-0709",
            # Thinking is billed beside completion_tokens there.
            usages=one(
                TokenUsage(
                    input_tokens=32, cache_read_tokens=6, output_tokens=103, reasoning_tokens=94
                )
            ),
            response_id="x1",
            finish_reason="stop",
        ),
    ),
    "openrouter.json": (
        CHAT,
        Reported(
            model="anthropic/claude-sonnet-4",
            usages=one(
                TokenUsage(
                    input_tokens=5000,
                    cache_read_tokens=1000,
                    cache_write_5m_tokens=3900,
                    output_tokens=4,
                )
            ),
            response_id="gen-2",
            finish_reason="stop",
        ),
    ),
    "openai-embeddings.json": (
        EMBEDDINGS,
        Reported(model="text-embedding-3-small", usages=one(TokenUsage(input_tokens=8))),
    ),
    "openai-responses.json": (
        RESPONSES,
        Reported(
            model="gpt-5-2025-08-07",
            usages=one(
                TokenUsage(
                    input_tokens=81,
                    cache_read_tokens=64,
                    cache_write_5m_tokens=10,
                    output_tokens=1035,
                    reasoning_tokens=832,
                )
            ),
            service_tier="default",
            response_id="resp_68",
            finish_reason="completed",
        ),
    ),
    "openai-responses-tools.json": (
        RESPONSES,
        Reported(
            model="gpt-5-2025-08-07",
            usages=(
                (
                    None,
                    TokenUsage(
                        input_tokens=9000, output_tokens=100, web_searches=3, storage_searches=1
                    ),
                ),
                (
                    "gpt-image-2",
                    TokenUsage(
                        input_tokens=50,
                        input_image_tokens=20,
                        output_tokens=272,
                        output_image_tokens=272,
                    ),
                ),
            ),
            service_tier="flex",
            response_id="resp_68",
            object_ids=("cntr_68", "conv_68"),
            finish_reason="completed",
        ),
    ),
    "anthropic-messages.json": (
        MESSAGES,
        Reported(
            model="claude-sonnet-4-5-20250929",
            usages=one(
                TokenUsage(
                    input_tokens=13595,
                    cache_read_tokens=10000,
                    cache_write_5m_tokens=500,
                    cache_write_1h_tokens=1000,
                    output_tokens=503,
                    reasoning_tokens=200,
                    web_searches=2,
                )
            ),
            service_tier="standard",
            region="us",
            response_id="msg_013Zva",
            finish_reason="end_turn",
        ),
    ),
    "anthropic-iterations.json": (
        MESSAGES,
        Reported(
            model="claude-opus-4-6",
            usages=(
                (None, TokenUsage(input_tokens=180000, output_tokens=3500)),
                (None, TokenUsage(input_tokens=20000, output_tokens=700)),
                ("claude-opus-4-8", TokenUsage(input_tokens=9000, output_tokens=400)),
                (None, TokenUsage(input_tokens=3000, output_tokens=300)),
                (None, TokenUsage(web_searches=1)),
            ),
            service_tier="standard",
            response_id="msg_013Zva",
            finish_reason="end_turn",
        ),
    ),
}

GPT_4O_MINI = Reported(
    model="gpt-4o-mini-2024-07-18",
    service_tier="default",
    response_id="chatcmpl-BxkQ3",
    finish_reason="stop",
)
STREAMS = {
    "openai-chat.sse": (CHAT, GPT_4O_MINI, 27),
    "openai-chat-usage.sse": (
        CHAT,
        Reported(
            model="gpt-4o-mini-2024-07-18",
            usages=one(TokenUsage(input_tokens=11, output_tokens=6)),
            service_tier="default",
            response_id="chatcmpl-BxkQ3",
            finish_reason="stop",
        ),
        27,
    ),
    "openai-chat-tools.sse": (
        CHAT,
        Reported(
            model="gpt-4o-mini-2024-07-18",
            usages=one(TokenUsage(input_tokens=71, output_tokens=15)),
            service_tier="default",
            response_id="chatcmpl-BxkQ3",
            finish_reason="tool_calls",
        ),
        45,
    ),
    "deepseek.sse": (
        CHAT,
        Reported(
            model="deepseek-reasoner",
            usages=one(
                TokenUsage(
                    input_tokens=1100,
                    cache_read_tokens=1024,
                    output_tokens=20,
                    reasoning_tokens=12,
                )
            ),
            response_id="930c60df",
            finish_reason="stop",
        ),
        5,
    ),
    "groq.sse": (
        CHAT,
        Reported(
            model="llama-3.3-70b-versatile",
            usages=one(TokenUsage(input_tokens=36, output_tokens=3)),
            response_id="chatcmpl-g1",
            finish_reason="stop",
        ),
        2,
    ),
    "mistral.sse": (
        CHAT,
        Reported(
            model="mistral-small-latest",
            usages=one(TokenUsage(input_tokens=9, output_tokens=2)),
            response_id="cmpl-e5",
            finish_reason="stop",
        ),
        5,
    ),
    "gemini.sse": (
        CHAT,
        Reported(
            model="gemini-2.5-flash",
            usages=one(TokenUsage(input_tokens=5, output_tokens=116, reasoning_tokens=114)),
            response_id="g-1",
            finish_reason="stop",
        ),
        5,
    ),
    "openrouter-error.sse": (
        CHAT,
        Reported(
            model="anthropic/claude-sonnet-4",
            response_id="gen-1",
            finish_reason="error",
            complete=False,
        ),
        4,
    ),
    "openai-responses.sse": (RESPONSES, PLAIN["openai-responses.json"][1], 23),
    "openai-responses-failed.sse": (
        RESPONSES,
        Reported(
            model="gpt-5-2025-08-07",
            service_tier="auto",
            response_id="resp_68",
            finish_reason="failed",
            complete=False,
        ),
        0,
    ),
    "anthropic-messages.sse": (
        MESSAGES,
        Reported(
            model="claude-opus-4-6",
            usages=one(
                TokenUsage(
                    input_tokens=702,
                    cache_read_tokens=30,
                    cache_write_1h_tokens=200,
                    output_tokens=89,
                )
            ),
            service_tier="standard",
            speed="fast",
            response_id="msg_014p7g",
            finish_reason="tool_use",
        ),
        62,
    ),
    "anthropic-error.sse": (
        MESSAGES,
        Reported(
            model="claude-opus-4-6",
            usages=one(
                TokenUsage(
                    input_tokens=702,
                    cache_read_tokens=30,
                    cache_write_1h_tokens=200,
                    output_tokens=2,
                )
            ),
            service_tier="standard",
            speed="fast",
            response_id="msg_014p7g",
            complete=False,
        ),
        13,
    ),
}


def stream_of(dialect: Dialect, *, caller_asked_usage: bool = True) -> StreamReader:
    body = CALLS[dialect]
    if caller_asked_usage and dialect is CHAT:
        body = body[:-1] + b',"stream_options":{"include_usage":true}}'
    dialect_reader = reader(dialect)
    return dialect_reader.stream(dialect_reader.read_call(body))


def events_of(text: bytes) -> list[dict[str, Any]]:
    found = re.findall(rb"^data: (\{.*\})\r?$", text, re.MULTILINE)
    return [json.loads(data) for data in found]


@pytest.mark.parametrize("name", PLAIN)
def test_what_a_plain_answer_reports(name: str) -> None:
    dialect, expected = PLAIN[name]
    assert reader(dialect).read_answer((FOLDER / name).read_bytes()) == expected


@pytest.mark.parametrize("name", STREAMS)
def test_what_a_stream_reports(name: str) -> None:
    dialect, expected, output_bytes = STREAMS[name]
    text = (FOLDER / name).read_bytes()
    stream = stream_of(dialect)
    relayed = stream.feed(text)
    assert stream.finished
    held = stream.finish()
    assert relayed + held == text
    assert held
    assert stream.reported == expected
    assert stream.output_bytes == output_bytes
    assert (stream.upstream_error is None) == expected.complete


@pytest.mark.parametrize("name", STREAMS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_a_stream_split_anywhere_is_the_same_stream(name: str, data: st.DataObject) -> None:
    dialect, _, _ = STREAMS[name]
    line_end = data.draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    text = (FOLDER / name).read_bytes().replace(b"\n", line_end)
    if data.draw(st.booleans()):
        text = b"\xef\xbb\xbf: a comment\n\n" + text
    asked = data.draw(st.booleans())
    whole = stream_of(dialect, caller_asked_usage=asked)
    wanted = whole.feed(text), whole.finish()
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=40))
    assert_same(stream_of(dialect, caller_asked_usage=asked), text, cuts, wanted)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_stream_byte_by_byte_is_the_same_stream(name: str, line_end: bytes) -> None:
    dialect, expected, output_bytes = STREAMS[name]
    text = (FOLDER / name).read_bytes().replace(b"\n", line_end)
    whole = stream_of(dialect, caller_asked_usage=False)
    wanted = whole.feed(text), whole.finish()
    stream = stream_of(dialect, caller_asked_usage=False)
    assert_same(stream, text, list(range(len(text))), wanted)
    assert stream.reported == expected
    assert stream.output_bytes == output_bytes


def assert_same(
    stream: StreamReader, text: bytes, cuts: list[int], wanted: tuple[bytes, bytes]
) -> None:
    edges = [0, *sorted(cuts), len(text)]
    relayed = b"".join(stream.feed(text[a:b]) for a, b in itertools.pairwise(edges))
    assert (relayed, stream.finish()) == wanted


def test_usage_that_only_we_asked_for_is_removed() -> None:
    """The caller gets byte for byte what it would have got had nobody asked."""
    asked = (FOLDER / "openai-chat-usage.sse").read_bytes()
    stream = stream_of(CHAT, caller_asked_usage=False)
    relayed = stream.feed(asked)
    assert relayed + stream.finish() == (FOLDER / "openai-chat.sse").read_bytes()
    assert stream.reported.usage == TokenUsage(input_tokens=11, output_tokens=6)


@pytest.mark.parametrize("name", [n for n in STREAMS if "error" not in n])
def test_a_stream_cut_short_says_so(name: str) -> None:
    dialect, _, _ = STREAMS[name]
    text = (FOLDER / name).read_bytes()
    stream = stream_of(dialect)
    half = text[: len(text) // 3]
    assert stream.feed(half) + stream.finish() == half
    assert not stream.finished
    assert not stream.reported.complete


def test_recordings_are_what_the_sdks_accept() -> None:
    models: dict[str, Any] = {
        "openai-chat.json": ChatCompletion,
        "openai-embeddings.json": CreateEmbeddingResponse,
        "openai-responses.json": Response,
        "openai-responses-tools.json": Response,
        "anthropic-messages.json": Message,
        "anthropic-iterations.json": BetaMessage,
        "openai-chat.sse": ChatCompletionChunk,
        "openai-chat-usage.sse": ChatCompletionChunk,
        "openai-chat-tools.sse": ChatCompletionChunk,
        "openai-responses.sse": ResponseStreamEvent,
        "openai-responses-failed.sse": ResponseStreamEvent,
        "anthropic-messages.sse": RawMessageStreamEvent,
    }
    for name, model in models.items():
        text = (FOLDER / name).read_bytes()
        bodies = events_of(text) if name.endswith(".sse") else [json.loads(text)]
        for body in bodies:
            if body.get("type") != "ping":
                TypeAdapter(model).validate_python(body)
