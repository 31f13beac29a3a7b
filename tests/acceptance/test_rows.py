"""What the books keep of a call, whatever texts came with it."""

from typing import Any

import pytest
from aiohttp import web

from tests.houses import Gate
from tests.upstreams import FakeProvider, chat_answer, chat_events

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
