"""Hard budgets through the public door: what fits is served, what does not is told why."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from tests.answers import CHAT_COST
from tests.houses import Gate, open_gate, until
from tests.upstreams import FakeProvider, answers, chat_answer, chat_events, streams

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
}
WHOLE = {"type": "json_object"}
"""A format that forbids a shorter answer."""


@asynccontextmanager
async def budget(gate: Gate, limit_usd: str, scope: str, **terms: Any) -> AsyncIterator[str]:
    """A budget that binds others' tests too is taken away again."""
    budget_id = await gate.budget(limit_usd, scope, **terms)
    try:
        yield budget_id
    finally:
        await gate.api("DELETE", f"/api/v1/budgets/{budget_id}")


@asynccontextmanager
async def one_under_way(gate: Gate, provider: FakeProvider, **headers: str) -> AsyncIterator[None]:
    """Within, one call is at the upstream; after it, it was served."""
    release = asyncio.Event()
    seen = len(provider.received)
    usual = provider.handler

    async def held_back(request: web.Request, body: bytes) -> web.StreamResponse:
        await release.wait()
        return await answers(chat_answer())(request, body)

    provider.handler = held_back
    call = asyncio.create_task(gate.call({**CHAT, "response_format": WHOLE}, **headers))
    await until(lambda: len(provider.received) == seen + 1)
    provider.handler = usual
    try:
        yield
    finally:
        release.set()
        assert (await call)[0] == 200


async def test_a_hundred_calls_on_one_cent(gate: Gate, provider: FakeProvider) -> None:
    key = await gate.key(limit_usd="0.01")
    # Each answer costs what its hold allowed at most.
    provider.handler = answers(chat_answer(prompt=60, completion=1000))
    body = {**CHAT, "max_tokens": 1000, "response_format": WHOLE}
    done = await asyncio.gather(*(gate.call(body, **key.headers) for _ in range(100)))
    statuses = [status for status, _, _ in done]
    assert set(statuses) == {200, 402}
    served = statuses.count(200)
    assert len(provider.received) == served
    told = await gate.api("GET", "/api/v1/keys/self", **key.headers)
    [own] = told["budgets"]
    spent = served * 609_000
    assert own["current_spend_usd"] == f"0.{spent:09d}"
    assert spent <= 10_000_000 < spent + 2 * 609_000
    assert own["pending_usd"] == "0.000000000"
    rows = (await gate.api("GET", f"/api/v1/usage/calls?key_id={key.id}&limit=200"))["items"]
    assert len(rows) == 100
    assert [row["status"] for row in rows].count("refused_budget") == 100 - served


@pytest.mark.parametrize("stream", [False, True])
async def test_what_was_spent_is_exact_to_the_nano_dollar(
    *, gate: Gate, provider: FakeProvider, stream: bool
) -> None:
    """GAP-003: the proxy wrote a cost of 0.0; streamed or not, it is the exact cost."""
    key = await gate.key(limit_usd="1.00")
    for _ in range(3):
        status, headers, _ = await gate.call({**CHAT, "stream": stream}, **key.headers)
        assert status == 200
        story = await gate.story(headers)
        assert story["cost_usd"] == story["settlement"]["posted_usd"] == CHAT_COST
        lines = [Decimal(line["amount_usd"]) for line in story["cost_lines"]]
        assert sum(lines) == Decimal(CHAT_COST)
        assert story["wait"] is None
    told = await gate.api("GET", "/api/v1/keys/self", **key.headers)
    assert told["spent_usd"] == told["budgets"][0]["current_spend_usd"] == "0.000025200"


async def test_nobody_chooses_whom_a_call_is_charged_to(gate: Gate) -> None:
    """GAP-001: the user came from the client. It is the key's, whatever the call says."""
    key = await gate.key(user_id="usr_real", team_id="team_real")
    status, headers, _ = await gate.call(
        {**CHAT, "user": "usr_other"}, **key.headers, **{"x-aos-user": "usr_other"}
    )
    assert status == 200
    story = await gate.story(headers)
    assert (story["user_id"], story["team_id"]) == ("usr_real", "team_real")
    assert story["end_user"] == "usr_other"


