"""What nothing bounds, or nobody has priced, is on the books all the same: at the reserve."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from aos.gateway.settlement.rules import lost_rows
from aos.kit.money import Nanousd
from aos.ledger import DeadHold
from tests.answers import event, message, response
from tests.conftest import rows_as_owner
from tests.houses import Gate, Key, until
from tests.upstreams import FakeProvider, answers, chat_answer, hangs, streams

pytestmark = pytest.mark.asyncio(loop_scope="module")

RESERVE = "1.000000000"
BACKGROUND: dict[str, Any] = {"model": "gpt-4o", "input": "hi", "background": True}
SEARCHING: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
    "tools": [{"type": "web_search_20250305", "name": "web_search"}],
}
UNPRICED: dict[str, Any] = {
    "model": "openai/gpt-from-tomorrow",
    "messages": [{"role": "user", "content": "Hello"}],
}


@asynccontextmanager
async def watched(gate: Gate) -> AsyncIterator[tuple[Key, str]]:
    """A key whose spending is counted and never in the way."""
    key = await gate.key()
    terms = {"scope_value": key.id, "action_on_breach": "ALERT_ONLY"}
    budget_id = await gate.budget("0.50", "PER_KEY", **terms)
    try:
        yield key, budget_id
    finally:
        await gate.api("DELETE", f"/api/v1/budgets/{budget_id}")


def queued(response_id: str) -> dict[str, Any]:
    return {**response(response_id, status="queued"), "output": [], "usage": None}


async def test_an_answer_that_is_still_to_come_posts_the_reserve_and_can_be_fetched(
    gate: Gate, provider: FakeProvider
) -> None:
    provider.handler = answers(queued("resp_later"))
    async with watched(gate) as (key, budget_id):
        status, headers, _ = await gate.call(BACKGROUND, "/v1/responses", **key.headers)
        assert status == 200
        assert await gate.spent(budget_id) == (RESERVE, "0.000000000")
    story = await gate.story(headers)
    assert (story["status"], story["estimated"], story["cost_usd"]) == ("ok", True, RESERVE)
    provider.handler = answers(response("resp_later"))
    path = f"{gate.url}/v1/responses/resp_later"
    async with gate.session.get(path, headers=key.headers) as answer:
        assert answer.status == 200


async def test_an_answer_that_was_told_to_its_end_posts_the_truth(
    gate: Gate, provider: FakeProvider
) -> None:
    provider.handler = answers(message({"input_tokens": 1000, "output_tokens": 100}))
    async with watched(gate) as (key, budget_id):
        _, headers, _ = await gate.call(SEARCHING, "/v1/messages", **key.headers)
        assert await gate.spent(budget_id) == ("0.004500000", "0.000000000")
    assert (await gate.story(headers))["estimated"] is False


@pytest.mark.parametrize(
    ("tokens", "cost"),
    [(1000, RESERVE), (400_000, "1.200015000")],
    ids=["less than the reserve", "more than the reserve"],
)
async def test_a_stream_that_breaks_posts_the_reserve_or_what_it_told_if_that_is_more(
    gate: Gate, provider: FakeProvider, tokens: int, cost: str
) -> None:
    begun = {**message({"input_tokens": tokens, "output_tokens": 1}), "stop_reason": None}
    told = [event({"type": "message_start", "message": begun})]
    for events in (told, [*told, event({"type": "error", "error": {"message": "overloaded"}})]):
        provider.handler = streams(events)
        async with watched(gate) as (key, budget_id):
            asked = {**SEARCHING, "stream": True}
            _, headers, _ = await gate.call(asked, "/v1/messages", **key.headers)
            assert await gate.spent(budget_id) == (cost, "0.000000000")
        story = await gate.story(headers)
        assert (story["status"], story["cost_usd"]) == ("upstream_error", cost)
        assert (story["estimated"], story["input_tokens"]) == (True, tokens)


@pytest.mark.parametrize("usage", [True, False])
async def test_what_nobody_has_priced_posts_the_reserve_and_has_no_cost(
    gate: Gate, provider: FakeProvider, *, usage: bool
) -> None:
    answer = chat_answer(model="gpt-from-tomorrow")
    if not usage:
        del answer["usage"]
    provider.handler = answers(answer)
    async with watched(gate) as (key, budget_id):
        status, headers, _ = await gate.call(UNPRICED, **key.headers)
        assert status == 200
        assert await gate.spent(budget_id) == (RESERVE, "0.000000000")
    story = await gate.story(headers)
    assert (story["cost_usd"], story["estimated"]) == (None, True)
    assert story["input_tokens"] == (20 if usage else 0)


@pytest.mark.parametrize(
    ("body", "path", "cost"),
    [
        (BACKGROUND, "/v1/responses", Nanousd(1_000_000_000)),
        (UNPRICED, "/v1/chat/completions", None),
    ],
    ids=["unbounded", "unpriced"],
)
async def test_a_call_whose_process_dies_is_filed_alike(
    gate: Gate, provider: FakeProvider, body: dict[str, Any], path: str, cost: Nanousd | None
) -> None:
    provider.handler = hangs()
    key = await gate.key()
    calling = asyncio.create_task(gate.call(body, path, **key.headers))
    await until(lambda: provider.received)
    held = await rows_as_owner(
        gate.house.core.database,
        "SELECT id, call_id, tenant_id, amount_nanousd AS amount, call FROM aos.holds"
        " WHERE state = 'dispatched'",
    )
    [dead] = [DeadHold(**{**row, "call": orjson.dumps(row["call"])}) for row in held]
    call, attempt = lost_rows(dead)
    assert dead.amount == 1_000_000_000
    assert (call.cost, attempt.cost, call.estimated) == (cost, cost, True)
    calling.cancel()
    await gate.ended(key)


@pytest.mark.parametrize(
    ("body", "path", "field"),
    [
        (
            {**UNPRICED, "model": "gpt-4o", "service_tier": "ultra"},
            "/v1/chat/completions",
            "service_tier",
        ),
        (
            {**SEARCHING, "tools": [], "inference_geo": "moon"},
            "/v1/messages",
            "inference_geo",
        ),
    ],
    ids=["tier", "place"],
)
async def test_what_has_no_price_in_the_request_is_named(
    gate: Gate, provider: FakeProvider, body: dict[str, Any], path: str, field: str
) -> None:
    key = await gate.key(limit_usd="1.00")
    status, _, told = await gate.call(body, path, **key.headers)
    error = told["error"]
    assert (status, error["code"], error["field"]) == (400, "unpriced_model", field)
    assert field in error["message"]
    assert provider.received == []


@pytest.mark.parametrize(
    ("headers", "hold"),
    [({}, "0.601500000"), ({"anthropic-beta": "x-1,context-1m-2025-08-07"}, "6.002250000")],
    ids=["usual", "opened"],
)
async def test_a_header_opens_the_long_window(
    gate: Gate, provider: FakeProvider, headers: dict[str, str], hold: str
) -> None:
    picture = {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}}
    body = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": [picture]}],
    }
    provider.handler = answers(message())
    status, got, _ = await gate.call(body, "/v1/messages", **headers)
    assert status == 200
    assert (await gate.story(got))["attempts"][0]["hold_usd"] == hold
