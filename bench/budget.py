"""500 concurrent calls on a budget for 40, over four gateway processes, plain and streamed.

The prompt's tokens are a quarter of its bytes, as the mock reports them, so a hold is about four
times the truth: calls must wait for each other's unused holds, not be refused for them.
"""

import asyncio
import json
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import aiohttp
from aiohttp import web
from servers import Server, aos, call_api, free_port, shared_database

CALLS = 500
AFFORDABLE = 40
PROMPT_BYTES = 600
OUTPUT_TOKENS = 150
MODEL = "gpt-4o-mini"
PICO_INPUT, PICO_OUTPUT = 150_000, 600_000
"""gpt-4o-mini: $0.15 and $0.60 a million tokens."""


@dataclass(frozen=True)
class Outcome:
    statuses: Counter[int]
    limit_usd: Decimal
    spent_usd: Decimal
    seconds: float

    @property
    def overspent_usd(self) -> Decimal:
        return max(Decimal(0), self.spent_usd - self.limit_usd)


async def mock_upstream(port: int) -> web.AppRunner:
    """Answers after 50 ms; reports a quarter of the prompt's bytes as its tokens."""

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        call = json.loads(body)
        await asyncio.sleep(0.05)
        spoken = min(OUTPUT_TOKENS, call["max_tokens"])
        usage = {
            "prompt_tokens": len(body) // 4,
            "completion_tokens": spoken,
            "total_tokens": len(body) // 4 + spoken,
        }
        head = {"id": "chatcmpl-1", "created": 1, "model": MODEL}
        if not call.get("stream"):
            message = {"role": "assistant", "content": "x" * spoken}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return web.json_response(
                {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
            )
        stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await stream.prepare(request)
        head["object"] = "chat.completion.chunk"
        delta = {"index": 0, "delta": {"content": "x" * spoken}, "finish_reason": "stop"}
        for event in ({**head, "choices": [delta]}, {**head, "choices": [], "usage": usage}):
            await stream.write(f"data: {json.dumps(event)}\n\n".encode())
        await stream.write(b"data: [DONE]\n\n")
        return stream

    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


def request_body(streamed: bool) -> dict[str, object]:
    return {
        "model": MODEL,
        "stream": streamed,
        "max_tokens": OUTPUT_TOKENS,
        "messages": [{"role": "user", "content": "word " * (PROMPT_BYTES // 5)}],
    }


def true_cost_usd(streamed: bool) -> Decimal:
    body = request_body(streamed)
    if streamed:
        body["stream_options"] = {"include_usage": True}
    prompt = len(json.dumps(body).encode()) // 4
    return Decimal(prompt * PICO_INPUT + OUTPUT_TOKENS * PICO_OUTPUT) / 10**12


async def load(servers: list[Server], key: str, streamed: bool) -> Counter[int]:
    """All calls at once, spread over the processes. Clients retry nothing."""
    body = request_body(streamed)
    statuses: Counter[int] = Counter()

    async def one(session: aiohttp.ClientSession, number: int) -> None:
        url = servers[number % len(servers)].url + "/v1/chat/completions"
        async with session.post(url, json=body) as answer:
            await answer.read()
            statuses[answer.status] += 1

    headers = {"authorization": f"Bearer {key}"}
    timeout = aiohttp.ClientTimeout(total=60)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        headers=headers, timeout=timeout, connector=connector
    ) as session:
        await asyncio.gather(*(one(session, number) for number in range(CALLS)))
    return statuses


async def scenario(streamed: bool) -> Outcome:
    home, port = Path(tempfile.mkdtemp(prefix="aos-bench-")), free_port()
    mock = await mock_upstream(port)
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        url = stack.enter_context(shared_database(home))
        servers = []
        for number in range(4):
            folder = home / str(number)
            folder.mkdir()
            opened = await asyncio.to_thread(
                stack.enter_context,
                aos(folder, f"http://127.0.0.1:{port}", DATABASE_URL=url, AOS_API_KEY="bench" * 8),
            )
            servers.append(opened)
        admin = "bench" * 8
        name = "streamed" if streamed else "plain"
        made = await asyncio.to_thread(
            call_api, servers[0], admin, "POST", "/api/v1/keys", {"name": name}
        )
        limit = (true_cost_usd(streamed) * AFFORDABLE).quantize(Decimal("1e-9"))
        budget = {"name": name, "scope": "PER_KEY", "scope_value": made["id"], "period": "MONTHLY",
                  "limit_usd": str(limit), "action_on_breach": "BLOCK"}  # fmt: skip
        created = await asyncio.to_thread(
            call_api, servers[0], admin, "POST", "/api/v1/budgets", budget
        )
        await asyncio.sleep(1.5)  # The other processes hear of the budget within a second.
        began = loop.time()
        statuses = await load(servers, made["key"], streamed)
        seconds = loop.time() - began
        path = f"/api/v1/budgets/{created['id']}/status"
        status = await asyncio.to_thread(call_api, servers[0], admin, "GET", path)
    await mock.cleanup()
    return Outcome(statuses, limit, Decimal(status["current_spend_usd"]), seconds)


if __name__ == "__main__":
    for streamed in (False, True):
        outcome = asyncio.run(scenario(streamed))
        kind = "streamed" if streamed else "plain"
        told = f"{dict(outcome.statuses)} spent ${outcome.spent_usd} of ${outcome.limit_usd}"
        print(f"{kind}: {told}, over by ${outcome.overspent_usd}, {outcome.seconds:.1f} s")
