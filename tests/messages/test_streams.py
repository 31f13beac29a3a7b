"""Streams that are not what they should be, and how failures are told."""

import json

import pytest

from aos.kit.errors import AosError
from aos.messages import Dialect, Reported, StreamInvalid, StreamReader, TokenUsage, reader
from aos.messages.limits import EVENT_BYTES_MAX

CHAT, RESPONSES = reader(Dialect.OPENAI_CHAT), reader(Dialect.OPENAI_RESPONSES)
EMBEDDINGS, MESSAGES = reader(Dialect.OPENAI_EMBEDDINGS), reader(Dialect.ANTHROPIC_MESSAGES)


class BudgetExceeded(AosError):
    code = "budget_exceeded"
    status = 402


class Broken(AosError):
    code = "upstream_broken"
    status = 502


def chat_stream() -> StreamReader:
    return CHAT.stream(CHAT.read_call(b'{"model":"m","messages":[],"stream":true}'))


def messages_stream() -> StreamReader:
    return MESSAGES.stream(MESSAGES.read_call(b'{"model":"m","messages":[],"stream":true}'))


def test_json_where_a_stream_was_asked_for_is_metered_all_the_same() -> None:
    body = b'\n{"id":"c","model":"m","choices":[],\n\n"usage":{"prompt_tokens":3,"total_tokens":3}}'
    stream = chat_stream()
    assert stream.feed(body) + stream.finish() == body
    assert stream.reported.usage == TokenUsage(input_tokens=3)
    body = b'{"type":"message","id":"m","usage":{"input_tokens":2,"output_tokens":1}}'
    stream = messages_stream()
    assert stream.feed(body) == b""
    assert stream.finish() == body
    assert stream.reported.usage == TokenUsage(input_tokens=2, output_tokens=1)


def test_garbage_passes_and_is_not_complete() -> None:
    for garbage in (b"<html>502</html>", b"data: {not json\n\n", b"data: [1]\n\n", b"\xff\xfe\n\n"):
        stream = chat_stream()
        assert stream.feed(garbage) + stream.finish() == garbage
        assert not stream.reported.complete
        assert stream.reported.usages == ()


def test_an_event_without_end_ends_the_stream() -> None:
    stream = chat_stream()
    piece = b"data: " + b"x" * (1 << 20)
    with pytest.raises(StreamInvalid):
        for _ in range(EVENT_BYTES_MAX // len(piece) + 2):
            stream.feed(piece)


def test_comments_lone_lines_and_data_over_several_lines() -> None:
    text = (
        b": ping\n\nevent: x\nid: 7\nretry: 10\n\n\n"
        b'data: {"choices":[{"delta":\ndata:{"content":"ab"},"finish_reason":"stop"}]}\n\n'
        b"data:[DONE]\n\n"
    )
    stream = chat_stream()
    assert stream.feed(text) + stream.finish() == text
    assert stream.finished
    assert stream.output_bytes == 2
    assert stream.reported.finish_reason == "stop"


def test_nothing_after_the_terminal_event_is_sent() -> None:
    stream = chat_stream()
    assert stream.feed(b"data: [DONE]\n\ndata: more\n\n") == b""
    assert stream.feed(b"data: more\n\n") == b""
    assert stream.finish() == b"data: [DONE]\n\n"


def test_the_last_blank_line_may_be_missing() -> None:
    stream = chat_stream()
    assert stream.feed(b"data: [DONE]\n") == b""
    assert stream.finish() == b"data: [DONE]\n"
    assert stream.finished


def test_without_done_a_stream_is_complete_once_it_stopped_and_told_its_usage() -> None:
    stream = chat_stream()
    stream.feed(b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n')
    stopped = stream.reported
    assert not stopped.complete
    stream.feed(b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n')
    assert stream.reported.complete
    assert not stream.finished


@pytest.mark.parametrize(
    "usage",
    [
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b'{"prompt_tokens":null}',
        b'{"prompt_tokens":-5}',
        b'{"prompt_tokens":true}',
        b'{"prompt_tokens":"9"}',
        b'{"prompt_tokens":{},"prompt_tokens_details":7}',
    ],
)
def test_usage_that_says_nothing_is_no_usage(usage: bytes) -> None:
    assert CHAT.read_answer(b'{"model":"m","choices":null,"usage":%b}' % usage) == Reported("m")


def test_parts_never_exceed_their_total() -> None:
    reported = CHAT.read_answer(
        b'{"usage":{"prompt_tokens":10,"completion_tokens":4,'
        b'"prompt_tokens_details":{"cached_tokens":99,"audio_tokens":6,"image_tokens":50},'
        b'"completion_tokens_details":{"reasoning_tokens":50,"audio_tokens":3}}}'
    )
    assert reported.usage == TokenUsage(
        input_tokens=10,
        cache_read_tokens=4,
        input_audio_tokens=6,
        output_tokens=4,
        reasoning_tokens=1,
        output_audio_tokens=3,
    )


def test_absurd_counts_fit_into_a_database() -> None:
    reported = CHAT.read_answer(b'{"usage":{"prompt_tokens":1e300,"completion_tokens":9}}')
    assert reported.usage.input_tokens == 1 << 31


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES, EMBEDDINGS, MESSAGES])
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"<html>", b"\xff", b"[" * 100_000])
def test_unreadable_answers_report_nothing(dialect: object, body: bytes) -> None:
    assert dialect.read_answer(body) == Reported(complete=False)  # type: ignore[attr-defined]  # a DialectReader


