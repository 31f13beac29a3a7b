"""The official SDKs against the gate: what they are told, what they raise, what it cost."""

import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import openai
import pytest
import pytest_asyncio

from tests.answers import (
    CHAT_COST,
    EMBEDDING_COST,
    MESSAGE_COST,
    RESPONSE_COST,
    refuses,
)
from tests.houses import Gate, Key
from tests.upstreams import FakeProvider, chat_events, streams

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO: Any = [{"role": "user", "content": "Hello"}]


@pytest_asyncio.fixture(loop_scope="module")
async def key(gate: Gate) -> Key:
    return await gate.key(limit_usd="1.00")


@pytest_asyncio.fixture(loop_scope="module")
async def oai(gate: Gate, key: Key) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key=key.secret, base_url=f"{gate.url}/v1") as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def claude(gate: Gate, key: Key) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(api_key=key.secret, base_url=gate.url) as client:
        yield client


async def only_row(gate: Gate, key: Key) -> dict[str, Any]:
    [row] = await gate.calls(key)
    return row


async def test_chat(gate: Gate, provider: FakeProvider, key: Key, oai: openai.AsyncOpenAI) -> None:
    raw = await oai.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=HELLO)
    assert raw.headers["x-aos-cost-usd"] == CHAT_COST
    assert raw.headers["x-aos-provider"] == "openai"
    assert raw.headers["x-aos-model"] == "gpt-4o-mini-2024-07-18"
    assert raw.headers["x-aos-budget-remaining-usd"] == "0.999991600"
    assert raw.headers["x-ratelimit-remaining-requests"] == "41"
    assert raw.headers["x-request-id"] == "req_upstream"
    parsed = raw.parse()
    assert parsed.choices[0].message.content == "Hello!"
    row = await only_row(gate, key)
    assert row["id"] == raw.headers["x-aos-request-id"]
    assert (row["status"], row["cost_usd"], row["attempts"]) == ("ok", CHAT_COST, 1)
    assert (row["input_tokens"], row["output_tokens"]) == (20, 9)
    assert provider.received[0].headers["authorization"] == "Bearer sk-test"


