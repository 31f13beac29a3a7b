"""Upstreams that refuse, hang, break, lie: what the caller hears and what is on the books."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from tests.answers import CHAT_COST, message_events, refuses, response, response_events
from tests.houses import Gate, Key, open_gate, until
from tests.upstreams import (
    FakeProvider,
    answers,
    chat_answer,
    chat_events,
    hangs,
    streams,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
}
STREAMED = {**CHAT, "stream": True}
SHORT_RESPONSE = {"model": "gpt-4o", "input": "Hi", "max_output_tokens": 100}


@pytest_asyncio.fixture(loop_scope="module")
async def key(gate: Gate) -> Key:
    return await gate.key(limit_usd="1.00")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def impatient(module_priced_url: str, shared_provider: FakeProvider) -> AsyncIterator[Gate]:
    """Waits half a second for an upstream."""
    async with open_gate(
        module_priced_url, shared_provider.url, AOS_UPSTREAM_TIMEOUT_SECONDS="0.5"
    ) as gate:
        yield gate
        await gate.at_rest()


def hold_of(story: dict[str, Any]) -> str:
    return str(story["attempts"][0]["hold_usd"])


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (400, 400),
        (401, 502),
        (403, 403),
        (404, 404),
        (422, 422),
        (429, 429),
        (500, 502),
        (503, 503),
        (529, 529),
    ],
)
async def test_an_error_is_relayed_with_its_message_and_costs_nothing(
    *, gate: Gate, provider: FakeProvider, key: Key, status: int, told: int
) -> None:
    provider.handler = refuses(status, {"error": {"message": f"because {status}"}})
    got, headers, body = await gate.call(CHAT, **key.headers)
    assert (got, body["error"]["message"]) == (told, f"because {status}")
    story = await gate.story(headers)
    assert (story["status"], story["cost_usd"]) == ("upstream_error", "0.000000000")
    [attempt] = story["attempts"]
    assert (attempt["upstream_status"], attempt["cost_usd"]) == (status, "0.000000000")
    code = "upstream_credentials_refused" if status == 401 else "upstream_error"
    assert attempt["error"]["code"] == code
    assert story["settlement"]["posted_usd"] == "0.000000000"


async def test_an_error_of_another_shape_and_size_is_still_only_an_error(
    gate: Gate, provider: FakeProvider, key: Key
) -> None:
    provider.handler = refuses(503, b"<html>" + b"no backend " * 100_000)
    status, headers, _ = await raw(gate, CHAT, key)
    assert (status, headers["content-type"]) == (503, "text/html")
    story = await gate.story(headers)
    assert story["cost_usd"] == "0.000000000"
    assert story["error"]["message"].startswith("<html>no backend")


async def test_an_error_that_breaks_off_is_still_only_an_error(
    gate: Gate, provider: FakeProvider, key: Key
) -> None:
    async def broken(request: web.Request, _body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(status=500, headers={"content-length": "100"})
        await response.prepare(request)
        await response.write(b"oh no")
        assert request.transport is not None
        request.transport.close()
        return response

    provider.handler = broken
    status, headers, _ = await raw(gate, CHAT, key)
    assert status == 502
    assert (await gate.story(headers))["cost_usd"] == "0.000000000"


async def test_a_redirect_is_not_followed_and_costs_nothing(
    gate: Gate, provider: FakeProvider, key: Key
) -> None:
    provider.handler = refuses(307, {"moved": True}, location="http://127.0.0.1:1/")
    status, headers, _ = await raw(gate, CHAT, key)
    assert status == 502
    assert "location" not in headers
    assert (await gate.story(headers))["cost_usd"] == "0.000000000"


async def test_silence_is_a_504_and_posts_the_bound(
    impatient: Gate, provider: FakeProvider
) -> None:
    key = await impatient.key(limit_usd="1.00")
    provider.handler = hangs()
    status, headers, body = await impatient.call(CHAT, **key.headers)
    assert (status, body["error"]["code"]) == (504, "upstream_timeout")
    story = await impatient.story(headers)
    assert (story["status"], story["estimated"]) == ("upstream_error", True)
    assert story["cost_usd"] == hold_of(story) == story["settlement"]["posted_usd"]
    await until(lambda: provider.cut_off == 1)


async def test_silence_in_mid_stream_is_told_in_the_stream(
    impatient: Gate, provider: FakeProvider
) -> None:
    key = await impatient.key(limit_usd="1.00")

    async def stalls(request: web.Request, _body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(chat_events()[0])
        await asyncio.Event().wait()
        raise AssertionError

    provider.handler = stalls
    status, headers, body = await impatient.call(STREAMED, **key.headers)
    assert status == 200
    assert b"upstream_timeout" in body
    assert b"[DONE]" not in body
    story = await impatient.story(headers)
    assert (story["status"], story["estimated"]) == ("upstream_error", True)
    assert "0" < story["cost_usd"] < hold_of(story)


@pytest.mark.parametrize(
    ("path", "body", "events"),
    [
        ("/v1/chat/completions", STREAMED, chat_events()),
        ("/v1/responses", {**SHORT_RESPONSE, "stream": True}, response_events()),
        ("/v1/messages", {**STREAMED, "model": "claude-sonnet-4-6"}, message_events()),
    ],
)  # fmt: skip
async def test_a_stream_cut_in_the_middle_says_so_and_posts_what_may_have_been_spent(
    gate: Gate, provider: FakeProvider, key: Key, *, path: str, body: dict[str, Any],
    events: list[bytes],
) -> None:  # fmt: skip
    provider.handler = streams(events[:3], cut=True)
    status, headers, got = await gate.call(body, path, **key.headers)
    assert status == 200
    assert got.startswith(events[0])
    assert b"upstream_broken" in got
    assert events[-1].strip() not in got
    story = await gate.story(headers)
    assert (story["status"], story["estimated"]) == ("upstream_error", True)
    assert story["error"]["code"] == "upstream_broken"
    assert "0" < story["cost_usd"] < hold_of(story)


async def test_a_stream_that_ends_politely_but_too_early_was_cut_too(
    gate: Gate, provider: FakeProvider, key: Key
) -> None:
    provider.handler = streams(chat_events()[:3])
    _, headers, got = await gate.call(STREAMED, **key.headers)
    assert b"upstream_broken" in got
    assert (await gate.story(headers))["estimated"] is True


async def test_a_plain_answer_cut_in_the_middle_posts_the_bound(
    gate: Gate, provider: FakeProvider, key: Key
) -> None:
    async def cut(request: web.Request, _body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-length": "1000"})
        await response.prepare(request)
        await response.write(b'{"id": "chatcmpl-')
        assert request.transport is not None
        request.transport.abort()
        return response

    provider.handler = cut
    status, headers, body = await gate.call(CHAT, **key.headers)
    assert (status, body["error"]["code"]) == (502, "upstream_broken")
    story = await gate.story(headers)
    assert story["cost_usd"] == hold_of(story)
    assert story["estimated"] is True


GARBAGE = [
    b"data: {not json}\n\n",
    b"event: nothing\n\n",
    b": a comment\n\n",
    b'data: [1, 2, {"usage": 3}]\n\n',
    b'data: {"choices": "none", "usage": "much"}\n\n',
]


async def test_events_that_mean_nothing_pass_as_they_came(
    gate: Gate, provider: FakeProvider, key: Key
) -> None:
    events = chat_events(usage=False)
    provider.handler = streams([*GARBAGE, *chat_events()])
    _, headers, got = await gate.call(STREAMED, **key.headers)
    assert got == b"".join([*GARBAGE, *events])
    story = await gate.story(headers)
    assert (story["status"], story["cost_usd"]) == ("ok", CHAT_COST)


async def test_a_stream_without_usage_posts_what_came(
    gate: Gate, provider: FakeProvider, key: Key
) -> None:
    provider.handler = streams(chat_events(usage=False))
    _, headers, got = await gate.call(STREAMED, **key.headers)
    assert got.endswith(b"data: [DONE]\n\n")
    story = await gate.story(headers)
    assert (story["status"], story["estimated"]) == ("ok", True)
    assert CHAT_COST < story["cost_usd"] < hold_of(story)


@pytest.mark.parametrize(
    "answer",
    [
        {key: value for key, value in chat_answer().items() if key != "usage"},
        {**chat_answer(), "usage": None},
        {**chat_answer(), "usage": {"prompt_tokens": "many"}},
        {**chat_answer(), "usage": {"prompt_tokens": -5, "completion_tokens": -5}},
        {"error": {"message": "an error with status 200"}},
    ],
    ids=["missing", "null", "text", "negative", "error"],
)
async def test_an_answer_without_usage_posts_the_bound(
    gate: Gate, provider: FakeProvider, key: Key, answer: dict[str, Any]
) -> None:
    provider.handler = answers(answer)
    status, headers, body = await gate.call(CHAT, **key.headers)
    assert (status, body) == (200, answer)
    story = await gate.story(headers)
    assert story["estimated"] is True
    assert story["cost_usd"] == hold_of(story)
    assert story["status"] == ("upstream_error" if "error" in answer else "ok")


async def test_an_answer_that_is_no_json_posts_the_bound(
    gate: Gate, provider: FakeProvider, key: Key
) -> None:
    async def nonsense(_request: web.Request, _body: bytes) -> web.StreamResponse:
        return web.Response(body=b"\xff\xfe not json", content_type="application/json")

    provider.handler = nonsense
    status, headers, body = await raw(gate, CHAT, key)
    assert (status, body) == (200, b"\xff\xfe not json")
    story = await gate.story(headers)
    assert (story["estimated"], story["cost_usd"]) == (True, hold_of(story))
    assert (story["status"], story["error"]["code"]) == ("upstream_error", "upstream_error")


@pytest.mark.parametrize("stream", [False, True])
async def test_usage_beyond_the_hold_is_posted_in_full_and_marked(
    *, gate: Gate, provider: FakeProvider, key: Key, stream: bool
) -> None:
    provider.handler = (
        streams(chat_events(completion=1_000_000))
        if stream
        else answers(chat_answer(completion=1_000_000))
    )
    status, headers, _ = await gate.call({**CHAT, "stream": stream}, **key.headers)
    assert status == 200
    story = await gate.story(headers)
    assert story["cost_usd"] == story["settlement"]["posted_usd"] == "0.600003000"
    assert (story["status"], story["estimated"]) == ("ok", False)
    over = float(story["cost_usd"]) - float(hold_of(story))
    assert float(story["overrun_usd"]) == pytest.approx(over)
    whole = {**CHAT, "max_tokens": 900_000, "response_format": {"type": "json_object"}}
    refused, _, body = await gate.call(whole, **key.headers)
    assert (refused, body["error"]["remaining_usd"]) == (402, "0.399997000")


async def test_usage_beyond_belief_does_not_break_the_books(
    gate: Gate, provider: FakeProvider, key: Key
) -> None:
    provider.handler = answers(chat_answer(completion=10**19))
    status, headers, _ = await gate.call(CHAT, **key.headers)
    assert status == 200
    story = await gate.story(headers)
    assert float(story["settlement"]["posted_usd"]) >= float(hold_of(story))
    assert (await gate.call(CHAT, **key.headers))[0] == 402


async def test_texts_that_no_database_takes_do_not_break_the_books(
    gate: Gate, provider: FakeProvider, key: Key
) -> None:
    odd = {**chat_answer(model="evil\0model\r\nx-evil: 1"), "id": "x" * 5000 + "\0"}
    provider.handler = answers(odd)
    status, headers, body = await gate.call(CHAT, **key.headers)
    assert (status, body["model"]) == (200, odd["model"])
    assert "x-evil" not in headers
    assert (await gate.story(headers))["status"] == "ok"
    provider.handler = refuses(400, {"error": {"message": "nul \0 here"}})
    status, headers, body = await gate.call(CHAT, **key.headers)
    assert (status, body["error"]["message"]) == (400, "nul \0 here")
    assert (await gate.story(headers))["cost_usd"] == "0.000000000"


async def test_an_id_that_no_database_takes_does_not_break_the_books(
    gate: Gate, provider: FakeProvider, key: Key
) -> None:
    provider.handler = answers(response("resp_" + "x" * 5000 + "\0"))
    status, headers, _ = await gate.call(
        {"model": "gpt-4o", "input": "Hi"}, "/v1/responses", **key.headers
    )
    assert status == 200
    assert (await gate.story(headers))["cost_usd"] == "0.000300000"


@pytest.mark.parametrize("size", [1, 3, 7])
async def test_a_stream_in_crumbs_is_the_same_stream(
    gate: Gate, provider: FakeProvider, key: Key, size: int
) -> None:
    whole = b"".join(chat_events()).replace(b"\\u00f6", "ö".encode())
    crumbs = [whole[at : at + size] for at in range(0, len(whole), size)]
    provider.handler = streams(crumbs)
    asked = {**STREAMED, "stream_options": {"include_usage": True}}
    _, headers, got = await gate.call(asked, **key.headers)
    assert got == whole
    assert "wörd" in got.decode()
    assert (await gate.story(headers))["cost_usd"] == CHAT_COST


async def test_more_than_is_willing_to_be_read_posts_the_bound(
    gate: Gate, provider: FakeProvider, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aos.gateway.relay.service.ANSWER_BYTES_MAX", 1000)
    provider.handler = answers(chat_answer(content="x" * 2000))
    status, headers, body = await gate.call(CHAT, **key.headers)
    assert (status, body["error"]["code"]) == (502, "upstream_answer_too_large")
    story = await gate.story(headers)
    assert story["cost_usd"] == hold_of(story)


async def test_an_event_without_end_ends_the_stream(
    gate: Gate, provider: FakeProvider, key: Key
) -> None:
    provider.handler = streams([chat_events()[0], *[b"data: " + b"x" * 1_000_000] * 40])
    _, headers, got = await gate.call(STREAMED, **key.headers)
    assert got.startswith(chat_events()[0])
    assert b'"error"' in got
    story = await gate.story(headers)
    assert (story["status"], story["estimated"]) == ("upstream_error", True)


async def test_a_stream_that_was_asked_for_and_not_given(
    gate: Gate, provider: FakeProvider, key: Key
) -> None:
    provider.handler = answers(chat_answer())
    status, headers, body = await gate.call(STREAMED, **key.headers)
    assert (status, body) == (200, chat_answer())
    assert (await gate.story(headers))["cost_usd"] == CHAT_COST


async def raw(
    gate: Gate, body: dict[str, Any], key: Key, path: str = "/v1/chat/completions"
) -> tuple[int, dict[str, str], bytes]:
    """As `gate.call`, whatever comes back."""
    async with gate.session.post(gate.url + path, json=body, headers=key.headers) as answer:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        headers["content-type"] = answer.content_type
        return answer.status, headers, await answer.read()
