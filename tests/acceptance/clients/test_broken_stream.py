"""An upstream that breaks off delays a session: the client asks again, and both calls are told."""

import json
from collections.abc import Callable, Coroutine
from decimal import Decimal
from itertools import islice

import pytest
from aiohttp import web

from tests.acceptance.clients import test_claude_code as claude_code
from tests.acceptance.clients import test_codex as codex
from tests.acceptance.clients.conftest import Desk, Ended, Sit
from tests.acceptance.clients.sessions import AnthropicScript, ResponsesScript, Script, Turn
from tests.upstreams import Handler

EVENTS_BEFORE_THE_CUT = 4

Ask = Callable[[Desk], Coroutine[None, None, Ended]]


def broken_once(script: Script, lost: Turn) -> Handler:
    """The first answer ends amid its words; from then on the script is played."""
    asked = 0

    async def handler(request: web.Request, body: bytes) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        if asked > 1:
            return await script(request, body)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        model = json.loads(body)["model"]
        for event in islice(script.events(model, lost), EVENTS_BEFORE_THE_CUT):
            line = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
            await response.write(line.encode())
        assert request.transport is not None
        request.transport.abort()
        return response

    return handler


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "client", "ask"),
    [(AnthropicScript, claude_code, claude_code.ask), (ResponsesScript, codex, codex.ask)],
    ids=["claude-code", "codex"],
)
async def test_a_broken_stream_is_asked_for_again(
    sit: Sit, kind: type[Script], client: object, ask: Ask
) -> None:
    turns = [getattr(client, name) for name in ("TOOL", "WORDS")]
    prices = getattr(client, "DOLLARS_PER_MILLION")  # noqa: B009 - the module is a parameter
    script = kind(turns)
    async with sit(script, budget_usd="10") as desk:
        desk.upstream.handler = broken_once(script, turns[1])
        ended = await ask(desk)
        assert ended.status == 0, ended
        assert (desk.work / "loud.txt").read_text() == "THE GATE IS OPEN\n"
        broken, *whole = await desk.key_calls()
        assert (broken["status"], broken["error"]["code"]) == ("upstream_error", "upstream_broken")
        assert broken["estimated"] is True
        assert Decimal(broken["cost_usd"]) > max(turn.used.cost(prices) for turn in turns)
        assert [Decimal(call["cost_usd"]) for call in whole] == [t.used.cost(prices) for t in turns]