def test_upstream_errors_in_a_plain_answer() -> None:
    assert not CHAT.read_answer(b'{"error":{"message":"no"}}').complete
    assert not RESPONSES.read_answer(b'{"status":"failed","error":{"code":"x"}}').complete
    assert not MESSAGES.read_answer(b'{"type":"error","error":{"type":"api_error"}}').complete


def test_a_budgets_refusal_in_each_dialect() -> None:
    error = BudgetExceeded(
        "The budget Daily is spent.", budget="Daily", remaining_usd="0.000000000"
    )
    assert json.loads(CHAT.error_body(error, "req_1")) == {
        "error": {
            "message": "The budget Daily is spent.",
            "type": "insufficient_quota",
            "param": None,
            "code": "budget_exceeded",
            "request_id": "req_1",
            "budget": "Daily",
            "remaining_usd": "0.000000000",
        }
    }
    assert json.loads(MESSAGES.error_body(error, "req_1")) == {
        "type": "error",
        "error": {
            "type": "billing_error",
            "message": "The budget Daily is spent.",
            "code": "budget_exceeded",
            "budget": "Daily",
            "remaining_usd": "0.000000000",
        },
        "request_id": "req_1",
    }


@pytest.mark.parametrize(
    ("status", "openai", "anthropic"),
    [
        (400, "invalid_request_error", "invalid_request_error"),
        (401, "authentication_error", "authentication_error"),
        (403, "permission_error", "permission_error"),
        (404, "not_found_error", "not_found_error"),
        (413, "invalid_request_error", "request_too_large"),
        (429, "rate_limit_error", "rate_limit_error"),
        (500, "server_error", "api_error"),
        (504, "server_error", "timeout_error"),
        (529, "server_error", "overloaded_error"),
    ],
)
def test_error_types_follow_the_status(status: int, openai: str, anthropic: str) -> None:
    error = type("Some", (AosError,), {"status": status, "code": "some"})("Why.")
    assert json.loads(RESPONSES.error_body(error, "r"))["error"]["type"] == openai
    assert json.loads(EMBEDDINGS.error_body(error, "r"))["error"]["type"] == openai
    assert json.loads(MESSAGES.error_body(error, "r"))["error"]["type"] == anthropic


def test_a_cut_response_keeps_its_id_and_sequence() -> None:
    stream = RESPONSES.stream(RESPONSES.read_call(b'{"model":"m","stream":true}'))
    stream.feed(
        b'event: response.created\ndata: {"type":"response.created","sequence_number":4,'
        b'"response":{"id":"resp_9","model":"gpt-5","created_at":17}}\n\n'
    )
    event = stream.error_event(Broken("It broke."), "req_1")
    assert event.startswith(b"event: response.failed\ndata: ")
    told = json.loads(event.split(b"data: ")[1])
    assert told["sequence_number"] == 5
    assert (told["response"]["id"], told["response"]["status"]) == ("resp_9", "failed")
    assert told["response"]["error"] == {"code": "upstream_broken", "message": "It broke."}


@pytest.mark.parametrize(
    ("event", "relayed"),
    [
        (
            b'data: {"choices": [{"index": 0}], "usage": {"prompt_tokens": 1}}\n\n',
            b'data: {"choices": [{"index": 0}]}\n\n',
        ),
        (
            b'id: 7\r\ndata:{"usage": {"prompt_tokens": 1}, "choices":[{"index":0}]}\r\n\r\n',
            b'id: 7\r\ndata:{"choices":[{"index":0}]}\r\n\r\n',
        ),
        (
            b'data: {"choices":[{"index":0}],\ndata: "usage":{"prompt_tokens":1}}\n\n',
            b'data: {"choices":[{"index":0}]}\n\n',
        ),
    ],
    ids=["last", "first", "over two lines"],
)
def test_usage_beside_the_last_words_is_removed_too(event: bytes, relayed: bytes) -> None:
    stream = chat_stream()
    assert stream.feed(event) == relayed
    assert stream.reported.usage == TokenUsage(input_tokens=1)
