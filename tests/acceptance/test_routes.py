"""Names, aliases, upstreams of one's own, fallbacks; and who may call what, and for whom."""

import gzip
import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
import zstandard
from multidict import CIMultiDict

from tests.answers import CHAT_COST, RESPONSE_COST, every_dialect, refuses
from tests.houses import ADMIN_KEY, Gate, open_gate
from tests.upstreams import FakeProvider, answers, chat_answer, fake_provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def own() -> AsyncIterator[FakeProvider]:
    """An upstream that the tenant runs itself."""
    async with fake_provider(every_dialect) as provider:
        yield provider


@pytest.fixture(scope="module")
def nowhere() -> Iterator[str]:
    """An address that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def declared(gate: Gate, own: FakeProvider, nowhere: str) -> Gate:
    """The gate with an `aos.yaml` applied."""
    price = {"input": "1.00", "output": "2.00"}
    model = {"context_window": 8000, "output_tokens_max": 1000, "price": price}
    kind = "openai-compatible"
    document = {
        "version": 1,
        "providers": {
            "house": {"kind": kind, "base_url": f"{own.url}/v1", "models": {"tiny": model}},
            "gone": {"kind": kind, "base_url": f"{nowhere}/v1", "models": {"away": model}},
            "twin": {
                "kind": kind,
                "base_url": f"{own.url}/v1",
                "models": {"gpt-4o-mini": model, "tiny": model},
            },
        },
        "aliases": {
            "fast": "house/tiny",
            "sturdy": ["gone/away", "house/tiny"],
            "careful": ["openai/gpt-4o-mini", "house/tiny"],
            "dangling": "gemini-2.5-pro",
        },
    }
    applied = await gate.api("POST", "/api/v1/config/apply", {"document": document})
    assert applied["applied"]
    return gate


async def test_a_model_of_ones_own_upstream_has_ones_own_price(
    declared: Gate, own: FakeProvider, provider: FakeProvider
) -> None:
    own.received.clear()
    key = await declared.key(limit_usd="1.00")
    own.handler = answers(chat_answer(model="tiny"))
    status, headers, _ = await declared.call({**CHAT, "model": "fast"}, **key.headers)
    own.handler = every_dialect
    assert (status, headers["x-aos-provider"], headers["x-aos-model"]) == (200, "house", "tiny")
    assert headers["x-aos-cost-usd"] == "0.000038000"  # 20 at 1, 9 at 2 dollars a million.
    [received] = own.received
    assert received.json()["model"] == "tiny"
    assert "authorization" not in received.headers
    assert provider.received == []
    story = await declared.story(headers)
    assert (story["model_requested"], story["provider"]) == ("fast", "house")


async def test_a_name_that_several_serve_is_an_error_that_lists_them(declared: Gate) -> None:
    for model, choices in (
        ("tiny", ["house/tiny", "twin/tiny"]),
        ("gpt-4o-mini", ["openai/gpt-4o-mini", "twin/gpt-4o-mini"]),
    ):
        status, _, body = await declared.call({**CHAT, "model": model})
        assert (status, body["error"]["code"]) == (400, "model_ambiguous")
        assert sorted(body["error"]["choices"]) == choices
    status, headers, _ = await declared.call({**CHAT, "model": "openai/gpt-4o-mini"})
    assert (status, headers["x-aos-cost-usd"]) == (200, CHAT_COST)


async def test_a_model_without_a_provider_says_so(declared: Gate) -> None:
    status, _, body = await declared.call({**CHAT, "model": "gemini-2.5-pro"})
    assert (status, body["error"]["code"]) == (404, "provider_not_configured")


async def test_an_alias_that_leads_nowhere_does_not_spoil_the_list(declared: Gate) -> None:
    listed = await declared.api("GET", "/v1/models")
    names = {model["id"] for model in listed["data"]}
    assert {"fast", "sturdy", "tiny", "gpt-4o"} <= names
    assert "dangling" not in names


async def test_unreachable_is_tried_again_then_the_next_in_line(
    declared: Gate, provider: FakeProvider
) -> None:
    key = await declared.key(limit_usd="1.00")
    status, headers, _ = await declared.call({**CHAT, "model": "sturdy"}, **key.headers)
    assert (status, headers["x-aos-provider"]) == (200, "house")
    story = await declared.story(headers)
    told = [(a["number"], a["provider"], a["status"]) for a in story["attempts"]]
    assert told == [
        (1, "gone", "upstream_error"),
        (2, "gone", "upstream_error"),
        (3, "house", "ok"),
    ]
    assert [a["cost_usd"] for a in story["attempts"][:2]] == ["0.000000000"] * 2
    assert story["cost_usd"] == story["attempts"][2]["cost_usd"] == headers["x-aos-cost-usd"]
    assert len({entry["hold_id"] for entry in story["entries"]}) == 3
    spent = (await declared.api("GET", "/api/v1/keys/self", **key.headers))["budgets"][0]
    assert spent["current_spend_usd"] == story["cost_usd"]


async def test_unreachable_with_nobody_left_is_a_502(declared: Gate) -> None:
    status, headers, body = await declared.call({**CHAT, "model": "gone/away"})
    assert (status, body["error"]["code"]) == (502, "upstream_unreachable")
    story = await declared.story(headers)
    assert len(story["attempts"]) == 2
    assert (story["status"], story["cost_usd"]) == ("upstream_error", "0.000000000")


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_overloaded_upstream_hands_over_to_the_next(
    declared: Gate, provider: FakeProvider, status: int
) -> None:
    provider.handler = refuses(status, {"error": {"message": "overloaded"}})
    served, headers, _ = await declared.call({**CHAT, "model": "careful"})
    assert (served, headers["x-aos-provider"]) == (200, "house")
    story = await declared.story(headers)
    assert [a["upstream_status"] for a in story["attempts"]] == [status, 200]


async def test_a_caller_s_mistake_is_not_tried_elsewhere(
    declared: Gate, own: FakeProvider, provider: FakeProvider
) -> None:
    own.received.clear()
    provider.handler = refuses(400, {"error": {"message": "bad"}})
    assert (await declared.call({**CHAT, "model": "careful"}))[0] == 400
    assert own.received == []


async def test_a_dialect_that_the_provider_does_not_speak_is_named(declared: Gate) -> None:
    status, _, body = await declared.call({**CHAT, "model": "openai/gpt-4o-mini"}, "/v1/messages")
    assert (status, body["error"]["code"]) == (404, "dialect_not_supported")


async def test_a_key_calls_its_models_and_no_others(declared: Gate) -> None:
    key = await declared.key(models=["fast", "gpt-4o"])
    assert (await declared.call({**CHAT, "model": "fast"}, **key.headers))[0] == 200
    assert (await declared.call({**CHAT, "model": "gpt-4o"}, **key.headers))[0] == 200
    for model in ("house/tiny", "gpt-4.1", "openai/gpt-4o-mini"):
        status, _, body = await declared.call({**CHAT, "model": model}, **key.headers)
        assert (status, body["error"]["code"]) == (403, "model_not_allowed")
    listed = await declared.api("GET", "/v1/models", **key.headers)
    assert {model["id"] for model in listed["data"]} == {"fast", "gpt-4o"}


async def test_whom_a_key_may_charge(declared: Gate) -> None:
    mine = await declared.api("POST", "/api/v1/agents", {"name": "mine"})
    other = await declared.api("POST", "/api/v1/agents", {"name": "other"})
    bound = await declared.key(agent_id=mine["id"])
    free = await declared.key()
    body = {**CHAT, "model": "fast"}

    async def code(key: Any, **headers: str) -> tuple[int, str]:
        status, _, told = await declared.call(body, **key.headers, **headers)
        return status, told.get("error", {}).get("code", "")

    assert await code(bound) == (200, "")
    assert await code(bound, **{"x-aos-agent": mine["id"]}) == (200, "")
    assert (await code(bound, **{"x-aos-agent": other["id"]}))[0] == 403
    assert await code(free, **{"x-aos-agent": other["id"]}) == (200, "")
    assert (await code(free, **{"x-aos-agent": "agt_01ARZ3NDEKTSV4RRFFQ69G5FAV"}))[0] == 404
    assert (await code(free, **{"x-tenant-id": "default"}))[0] == 200
    assert (await code(free, **{"x-tenant-id": "another"}))[0] == 403
    reader = await declared.key(scopes=["read"])
    assert (await code(reader))[0] == 403
    rows = await declared.calls(bound)
    assert {row["agent_id"] for row in rows} == {mine["id"]}


async def test_what_a_provider_keeps_is_read_free_of_charge(
    declared: Gate, provider: FakeProvider
) -> None:
    key = await declared.key(limit_usd="1.00")
    body = {"model": "gpt-4o", "input": "Hi"}
    status, headers, _ = await declared.call(body, "/v1/responses", **key.headers)
    assert (status, headers["x-aos-cost-usd"]) == (200, RESPONSE_COST)

    async def get(response_id: str) -> tuple[int, str]:
        url = f"{declared.url}/v1/responses/{response_id}"
        async with declared.session.get(url, headers=key.headers) as answer:
            told = await answer.json()
            return answer.status, told.get("error", {}).get("code", "")

    provider.handler = answers({"id": "resp_1"})
    assert await get("resp_1") == (200, "")
    assert provider.received[-1].path == "/v1/responses/resp_1"
    seen = len(provider.received)
    assert await get("resp_of_somebody_else") == (404, "unknown_object")
    assert len(provider.received) == seen
    assert len(await declared.calls(key)) == 1


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_a_compressed_body_is_read(declared: Gate, own: FakeProvider, encoding: str) -> None:
    own.received.clear()
    plain = json.dumps({**CHAT, "model": "fast"}).encode()
    packed = gzip.compress(plain) if encoding == "gzip" else zstandard.compress(plain)
    headers = {"authorization": f"Bearer {ADMIN_KEY}", "content-encoding": encoding}
    async with declared.session.post(
        f"{declared.url}/v1/chat/completions", data=packed, headers=headers
    ) as answer:
        assert answer.status == 200
    [received] = own.received
    assert "content-encoding" not in received.headers
    assert received.json()["messages"] == CHAT["messages"]


async def test_a_header_sent_twice_arrives_as_both(declared: Gate, provider: FakeProvider) -> None:
    headers = CIMultiDict({"authorization": f"Bearer {ADMIN_KEY}"})
    headers.add("anthropic-beta", "one-2025-01-01")
    headers.add("anthropic-beta", "two-2025-01-01")
    body = {**CHAT, "model": "claude-sonnet-4-6"}
    async with declared.session.post(
        f"{declared.url}/v1/messages", data=json.dumps(body), headers=headers
    ) as answer:
        assert answer.status == 200
    assert provider.received[0].headers["anthropic-beta"] in {
        "one-2025-01-01, two-2025-01-01",
        "one-2025-01-01,two-2025-01-01",
    }


async def test_a_change_of_routes_is_in_force_at_once(declared: Gate) -> None:
    document = {"version": 1, "aliases": {"tomorrow": "openai/gpt-4o-mini"}}
    assert (await declared.call({**CHAT, "model": "tomorrow"}))[0] == 404
    await declared.api("POST", "/api/v1/config/apply", {"document": document})
    assert (await declared.call({**CHAT, "model": "tomorrow"}))[0] == 200


async def test_an_address_that_may_not_be_called_hands_over_to_the_next(
    module_priced_url: str, provider: FakeProvider
) -> None:
    async with open_gate(
        module_priced_url,
        provider.url,
        GEMINI_API_KEY="key-of-google",
        DISABLE_EXTERNAL_CALLS="true",
    ) as closed:
        aliases = {"near": ["google/gemini-2.5-flash", "openai/gpt-4o-mini"]}
        document = {"version": 1, "aliases": aliases}
        await closed.api("POST", "/api/v1/config/apply", {"document": document})
        status, headers, _ = await closed.call({**CHAT, "model": "near"})
        assert (status, headers["x-aos-provider"]) == (200, "openai")
        first, second = (await closed.story(headers))["attempts"]
        assert (first["error"]["code"], first["cost_usd"]) == (
            "external_calls_disabled",
            "0.000000000",
        )
        assert second["status"] == "ok"
        await closed.at_rest()