async def test_an_answer_is_clamped_to_what_is_left(gate: Gate, provider: FakeProvider) -> None:
    key = await gate.key(limit_usd="0.0001")
    status, headers, _ = await gate.call({**CHAT, "max_tokens": 4000}, **key.headers)
    assert status == 200
    clamped = int(headers["x-aos-clamped-output-tokens"])
    assert 16 <= clamped < 4000
    assert provider.received[0].json()["max_tokens"] == clamped
    story = await gate.story(headers)
    assert story["clamp"] == {"output_tokens": clamped}
    assert float(story["attempts"][0]["hold_usd"]) <= 0.0001


@pytest.mark.parametrize(
    "more",
    [
        {"response_format": WHOLE},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
    ],
    ids=["schema", "tools"],
)
async def test_an_answer_that_a_clamp_would_break_is_refused(
    gate: Gate, provider: FakeProvider, more: dict[str, Any]
) -> None:
    key = await gate.key(limit_usd="0.0001")
    status, _, body = await gate.call({**CHAT, "max_tokens": 4000, **more}, **key.headers)
    assert (status, body["error"]["code"]) == (402, "budget_exceeded")
    assert provider.received == []


async def test_a_call_waits_for_room_and_is_served(gate: Gate, provider: FakeProvider) -> None:
    key = await gate.key(limit_usd="0.0002")
    body = {**CHAT, "response_format": WHOLE}
    async with one_under_way(gate, provider, **key.headers):
        waiting = asyncio.create_task(gate.call(body, **key.headers))
        await until(lambda: gate.house.core.admission.waiting == 1)
        assert len(provider.received) == 1
    status, headers, _ = await waiting
    assert status == 200
    story = await gate.story(headers)
    assert story["wait"]["waited_ms"] > 0


async def test_a_call_that_waited_in_vain_is_told_to_come_back(
    module_priced_url: str, provider: FakeProvider
) -> None:
    async with open_gate(module_priced_url, provider.url, AOS_BUDGET_WAIT_SECONDS="0.2") as gate:
        key = await gate.key(limit_usd="0.0002")
        async with one_under_way(gate, provider, **key.headers):
            status, headers, body = await gate.call(
                {**CHAT, "response_format": WHOLE}, **key.headers
            )
        assert (status, body["error"]["code"]) == (429, "budget_busy")
        assert headers["retry-after"] == "1"
        assert "x-should-retry" not in headers
        statuses = [row["status"] for row in await gate.ended(key, 2)]
        assert sorted(statuses) == ["ok", "refused_budget"]
        await gate.at_rest()


async def test_a_full_budget_makes_nobody_else_wait(gate: Gate, provider: FakeProvider) -> None:
    full, free = await gate.key(limit_usd="0.0002"), await gate.key(limit_usd="1.00")
    async with one_under_way(gate, provider, **full.headers):
        waiting = asyncio.create_task(gate.call({**CHAT, "response_format": WHOLE}, **full.headers))
        await until(lambda: gate.house.core.admission.waiting == 1)
        assert (await gate.call(CHAT, **free.headers))[0] == 200
    assert (await waiting)[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (
            "/v1/responses",
            {"model": "gpt-4o", "input": "Hi", "background": True},
            "background",
        ),
        (
            "/v1/messages",
            {
                **CHAT,
                "model": "claude-sonnet-4-6",
                "tools": [{"type": "web_search_20250305", "name": "web_search"}],
            },
            "web_search_20250305",
        ),
    ],
)
async def test_what_nothing_bounds_is_refused_under_a_blocking_budget(
    *, gate: Gate, provider: FakeProvider, path: str, body: dict[str, Any], field: str
) -> None:
    key = await gate.key(limit_usd="1.00")
    status, _, told = await gate.call(body, path, **key.headers)
    assert (status, told["error"]["code"], told["error"]["field"]) == (
        400,
        "unbounded_request",
        field,
    )
    [row] = await gate.calls(key)
    assert (row["status"], row["error"]["field"]) == ("invalid", field)
    assert provider.received == []
    free = await gate.key()
    assert (await gate.call(body, path, **free.headers))[0] == 200


