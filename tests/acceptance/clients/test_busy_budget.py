"""A budget whose rest is held by another call delays a session, and does not end it."""

import asyncio
import json
from collections.abc import Callable, Coroutine

import pytest
from aiohttp import web

from tests.acceptance.clients import test_claude_code as claude_code
from tests.acceptance.clients import test_codex as codex
from tests.acceptance.clients.conftest import Desk, Ended, Sit
from tests.acceptance.clients.sessions import AnthropicScript, ResponsesScript, Script
from tests.houses import until

SLOW = {"model": claude_code.MODEL, "max_tokens": 128_000, "messages": [], "user_tag": "slow"}

Ask = Callable[[Desk], Coroutine[None, None, Ended]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "ask"),
    [
        (AnthropicScript([claude_code.TOOL, claude_code.WORDS]), claude_code.ask),
        (ResponsesScript([codex.TOOL, codex.WORDS]), codex.ask),
    ],
    ids=["claude-code", "codex"],
)
async def test_a_session_waits_for_the_rest_of_its_budget(
    sit: Sit, script: Script, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate has a call wait for seconds; here it gives up soon, so that the client must."""
    monkeypatch.setenv("AOS_BUDGET_WAIT_SECONDS", "0.1")
    done = asyncio.Event()

    async def slow_or_scripted(request: web.Request, body: bytes) -> web.StreamResponse:
        if json.loads(body).get("user_tag") != "slow":
            return await script(request, body)
        await done.wait()
        return web.json_response({"error": {"message": "never mind"}}, status=400)

    async with sit(script, budget_usd="4") as desk:
        desk.upstream.handler = slow_or_scripted
        slow = asyncio.create_task(desk.gate.call(SLOW, "/v1/messages", **desk.key.headers))
        await until(lambda: desk.upstream.received)
        session = asyncio.create_task(ask(desk))
        async with asyncio.timeout(20):
            while not (calls := await desk.key_calls()):  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.05)
        done.set()
        assert (calls[0]["status"], calls[0]["error"]["code"]) == ("refused_budget", "budget_busy")
        assert (await slow)[0] == 400
        ended = await session
        assert ended.status == 0, ended
        statuses = [call["status"] for call in await desk.key_calls()]
        assert statuses.count("ok") == 2
        assert set(statuses) == {"ok", "upstream_error", "refused_budget"}
