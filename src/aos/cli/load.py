"""Many calls at once, to see a budget hold."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from aos.cli.client import Client
from aos.cli.errors import CommandFailed
from aos.cli.output import Json, money, print_json
from aos.kit import ids

FRESH_BUDGET_USD: Final = "0.01"
CALL_SECONDS_MAX: Final = 120
OUTPUT_TOKENS_MAX: Final = 32
SERVED: Final = {"ok"}
REFUSED: Final = {"refused_budget", "refused_limit"}


class Dialect(StrEnum):
    OPENAI = "openai"
    ANTHROPIC = "anthropic"


PATHS: Final = {Dialect.OPENAI: "/v1/chat/completions", Dialect.ANTHROPIC: "/v1/messages"}
"""The body that is sent means the same in both."""


@dataclass(frozen=True, slots=True)
class Target:
    """The budget that is tried, and the key that spends from it."""

    budget: dict[str, Any]
    key_id: str
    key: str
    fresh: bool


def load(
    *,
    calls: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 100,
    concurrency: Annotated[int, typer.Option(min=1, max=1_000, help="How many at once.")] = 20,
    model: Annotated[str, typer.Option(help="A model, provider/model or alias.")] = "gpt-4o",
    dialect: Annotated[
        Dialect, typer.Option(help="How to ask for it; Claude models speak anthropic.")
    ] = Dialect.OPENAI,
    budget: Annotated[
        str | None, typer.Option(help="Id or name. Without it: a fresh key with one cent.")
    ] = None,
    keep: Annotated[bool, typer.Option(help="Leave the fresh key and budget standing.")] = False,
    as_json: Json = False,
) -> None:
    """Let calls loose on a budget, and say from the books what came of it."""
    client = Client()
    target = _prepare(client, budget)
    status_path = f"/api/v1/budgets/{target.budget['id']}/status"
    before = client.get(status_path)
    started = time.monotonic()
    try:
        answers = asyncio.run(
            _run(client.url + PATHS[dialect], target.key, model, calls, concurrency)
        )
        seconds = time.monotonic() - started
        # Counted from the rows that the gateway wrote, not from what we believe we saw.
        rows = client.items("/api/v1/usage/calls", calls, key_id=target.key_id)
        statuses = [row["status"] for row in rows]
        report = conclude(statuses, before, client.get(status_path), calls)
    finally:
        _clean(client, target, keep=keep)
    report |= {
        "budget_id": target.budget["id"],
        "key_id": target.key_id,
        "seconds": round(seconds, 3),
    }
    if as_json:
        print_json(report)
    else:
        print(
            f"served {report['served']}, refused {report['refused']}, spent "
            f"{money(report['spent_usd'])}, over by {money(report['over_usd'])}"
        )
    if report["failed"]:
        raise CommandFailed(f"{report['failed']} failed otherwise: {_first_failure(answers)}")
    if Decimal(report["over_usd"]) > 0:
        raise CommandFailed("the budget was overspent")


def _prepare(client: Client, name: str | None) -> Target:
    budget: dict[str, Any] | None = None
    body: dict[str, Any] = {"name": ids.new("load"), "scopes": ["invoke"]}
    if name is not None:
        budget = client.find("/api/v1/budgets", name, "bgt")
        if budget["scope"] == "PER_AGENT" and budget.get("scope_value"):
            body["agent_id"] = budget["scope_value"]
    key = client.send("POST", "/api/v1/keys", body)
    if budget is None:
        wanted = {
            "name": body["name"],
            "scope": "PER_KEY",
            "scope_value": key["id"],
            "period": "TOTAL",
            "limit_usd": FRESH_BUDGET_USD,
            "action_on_breach": "BLOCK",
        }
        budget = client.send("POST", "/api/v1/budgets", wanted)
    assert budget is not None
    return Target(budget, key["id"], key["key"], fresh=name is None)


def _clean(client: Client, target: Target, *, keep: bool) -> None:
    if keep:
        return
    client.send("DELETE", f"/api/v1/keys/{target.key_id}")
    if target.fresh:
        client.send("DELETE", f"/api/v1/budgets/{target.budget['id']}")


async def _run(
    url: str, key: str, model: str, calls: int, concurrency: int
) -> list[tuple[int, str]]:
    """Each answer's status and, for a failure, its text."""
    import aiohttp

    body = json.dumps(
        {
            "model": model,
            "max_tokens": OUTPUT_TOKENS_MAX,
            "messages": [{"role": "user", "content": "Count slowly from one to a hundred."}],
        }
    )
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    left = iter(range(calls))
    answers: list[tuple[int, str]] = []

    async def work(session: aiohttp.ClientSession) -> None:
        for _ in left:
            try:
                async with session.post(url, data=body) as answer:
                    answers.append((answer.status, await answer.text()))
            except (aiohttp.ClientError, TimeoutError) as error:
                answers.append((0, str(error) or type(error).__name__))

    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS_MAX)
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(
        headers=headers, timeout=timeout, connector=connector
    ) as session:
        await asyncio.gather(*(work(session) for _ in range(min(concurrency, calls))))
    return answers


def conclude(
    statuses: Iterable[str], before: Mapping[str, str], after: Mapping[str, str], calls: int
) -> dict[str, Any]:
    """What came of `calls` calls: their rows' statuses, and the budget's status around them."""
    counts = Counter(statuses)
    served = sum(counts[status] for status in SERVED)
    refused = sum(counts[status] for status in REFUSED)
    spent = Decimal(after["current_spend_usd"]) - Decimal(before["current_spend_usd"])
    over = max(Decimal(0), Decimal(after["current_spend_usd"]) - Decimal(after["limit_usd"]))
    return {
        "calls": calls,
        "served": served,
        "refused": refused,
        "failed": calls - served - refused,
        "spent_usd": f"{spent:.9f}",
        "over_usd": f"{over:.9f}",
        "limit_usd": after["limit_usd"],
    }


def _first_failure(answers: list[tuple[int, str]]) -> str:
    for status, text in answers:
        if status not in {200, 402, 429}:
            return f"{status or 'no answer'}: {text[:300]}"
    return "the gateway wrote no row for them"