async def test_what_nobody_has_priced_is_refused_or_unpriced_never_free(
    gate: Gate, provider: FakeProvider
) -> None:
    body = {**CHAT, "model": "openai/gpt-from-tomorrow"}
    key = await gate.key(limit_usd="1.00")
    status, _, told = await gate.call(body, **key.headers)
    assert (status, told["error"]["code"]) == (400, "unpriced_model")
    assert provider.received == []
    provider.handler = answers(chat_answer(model="gpt-from-tomorrow"))
    free = await gate.key()
    status, headers, _ = await gate.call(body, **free.headers)
    assert status == 200
    assert "x-aos-cost-usd" not in headers
    story = await gate.story(headers)
    assert (story["status"], story["cost_usd"], story["input_tokens"]) == ("ok", None, 20)
    assert story["attempts"][0]["hold_usd"] == "1.000000000"


@pytest.mark.parametrize("period", ["DAILY", "WEEKLY", "MONTHLY", "TOTAL"])
@pytest.mark.parametrize("scope", ["GLOBAL", "PER_AGENT", "PER_KEY"])
async def test_every_scope_and_period_blocks(gate: Gate, scope: str, period: str) -> None:
    agent = await gate.api("POST", "/api/v1/agents", {"name": f"{scope} {period}"})
    key = await gate.key(agent_id=agent["id"])
    subject = {"PER_AGENT": agent["id"], "PER_KEY": key.id}.get(scope)
    terms = {"period": period, "scope_value": subject, "timezone": "America/New_York"}
    async with budget(gate, "0.0002", scope, **terms) as budget_id:
        body = {**CHAT, "response_format": WHOLE}
        assert (await gate.call(body, **key.headers))[0] == 200
        assert await gate.spent(budget_id) == (CHAT_COST, "0.000000000")
        large = {**body, "max_tokens": 2000}
        status, headers, told = await gate.call(large, **key.headers)
        assert status == 402
        assert headers["x-should-retry"] == "false"
        error = told["error"]
        assert (error["budget_id"], error["limit_usd"]) == (budget_id, "0.000200000")
        assert error["remaining_usd"] == "0.000191600"
        assert (error["reset_at"] is None) == (period == "TOTAL")
    assert (await gate.call(large, **key.headers))[0] == 200


async def test_per_agent_without_a_subject_is_one_account_for_each(gate: Gate) -> None:
    async with budget(gate, "0.0002", "PER_AGENT"):
        for name in ("one", "another"):
            agent = await gate.api("POST", "/api/v1/agents", {"name": f"each {name}"})
            headers = {"x-aos-agent": agent["id"]}
            body = {**CHAT, "response_format": WHOLE}
            assert (await gate.call(body, **headers))[0] == 200
            large = {**body, "max_tokens": 1000}
            assert (await gate.call(large, **headers))[0] == 402


async def test_an_agents_budget_cents_is_for_life(gate: Gate, provider: FakeProvider) -> None:
    agent = await gate.api("POST", "/api/v1/agents", {"name": "thrifty", "budget_cents": 1})
    provider.handler = answers(chat_answer(completion=9_000))
    headers = {"x-aos-agent": agent["id"]}
    body = {**CHAT, "max_tokens": 9_000, "response_format": WHOLE}
    assert (await gate.call(body, **headers))[0] == 200
    status, _, told = await gate.call(body, **headers)
    assert (status, told["error"]["limit_usd"]) == (402, "0.010000000")
    read = await gate.api("GET", f"/api/v1/agents/{agent['id']}")
    assert (read["spent_usd"], read["spent_cents"]) == ("0.005403000", 0.5403)
    await gate.api("PATCH", f"/api/v1/agents/{agent['id']}", {"budget_cents": 0})
    assert (await gate.call(body, **headers))[0] == 200


async def test_all_budgets_of_a_call_hold_or_none(gate: Gate) -> None:
    key = await gate.key(limit_usd="1.00")
    async with budget(gate, "0.00001", "GLOBAL") as small:
        status, _, told = await gate.call(CHAT, **key.headers)
        assert (status, told["error"]["budget_id"]) == (402, small)
        own = (await gate.api("GET", "/api/v1/keys/self", **key.headers))["budgets"]
        assert {each["pending_usd"] for each in own} == {"0.000000000"}
        assert {each["current_spend_usd"] for each in own} == {"0.000000000"}


