"""Claude Code through the gate: a session with a tool, on the books to the nano-dollar."""

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.acceptance.clients.conftest import Desk, Ended, Sit
from tests.acceptance.clients.sessions import AnthropicScript, Turn, Used

MODEL = "claude-opus-5-5"
DOLLARS_PER_MILLION = {"fresh": "4", "cache_read": "0.2", "cache_write": "5", "output": "20"}
PROMPT = "Shout what note.txt says into loud.txt."
SHOUT = {"command": "tr a-z A-Z < note.txt | tee loud.txt", "description": "Shout the note"}
TOOL = Turn(Used(12, 250, cache_read=9_000, cache_write=2_500), "I'll look.", "Bash", SHOUT)
WORDS = Turn(Used(7, 41, cache_read=11_500, cache_write=180), "It is done.")


async def ask(desk: Desk, *options: str, also: str = ":") -> Ended:
    """With exactly the settings that `aos connect` prints, and what the test says `also`."""
    return await desk.shell(
        f'eval "$(aos connect claude-code --shell {" ".join(options)})"; {also}; exec claude -p '
        f'"{PROMPT}" --output-format json --allowedTools Bash'
    )


def results_in(body: dict[str, Any]) -> list[str]:
    """What the tools of a conversation gave back."""
    blocks = [b for m in body["messages"] if isinstance(m["content"], list) for b in m["content"]]
    return [block["content"] for block in blocks if block["type"] == "tool_result"]


@pytest.mark.slow
async def test_a_session_with_a_tool(sit: Sit) -> None:
    async with sit(AnthropicScript([TOOL, WORDS]), budget_usd="10") as desk:
        ended = await ask(desk)
        assert ended.status == 0, ended
        told = ended.json()
        assert told["result"].strip() == WORDS.text
        assert (desk.work / "loud.txt").read_text() == "THE GATE IS OPEN\n"

        first, second = desk.upstream.received
        assert results_in(second.json()) == ["THE GATE IS OPEN"]
        assert first.path == second.path == "/v1/messages?beta=true"
        for received in (first, second):
            headers = {name.lower(): value for name, value in received.headers.items()}
            assert headers["x-api-key"] == "sk-ant-test"
            assert desk.key.secret not in str(headers)
            assert "claude-code-20250219" in headers["anthropic-beta"]
            assert received.json()["model"] == MODEL

        calls = await desk.key_calls()
        spent = [TOOL.used.cost(DOLLARS_PER_MILLION), WORDS.used.cost(DOLLARS_PER_MILLION)]
        assert [Decimal(call["cost_usd"]) for call in calls] == spent
        assert sum(spent) == Decimal(str(told["total_cost_usd"]))  # The client's own count.
        for call, turn in zip(calls, (TOOL, WORDS), strict=True):
            assert call["status"] == "ok"
            assert call["session_id"] == told["session_id"]
            assert call["agent_id"] == desk.agent_id
            assert call["model"] == MODEL
            assert call["stream"] is True
            assert call["estimated"] is False
            assert call["input_tokens"] == turn.used.input
            assert call["output_tokens"] == turn.used.output
            assert call["cache_read_tokens"] == turn.used.cache_read
            assert call["cache_write_tokens"] == turn.used.cache_write
        agent = await desk.gate.api("GET", f"/agents/{desk.agent_id}")
        assert Decimal(str(agent["spent_cents"])) == sum(spent) * 100


@pytest.mark.slow
async def test_an_empty_budget_is_told_and_ends_the_session(sit: Sit) -> None:
    """The first turn eats what the second would need: it is refused, once, before the upstream."""
    dear = Turn(Used(12, 100_000), "I'll look.", "Bash", SHOUT)
    async with sit(AnthropicScript([dear, WORDS]), budget_usd="4") as desk:
        ended = await ask(desk)
        assert ended.status != 0
        told = ended.json()
        assert told["is_error"] is True
        assert "pocket money" in told["result"]
        assert len(desk.upstream.received) == 1
        calls = await desk.key_calls()
        assert [call["status"] for call in calls] == ["ok", "refused_budget"]
        assert Decimal(calls[0]["cost_usd"]) == dear.used.cost(DOLLARS_PER_MILLION)


@pytest.mark.slow
async def test_a_lower_ceiling_makes_do_with_a_small_budget(sit: Sit) -> None:
    """A turn holds its whole output ceiling: what `aos connect` advises for small budgets."""
    async with sit(AnthropicScript([TOOL, WORDS]), budget_usd="1.20") as desk:
        ended = await ask(desk, also="export CLAUDE_CODE_MAX_OUTPUT_TOKENS=32000")
        assert ended.status == 0, ended
        assert [call["status"] for call in await desk.key_calls()] == ["ok", "ok"]
        assert [received.json()["max_tokens"] for received in desk.upstream.received] == [
            32_000
        ] * 2


@pytest.mark.slow
async def test_its_picker_lists_what_the_key_may_call(sit: Sit) -> None:
    async with sit(AnthropicScript([TOOL, WORDS]), budget_usd="10") as desk:
        document = {"version": 1, "aliases": {"our-claude": f"anthropic/{MODEL}"}}
        await desk.gate.api("POST", "/api/v1/config/apply", {"document": document})
        names = ["our-claude", MODEL, "gpt-6.1-sol"]
        await desk.gate.api("PATCH", f"/api/v1/keys/{desk.key.id}", {"models": names})
        assert (await ask(desk)).status == 0
        listed = json.loads((desk.home / ".claude/cache/gateway-models.json").read_text())
        assert [(model["id"], model["display_name"]) for model in listed["models"]] == [
            ("our-claude", "our-claude"),
            (MODEL, "Claude Opus 5.5"),
        ]


@pytest.mark.slow
async def test_an_alias_of_the_tenant_is_a_model_to_it(sit: Sit) -> None:
    async with sit(AnthropicScript([TOOL, WORDS]), budget_usd="10") as desk:
        document = {"version": 1, "aliases": {"house-coder": f"anthropic/{MODEL}"}}
        await desk.gate.api("POST", "/api/v1/config/apply", {"document": document})
        ended = await ask(desk, "--model", "house-coder")
        assert ended.status == 0, ended
        assert {received.json()["model"] for received in desk.upstream.received} == {MODEL}
        for call, turn in zip(await desk.key_calls(), (TOOL, WORDS), strict=True):
            assert (call["model_requested"], call["model"]) == ("house-coder", MODEL)
            assert Decimal(call["cost_usd"]) == turn.used.cost(DOLLARS_PER_MILLION)
