"""Codex through the gate: a session with a tool, on the books to the nano-dollar."""

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.acceptance.clients.conftest import Desk, Ended, Sit
from tests.acceptance.clients.sessions import ResponsesScript, Turn, Used

MODEL = "gpt-6.1-sol"
DOLLARS_PER_MILLION = {"fresh": "2", "cache_read": "0.1", "output": "10"}
PROMPT = "Shout what note.txt says into loud.txt."
SHOUT = 'text(await tools.exec_command({cmd: "tr a-z A-Z < note.txt | tee loud.txt"}));'
TOOL = Turn(Used(4_000, 250, cache_read=9_000, reasoning=64), "", "exec", SHOUT)
WORDS = Turn(Used(300, 41, cache_read=13_000), "It is done.")


async def ask(desk: Desk, *options: str) -> Ended:
    """With exactly the settings that `aos connect` prints; Codex's own sandbox needs a kernel that
    not every container has, and nothing but the script's command runs here.
    """
    printed = await desk.shell("aos connect codex --json")
    settings = printed.json()
    desk.keep(settings["file"], settings["text"])
    words = " ".join(options)
    return await desk.shell(
        'eval "$(aos connect codex --shell)"; exec codex exec --json --skip-git-repo-check '
        f'--sandbox danger-full-access {words} "{PROMPT}"'
    )


def items_of(body: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [item for item in body["input"] if item["type"] == kind]


async def check_session(desk: Desk, ended: Ended) -> None:
    assert ended.status == 0, ended
    events = ended.events()
    texts = [e["item"]["text"] for e in events if e.get("item", {}).get("type") == "agent_message"]
    assert texts == [WORDS.text]
    assert (desk.work / "loud.txt").read_text() == "THE GATE IS OPEN\n"

    first, second = desk.upstream.received
    assert first.path == second.path == "/v1/responses"
    [output] = items_of(second.json(), "custom_tool_call_output")
    assert "THE GATE IS OPEN" in json.dumps(output["output"])
    [thought] = items_of(second.json(), "reasoning")
    assert thought["encrypted_content"] == "gAAAAABencrypted1"
    for received in (first, second):
        headers = {name.lower(): value for name, value in received.headers.items()}
        assert headers["authorization"] == "Bearer sk-test"
        assert desk.key.secret not in str(headers)
        body = received.json()
        assert (body["model"], body["store"]) == (MODEL, False)
        assert body["include"] == ["reasoning.encrypted_content"]

    calls = await desk.key_calls()
    assert [Decimal(call["cost_usd"]) for call in calls] == [
        t.used.cost(DOLLARS_PER_MILLION) for t in (TOOL, WORDS)
    ]
    thread = next(event["thread_id"] for event in events if event["type"] == "thread.started")
    for call, turn in zip(calls, (TOOL, WORDS), strict=True):
        assert call["status"] == "ok"
        assert call["session_id"] == thread
        assert call["agent_id"] == desk.agent_id
        assert call["model"] == MODEL
        assert call["input_tokens"] == turn.used.input
        assert call["cache_read_tokens"] == turn.used.cache_read
        assert call["reasoning_tokens"] == turn.used.reasoning


@pytest.mark.slow
async def test_a_session_with_a_tool(sit: Sit) -> None:
    async with sit(ResponsesScript([TOOL, WORDS]), budget_usd="10") as desk:
        await check_session(desk, await ask(desk))


@pytest.mark.slow
async def test_a_refused_websocket_is_followed_by_http(sit: Sit) -> None:
    async with sit(ResponsesScript([TOOL, WORDS]), budget_usd="10") as desk:
        websockets = "-c model_providers.aos.supports_websockets=true"
        ended = await ask(desk, websockets)
        assert "WebSocket" in ended.complained  # It did ask for one.
        await check_session(desk, ended)


@pytest.mark.slow
async def test_an_empty_budget_is_told_and_ends_the_session(sit: Sit) -> None:
    """Codex asks again five times within seconds, whatever a refusal says; the gate refuses them
    all, none reaches the upstream, and Codex shows why.
    """
    dear = Turn(Used(4_000, 100_000), "", "exec", SHOUT)
    async with sit(ResponsesScript([dear, WORDS]), budget_usd="3") as desk:
        ended = await ask(desk)
        assert ended.status != 0
        failed = ended.events()[-1]
        assert failed["type"] == "turn.failed"
        assert "pocket money" in json.dumps(failed)
        assert len(desk.upstream.received) == 1
        first, *refused = await desk.key_calls()
        assert Decimal(first["cost_usd"]) == dear.used.cost(DOLLARS_PER_MILLION)
        assert 1 <= len(refused) <= 6
        assert {call["status"] for call in refused} == {"refused_budget"}


@pytest.mark.slow
async def test_a_search_that_nothing_bounds_is_refused_and_said_to_be(sit: Sit) -> None:
    """`aos connect` turns it off for this reason; whoever turns it on again is told, once."""
    async with sit(ResponsesScript([TOOL, WORDS]), budget_usd="10") as desk:
        ended = await ask(desk, "-c web_search=live", "-m gpt-5.1")
        assert ended.status != 0
        failed = ended.events()[-1]
        assert failed["type"] == "turn.failed"
        assert "web_search" in json.dumps(failed)
        assert "unbounded_request" in json.dumps(failed)
        assert desk.upstream.received == []
        assert len(await desk.key_calls()) == 1


@pytest.mark.slow
async def test_a_session_that_outgrows_its_window_is_summed_up_and_goes_on(sit: Sit) -> None:
    """Codex compacts by itself where the provider is not called OpenAI: one more ordinary call."""
    summary = Turn(Used(500, 80, cache_read=13_000), "The note was shouted.")
    script = ResponsesScript([TOOL, summary, WORDS])
    async with sit(script, budget_usd="10") as desk:
        ended = await ask(desk, "-c model_auto_compact_token_limit=5000")
        assert ended.status == 0, ended
        texts = [received.body.decode() for received in desk.upstream.received]
        assert "CONTEXT CHECKPOINT COMPACTION" in texts[1]
        assert summary.text in texts[2]
        calls = await desk.key_calls()
        assert [Decimal(call["cost_usd"]) for call in calls] == [
            turn.used.cost(DOLLARS_PER_MILLION) for turn in script.turns
        ]
