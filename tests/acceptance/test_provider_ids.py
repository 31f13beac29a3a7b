"""What a provider keeps belongs to the tenant that made it; reading it is free."""

from typing import Any

import pytest
from aiohttp import web

from aos.identity import Keys, KeyTerms, Scope, Tenants
from aos.kit import ids
from tests.answers import every_dialect, message, response, response_events
from tests.houses import Gate, Key
from tests.upstreams import FakeProvider, answers, streams

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKED: dict[str, Any] = {"model": "gpt-4o", "input": "hi"}


async def key_of_another_tenant(gate: Gate) -> Key:
    core = gate.house.core
    await Tenants(core.database).ensure("stranger", "A stranger")
    async with core.database.tenant("stranger") as tx:
        terms = KeyTerms(ids.new("test"), frozenset({Scope.INVOKE, Scope.READ}))
        made = await Keys(core.budgets, core.clock).create(tx, "stranger", terms)
    return Key(made.key.id, made.secret)


async def ask(gate: Gate, key: Key, method: str, path: str) -> tuple[int, Any]:
    async with gate.session.request(method, gate.url + path, headers=key.headers) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize("stream", [False, True])
async def test_an_earlier_response_can_be_continued_by_its_tenant_alone(
    gate: Gate, provider: FakeProvider, stream: bool
) -> None:
    ours, theirs = await gate.key(), await key_of_another_tenant(gate)
    made = f"resp_of_ours_{stream}"
    provider.handler = streams(response_events(made)) if stream else answers(response(made))
    status, _, _ = await gate.call({**ASKED, "stream": stream}, "/v1/responses", **ours.headers)
    assert status == 200
    provider.handler = every_dialect
    provider.received.clear()

    following = {**ASKED, "previous_response_id": made}
    status, _, told = await gate.call(following, "/v1/responses", **theirs.headers)
    assert (status, told["error"]["code"]) == (404, "unknown_object")
    assert provider.received == []
    status, _, _ = await gate.call(following, "/v1/responses", **ours.headers)
    assert status == 200
    assert provider.received[0].json() == following


async def test_reading_and_deleting_a_response_is_free_and_its_tenants_alone(
    gate: Gate, provider: FakeProvider
) -> None:
    ours, theirs = await gate.key(), await key_of_another_tenant(gate)
    provider.handler = answers(response("resp_read"))
    await gate.call(ASKED, "/v1/responses", **ours.headers)
    provider.received.clear()

    kept: dict[str, Any] = {"id": "resp_read", "object": "response"}

    async def keeper(_request: web.Request, _body: bytes) -> web.StreamResponse:
        return web.json_response(kept)

    provider.handler = keeper
    for method, rest in (("GET", ""), ("GET", "/input_items?limit=2"), ("DELETE", "")):
        path = f"/v1/responses/resp_read{rest}"
        status, told = await ask(gate, theirs, method, path)
        assert (status, told["error"]["code"]) == (404, "unknown_object")
        assert provider.received == []
        assert await ask(gate, ours, method, path) == (200, kept)
        assert provider.received.pop().path == path
    assert len(await gate.calls(ours)) == 1


async def test_an_id_that_nobody_made_here_is_not_asked_for(
    gate: Gate, provider: FakeProvider
) -> None:
    ours = await gate.key()
    reference = {"type": "item_reference", "id": "rs_elsewhere"}
    for fields in ({"conversation": "conv_elsewhere"}, {"input": [reference]}):
        status, _, told = await gate.call({**ASKED, **fields}, "/v1/responses", **ours.headers)
        assert (status, told["error"]["code"]) == (404, "unknown_object")
    assert provider.received == []


async def test_reasoning_that_the_caller_keeps_itself_is_nobodys(
    gate: Gate, provider: FakeProvider
) -> None:
    """Codex stores nothing at the provider and sends all back, ids and encrypted reasoning."""
    ours = await gate.key()
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAAB"}
    said = {"type": "message", "id": "msg_1", "role": "user", "content": "on"}
    body = {**ASKED, "store": False, "input": [thought, said]}
    status, _, _ = await gate.call(body, "/v1/responses", **ours.headers)
    assert status == 200
    assert provider.received[0].json() == body


async def test_an_answer_that_is_not_stored_is_not_remembered(
    gate: Gate, provider: FakeProvider
) -> None:
    ours = await gate.key()
    provider.handler = answers(response("resp_gone"))
    await gate.call({**ASKED, "store": False}, "/v1/responses", **ours.headers)
    following = {**ASKED, "previous_response_id": "resp_gone"}
    status, _, told = await gate.call(following, "/v1/responses", **ours.headers)
    assert (status, told["error"]["code"]) == (404, "unknown_object")
    assert len(provider.received) == 1


async def test_a_container_can_be_used_again_by_its_tenant_alone(
    gate: Gate, provider: FakeProvider
) -> None:
    ours, theirs = await gate.key(), await key_of_another_tenant(gate)
    asked = {"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": []}
    held = {"id": "container_1", "expires_at": "2030-01-01T00:00:00Z"}
    provider.handler = answers({**message(), "container": held})
    await gate.call(asked, "/v1/messages", **ours.headers)
    again = {**asked, "container": "container_1"}
    status, _, _ = await gate.call(again, "/v1/messages", **theirs.headers)
    assert status == 404
    status, _, _ = await gate.call(again, "/v1/messages", **ours.headers)
    assert status == 200
    assert [received.json() for received in provider.received] == [asked, again]


async def test_an_id_that_can_be_none_is_unknown(gate: Gate, provider: FakeProvider) -> None:
    for odd in ("resp_\0", "resp_" + "x" * 100_000):
        asked = {**ASKED, "previous_response_id": odd}
        status, _, told = await gate.call(asked, "/v1/responses")
        assert (status, told["error"]["code"]) == (404, "unknown_object")
        assert len(str(told)) < 2_000
    assert provider.received == []