@pytest.mark.parametrize("asked", [True, False])
async def test_a_chat_stream_has_usage_only_if_asked_for(
    *, gate: Gate, provider: FakeProvider, key: Key, oai: openai.AsyncOpenAI, asked: bool
) -> None:
    options: Any = {"stream_options": {"include_usage": True}} if asked else {}
    stream = await oai.chat.completions.create(
        model="gpt-4o-mini", messages=HELLO, stream=True, **options
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == "wörd0 wörd1 wörd2 wörd3 wörd4 "
    assert [c.usage.completion_tokens for c in chunks if c.usage] == ([9] if asked else [])
    assert provider.received[0].json()["stream_options"] == {"include_usage": True}
    row = await only_row(gate, key)
    assert (row["status"], row["cost_usd"], row["stream"]) == ("ok", CHAT_COST, True)
    assert row["time_to_first_token_ms"] is not None


async def test_responses(gate: Gate, key: Key, oai: openai.AsyncOpenAI) -> None:
    raw = await oai.responses.with_raw_response.create(model="gpt-4o", input="Hello")
    assert raw.headers["x-aos-cost-usd"] == RESPONSE_COST
    assert raw.parse().output_text == "Hello!"
    row = await only_row(gate, key)
    assert (row["cost_usd"], row["cache_read_tokens"]) == (RESPONSE_COST, 40)


async def test_a_responses_stream(gate: Gate, key: Key, oai: openai.AsyncOpenAI) -> None:
    stream = await oai.responses.create(model="gpt-4o", input="Hello", stream=True)
    events = [event async for event in stream]
    assert [event.type for event in events][-1] == "response.completed"
    assert (await only_row(gate, key))["cost_usd"] == RESPONSE_COST


async def test_embeddings(gate: Gate, key: Key, oai: openai.AsyncOpenAI) -> None:
    made = await oai.embeddings.create(
        model="text-embedding-3-small", input="Hello", encoding_format="float"
    )
    assert made.data[0].embedding == [0.1, 0.2]
    assert (await only_row(gate, key))["cost_usd"] == EMBEDDING_COST


async def test_messages(
    gate: Gate, provider: FakeProvider, key: Key, claude: anthropic.AsyncAnthropic
) -> None:
    raw = await claude.messages.with_raw_response.create(
        model="claude-sonnet-4-6",
        max_tokens=100,
        messages=HELLO,
        extra_headers={"anthropic-beta": "context-1m-2025-08-07"},
    )
    assert raw.headers["x-aos-cost-usd"] == MESSAGE_COST
    told = await raw.parse()
    assert told.usage.cache_read_input_tokens == 200
    row = await only_row(gate, key)
    assert (row["cost_usd"], row["cache_read_tokens"]) == (MESSAGE_COST, 200)
    assert (row["cache_write_tokens"], row["input_tokens"]) == (30, 280)
    sent = provider.received[0].headers
    assert sent["x-api-key"] == "sk-ant-test"
    assert sent["anthropic-beta"] == "context-1m-2025-08-07"
    assert "authorization" not in sent


async def test_a_message_stream(gate: Gate, key: Key, claude: anthropic.AsyncAnthropic) -> None:
    async with claude.messages.stream(
        model="claude-sonnet-4-6", max_tokens=100, messages=HELLO
    ) as stream:
        assert await stream.get_final_text() == "Hello!"
    assert (await only_row(gate, key))["cost_usd"] == MESSAGE_COST


async def test_tokens_are_counted_by_the_provider_and_free(
    gate: Gate, key: Key, claude: anthropic.AsyncAnthropic
) -> None:
    counted = await claude.messages.count_tokens(model="claude-sonnet-4-6", messages=HELLO)
    assert counted.input_tokens == 77
    assert await gate.calls(key) == []


async def test_both_clients_list_the_models_of_their_key(gate: Gate) -> None:
    key = await gate.key(models=["gpt-4o*", "claude-sonnet-4-6"])
    async with openai.AsyncOpenAI(api_key=key.secret, base_url=f"{gate.url}/v1") as oai:
        names = {model.id async for model in oai.models.list()}
        assert (await oai.models.retrieve("gpt-4o")).id == "gpt-4o"
        with pytest.raises(openai.NotFoundError):
            await oai.models.retrieve("gpt-4.1")
    async with anthropic.AsyncAnthropic(api_key=key.secret, base_url=gate.url) as claude:
        shown = {model.id: model.display_name async for model in claude.models.list()}
    assert {"gpt-4o", "gpt-4o-mini", "claude-sonnet-4-6"} <= names == set(shown)
    assert not [name for name in names if not name.startswith(("gpt-4o", "claude-sonnet-4-6"))]
    assert shown["claude-sonnet-4-6"]


async def test_an_unknown_key_is_an_authentication_error(gate: Gate) -> None:
    async with openai.AsyncOpenAI(api_key="aos_sk_nobody", base_url=f"{gate.url}/v1") as oai:
        with pytest.raises(openai.AuthenticationError) as refused:
            await oai.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
    assert refused.value.code == "invalid_key"
    async with anthropic.AsyncAnthropic(api_key="aos_sk_nobody", base_url=gate.url) as claude:
        with pytest.raises(anthropic.AuthenticationError):
            await claude.messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=HELLO)


async def test_a_full_budget_is_told_once_and_not_retried(
    gate: Gate, provider: FakeProvider
) -> None:
    key = await gate.key(limit_usd="0.000001")
    async with openai.AsyncOpenAI(
        api_key=key.secret, base_url=f"{gate.url}/v1", max_retries=3
    ) as oai:
        with pytest.raises(openai.APIStatusError) as refused:
            await oai.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
    error: Any = refused.value
    assert error.status_code == 402
    assert error.response.headers["x-should-retry"] == "false"
    assert (error.type, error.code) == ("insufficient_quota", "budget_exceeded")
    assert (error.body["limit_usd"], error.body["remaining_usd"]) == ("0.000001000", "0.000001000")
    assert error.body["reset_at"] is None
    assert error.body["budget_id"].startswith("bgt_")
    row = await only_row(gate, key)  # Retried, there would be four.
    assert row["status"] == "refused_budget"
    assert row["error"]["budget_id"] == error.body["budget_id"]
    assert provider.received == []


