"""What coding clients send and ask besides their turns, each request by itself."""

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import zstandard
from aiohttp import web

from aos.infra.postgres import Database
from tests.houses import ADMIN_KEY, Gate, open_gate
from tests.upstreams import FakeProvider, answers, fake_provider

ASKED: dict[str, Any] = {
    "model": "gpt-6.1-sol",
    "store": False,
    "input": [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAABé="}],
    "field_of_tomorrow": {"kept": [1.50, "\u00e9"]},
}
USAGE = {"input_tokens": 1_000, "output_tokens": 10, "total_tokens": 1_010}
COMPACTED: dict[str, Any] = {
    "id": "resp_1",
    "object": "response.compaction",
    "created_at": 1_795_000_000,
    "output": [{"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAAABshort"}],
    "usage": USAGE,
}
COUNTED = {"input_tokens": 42}


@pytest.fixture
async def upstream() -> AsyncIterator[FakeProvider]:
    async with fake_provider(answers(COMPACTED)) as upstream:
        yield upstream


@pytest.fixture
async def gate(priced_database: Database, upstream: FakeProvider) -> AsyncIterator[Gate]:
    async with open_gate(priced_database.url, upstream.url, AOS_BODY_BYTES_MAX="100000") as gate:
        yield gate
        await gate.at_rest()


async def post(gate: Gate, path: str, body: bytes, **headers: str) -> tuple[int, Any, Any]:
    sent = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json", **headers}
    async with gate.session.post(gate.url + path, data=body, headers=sent) as answer:
        return answer.status, answer.headers, await answer.read()


async def get(gate: Gate, path: str, key: str = ADMIN_KEY) -> Any:
    sent = {"authorization": f"Bearer {key}"}
    async with gate.session.get(gate.url + path, headers=sent) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def test_somebody_is_there(gate: Gate) -> None:
    async with gate.session.head(gate.url + "/") as answer:
        assert answer.status == 200
        assert await answer.read() == b""


async def test_a_compaction_passes_byte_for_byte_and_is_paid_for(
    gate: Gate, upstream: FakeProvider
) -> None:
    body = json.dumps(ASKED, ensure_ascii=False).encode()
    status, headers, content = await post(gate, "/v1/responses/compact", body)
    assert status == 200
    assert json.loads(content) == COMPACTED
    [received] = upstream.received
    assert received.path == "/v1/responses/compact"
    assert received.body == body
    assert headers["x-aos-cost-usd"] == "0.002100000"
    [call] = await gate.calls()
    assert call["cost_usd"] == "0.002100000"
    assert call["input_tokens"] == 1_000


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstandard.compress)]
)
async def test_compressed_bodies_are_read_and_sent_on_plain(
    gate: Gate, upstream: FakeProvider, encoding: str, compress: Any
) -> None:
    body = json.dumps(ASKED).encode()
    sent = {"content-encoding": encoding}
    status, _, _ = await post(gate, "/v1/responses/compact", compress(body), **sent)
    assert status == 200
    assert upstream.received[0].body == body
    assert encoding not in json.dumps(upstream.received[0].headers.get("Content-Encoding", ""))
    vast = compress(b" " * 100_001)
    status, _, content = await post(gate, "/v1/responses/compact", vast, **sent)
    assert status == 413
    assert json.loads(content)["error"]["code"] == "request_too_large"
    assert len(upstream.received) == 1


async def test_headers_of_both_makers_pass_both_ways(gate: Gate, upstream: FakeProvider) -> None:
    told = {"request-id": "req_1", "anthropic-ratelimit-tokens-remaining": "9", "retry-after": "3"}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": [],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 1},
        "field_of_tomorrow": True,
    }
    upstream.handler = answers(message, 200, **told)
    asked = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [], "new": {"a": 1}}
    body = json.dumps(asked).encode()
    betas = {"anthropic-beta": "context-1m-2025-08-07,new-2030-01-01", "openai-beta": "x=v1"}
    status, headers, content = await post(gate, "/v1/messages?beta=true", body, **betas)
    assert status == 200
    assert json.loads(content) == message
    [received] = upstream.received
    assert received.path == "/v1/messages?beta=true"
    assert received.body == body
    sent_on = {name.lower(): value for name, value in received.headers.items()}
    assert betas.items() <= sent_on.items()
    assert told.items() <= headers.items()


async def test_tokens_are_counted_by_the_provider_and_free(
    gate: Gate, upstream: FakeProvider
) -> None:
    upstream.handler = answers(COUNTED)
    body = b'{"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "hi"}]}'
    status, headers, content = await post(gate, "/v1/messages/count_tokens?beta=true", body)
    assert (status, json.loads(content)) == (200, COUNTED)
    assert "x-aos-cost-usd" not in headers
    assert upstream.received[0].path == "/v1/messages/count_tokens?beta=true"
    assert await gate.calls() == []


async def test_tokens_that_nobody_counts_are_not_guessed(
    gate: Gate, upstream: FakeProvider
) -> None:
    upstream.handler = answers({"error": {"message": "no such path"}}, status=404)
    body = b'{"model": "claude-opus-5-5", "messages": []}'
    status, _, _ = await post(gate, "/v1/messages/count_tokens", body)
    assert status == 404
    body = b'{"model": "gpt-6.1-sol", "messages": []}'
    status, _, content = await post(gate, "/v1/messages/count_tokens", body)
    assert (status, json.loads(content)["type"]) == (404, "error")
    assert len(upstream.received) == 1


async def test_a_key_sees_the_models_it_may_call_in_every_clients_shape(gate: Gate) -> None:
    names = {"gpt-6.1-sol", "claude-opus-5-5"}
    key = await gate.key(models=sorted(names))
    listed = await get(gate, "/v1/models", key.secret)
    assert {model["id"] for model in listed["data"]} == names
    assert {model["slug"] for model in listed["models"]} == names
    for model in (*listed["data"], *listed["models"]):
        assert model["display_name"]
    assert len((await get(gate, "/v1/models"))["data"]) > 50


async def test_codex_keeps_what_it_knows_of_its_own_models(gate: Gate) -> None:
    listed = await get(gate, "/v1/models?client_version=0.169.0")
    assert listed["models"] == []
    assert listed["data"]


async def test_a_search_hidden_in_the_input_is_bounded_like_any_other(
    gate: Gate, upstream: FakeProvider
) -> None:
    key = await gate.key("100")
    search = {"type": "namespace", "name": "n", "tools": [{"type": "web_search"}]}
    item = {"type": "additional_tools", "role": "developer", "tools": [search]}
    body = json.dumps({**ASKED, "input": [item]}).encode()
    status, _, content = await post(gate, "/v1/responses", body, **{"x-aos-key": key.secret})
    assert status == 400
    error = json.loads(content)["error"]
    assert (error["code"], error["field"]) == ("unbounded_request", "web_search")
    assert upstream.received == []


async def test_the_upstreams_own_refusal_reaches_the_client(
    gate: Gate, upstream: FakeProvider
) -> None:
    refusal = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

    async def overloaded(_request: web.Request, _body: bytes) -> web.StreamResponse:
        return web.json_response(refusal, status=529, headers={"x-should-retry": "true"})

    upstream.handler = overloaded
    body = b'{"model": "claude-opus-5-5", "max_tokens": 9, "messages": []}'
    status, headers, content = await post(gate, "/v1/messages", body)
    assert (status, json.loads(content)) == (529, refusal)
    assert headers["x-should-retry"] == "true"
