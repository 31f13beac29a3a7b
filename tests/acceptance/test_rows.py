"""What the books keep of a call, whatever texts came with it."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from tests.conftest import rows_as_owner
from tests.houses import Gate, until
from tests.upstreams import FakeProvider, chat_answer, chat_events, hangs

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_row_says_what_to_ask_the_provider_about(
    *, gate: Gate, provider: FakeProvider, stream: bool
) -> None:
    named = {"x-request-id": "req_1"}

    async def handler(_request: web.Request, _body: bytes) -> web.StreamResponse:
        if not stream:
            return web.json_response(chat_answer(), headers=named)
        body = b"".join(chat_events())
        return web.Response(body=body, content_type="text/event-stream", headers=named)

    provider.handler = handler
    _, headers, _ = await gate.call({**CHAT, "stream": stream})
    [attempt] = (await gate.story(headers))["attempts"]
    assert (attempt["upstream_status"], attempt["upstream_request_id"]) == (200, "req_1")


NUL = "a\0b"
MESSAGE: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({**CHAT, "user": NUL}, "/v1/chat/completions"),
        ({**CHAT, "service_tier": NUL}, "/v1/chat/completions"),
        ({**CHAT, "model": f"openai/{NUL}"}, "/v1/chat/completions"),
        ({**MESSAGE, "metadata": {"user_id": NUL}}, "/v1/messages"),
        ({**CHAT, "user": "x" * 500_000}, "/v1/chat/completions"),
    ],
    ids=["user", "tier", "model", "metadata", "long"],
)
async def test_a_text_of_the_callers_does_not_fail_its_call(
    gate: Gate, provider: FakeProvider, body: dict[str, Any], path: str
) -> None:
    key = await gate.key()
    status, headers, _ = await gate.call(body, path, **key.headers)
    assert status == 200
    assert provider.received[0].json() == {**body, "model": body["model"].removeprefix("openai/")}
    story = await gate.story(headers)
    assert story["status"] == "ok"
    assert "\0" not in str(story)
    assert len(str(story)) < 5_000


async def test_what_a_hold_carries_is_bounded(gate: Gate, provider: FakeProvider) -> None:
    provider.handler = hangs()
    key = await gate.key()
    calling = asyncio.create_task(gate.call({**CHAT, "user": "x" * 500_000}, **key.headers))
    await until(lambda: provider.received)
    [held] = await rows_as_owner(
        gate.house.core.database,
        "SELECT octet_length(call::text) AS size FROM aos.holds WHERE state = 'dispatched'",
    )
    assert held["size"] < 2_000
    calling.cancel()
    await gate.ended(key)


async def test_a_model_that_nobody_can_know_is_not_found(gate: Gate) -> None:
    status, _, told = await gate.call({**CHAT, "model": NUL})
    assert (status, told["error"]["code"]) == (404, "model_not_found")