async def test_a_full_budget_is_a_billing_error_in_anthropics_dialect(
    gate: Gate, provider: FakeProvider
) -> None:
    key = await gate.key(limit_usd="0.000001")
    async with anthropic.AsyncAnthropic(
        api_key=key.secret, base_url=gate.url, max_retries=3
    ) as claude:
        with pytest.raises(anthropic.APIStatusError) as refused:
            await claude.messages.create(model="claude-sonnet-4-6", max_tokens=99, messages=HELLO)
    body: Any = refused.value.body
    assert refused.value.status_code == 402
    assert (body["type"], body["error"]["type"]) == ("error", "billing_error")
    assert body["error"]["remaining_usd"] == "0.000001000"
    assert len(await gate.calls(key)) == 1
    assert provider.received == []


async def test_an_upstreams_own_errors_arrive_as_such(
    gate: Gate, provider: FakeProvider, key: Key, oai: openai.AsyncOpenAI
) -> None:
    told = {"error": {"message": "Invalid tool schema.", "type": "invalid_request_error"}}
    provider.handler = refuses(400, told)
    with pytest.raises(openai.BadRequestError, match=r"Invalid tool schema\."):
        await oai.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
    provider.handler = refuses(429, {"error": {"message": "Slow down."}}, **{"retry-after": "7"})
    with pytest.raises(openai.RateLimitError, match="Slow down") as busy:
        await oai.with_options(max_retries=0).chat.completions.create(
            model="gpt-4o-mini", messages=HELLO
        )
    assert busy.value.response.headers["retry-after"] == "7"
    rows = await gate.calls(key)
    assert [row["status"] for row in rows] == ["upstream_error", "upstream_error"]
    assert {row["cost_usd"] for row in rows} == {"0.000000000"}
    assert "Slow down." in rows[0]["error"]["message"]


async def test_a_broken_stream_raises(
    gate: Gate, provider: FakeProvider, key: Key, oai: openai.AsyncOpenAI
) -> None:
    provider.handler = streams(chat_events()[:3], cut=True)
    stream = await oai.chat.completions.create(model="gpt-4o-mini", messages=HELLO, stream=True)
    with pytest.raises(openai.APIError):
        _ = [chunk async for chunk in stream]
    row = await only_row(gate, key)
    assert (row["status"], row["estimated"]) == ("upstream_error", True)


async def test_unknown_fields_and_order_reach_the_upstream_unchanged(
    gate: Gate, provider: FakeProvider, key: Key
) -> None:
    body = (
        b'{ "zeta":1.50, "model" : "gpt-4o-mini","messages":[{"role":"user",'
        b'"content":"h\\u00e9 \xc3\xa9"}], "brand_new": {"a": [1e3, null]} }'
    )
    sent = {**key.headers, "content-type": "application/json", "OpenAI-Beta": "x=v1", "x-new": "y"}
    async with gate.session.post(
        f"{gate.url}/v1/chat/completions?api-version=7", data=body, headers=sent
    ) as answer:
        assert answer.status == 200
        assert json.loads(await answer.read())["id"] == "chatcmpl-1"
    [received] = provider.received
    assert received.path == "/v1/chat/completions?api-version=7"
    # Under a blocking budget an output ceiling is added; every other byte is the caller's.
    assert received.body.startswith(body[:-2])
    assert set(received.json()) - set(json.loads(body)) == {"max_completion_tokens"}
    headers = received.headers
    assert (headers["openai-beta"], headers["x-new"]) == ("x=v1", "y")