async def test_a_reset_begins_a_new_period_and_keeps_the_old(gate: Gate) -> None:
    key = await gate.key()
    async with budget(gate, "0.0001", "PER_KEY", scope_value=key.id) as budget_id:
        body = {**CHAT, "max_tokens": 16, "response_format": WHOLE}
        while (await gate.call(body, **key.headers))[0] == 200:
            pass
        spent, _ = await gate.spent(budget_id)
        assert float(spent) > 0.00003
        await gate.api("POST", f"/api/v1/budgets/{budget_id}/reset")
        assert await gate.spent(budget_id) == ("0.000000000", "0.000000000")
        assert (await gate.call(body, **key.headers))[0] == 200
        assert await gate.spent(budget_id) == (CHAT_COST, "0.000000000")
        history = await gate.api("GET", f"/api/v1/budgets/{budget_id}/history?days=1")
        assert sum(float(day["cost_usd"]) for day in history) == pytest.approx(
            float(spent) + float(CHAT_COST)
        )


async def test_a_limit_lowered_below_the_spend_shows_nothing_left(
    gate: Gate, provider: FakeProvider
) -> None:
    key = await gate.key()
    async with budget(gate, "1.00", "PER_KEY", scope_value=key.id) as budget_id:
        assert (await gate.call(CHAT, **key.headers))[0] == 200
        async with one_under_way(gate, provider, **key.headers):
            await gate.api("PATCH", f"/api/v1/budgets/{budget_id}", {"limit_usd": "0.000001"})
            status, _, told = await gate.call(CHAT, **key.headers)
            assert (status, told["error"]["remaining_usd"]) == (402, "0.000000000")
        # What was under way completed, in full.
        assert await gate.spent(budget_id) == ("0.000016800", "0.000000000")
        shown = await gate.api("GET", f"/api/v1/budgets/{budget_id}")
        assert shown["remaining_usd"] == "0.000000000"
        await gate.api("PATCH", f"/api/v1/budgets/{budget_id}", {"limit_usd": "1.00"})
        assert (await gate.call(CHAT, **key.headers))[0] == 200


async def test_raising_the_limit_lets_those_who_wait_in(gate: Gate, provider: FakeProvider) -> None:
    key = await gate.key()
    async with (
        budget(gate, "0.0002", "PER_KEY", scope_value=key.id) as budget_id,
        one_under_way(gate, provider, **key.headers),
    ):
        waiting = asyncio.create_task(gate.call({**CHAT, "response_format": WHOLE}, **key.headers))
        await until(lambda: gate.house.core.admission.waiting == 1)
        await gate.api("PATCH", f"/api/v1/budgets/{budget_id}", {"limit_usd": "1.00"})
        assert (await asyncio.wait_for(waiting, 3))[0] == 200


async def test_an_alert_only_budget_never_blocks(gate: Gate) -> None:
    key = await gate.key()
    terms = {"scope_value": key.id, "action_on_breach": "ALERT_ONLY"}
    async with budget(gate, "0.000001", "PER_KEY", **terms) as budget_id:
        status, headers, _ = await gate.call(CHAT, **key.headers)
        assert status == 200
        assert "x-aos-clamped-output-tokens" not in headers
        assert await gate.spent(budget_id) == (CHAT_COST, "0.000000000")


async def test_streams_hold_and_return_as_plain_calls_do(
    gate: Gate, provider: FakeProvider
) -> None:
    key = await gate.key(limit_usd="0.001")
    provider.handler = streams(chat_events(prompt=20, completion=9), pause_seconds=0.001)
    body = {**CHAT, "stream": True, "response_format": WHOLE}
    done = await asyncio.gather(*(gate.call(body, **key.headers) for _ in range(40)))
    assert {status for status, _, _ in done} == {200}
    told = await gate.api("GET", "/api/v1/keys/self", **key.headers)
    assert told["budgets"][0]["current_spend_usd"] == "0.000336000"


async def test_a_cheaper_model_that_the_key_may_not_use_is_no_way_out(
    gate: Gate, provider: FakeProvider
) -> None:
    key = await gate.key(models=["gpt-4o"])
    terms = {
        "scope_value": key.id,
        "action_on_breach": "DOWNGRADE_MODEL",
        "downgrade_model": "gpt-4o-mini",
    }
    async with budget(gate, "0.000100", "PER_KEY", **terms):
        asked = {**CHAT, "model": "gpt-4o", "response_format": WHOLE}
        status, _, told = await gate.call(asked, **key.headers)
        assert (status, told["error"]["code"]) == (402, "budget_exceeded")
        assert provider.received == []
