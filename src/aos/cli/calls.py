"""Calls: what happened, one row a call."""

import time
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from aos.cli.client import Client
from aos.cli.output import Json, Limit, field, money, print_json, print_line, print_table

app = typer.Typer(no_args_is_help=True, help=__doc__)
PATH = "/api/v1/usage/calls"
POLL_SECONDS: Final = 1.0
FOLLOW_ROWS_MAX: Final = 200
"""Rows looked at in a poll; a busier gateway is watched through `list` and its filters."""


def _model(row: Mapping[str, Any]) -> str:
    """Who answered, as what; for a call that nobody answered, what was asked for."""
    provider, model = row["provider"], row["model"]
    return f"{provider}/{model}" if provider and model else str(row["model_requested"])


_COLUMNS = [
    field("id"),
    field("created_at"),
    field("status"),
    ("model", _model),
    field("in", "input_tokens"),
    field("out", "output_tokens"),
    ("cost", lambda row: money(row["cost_usd"]) + (" (estimated)" if row["estimated"] else "")),
    field("ms", "latency_ms"),
    ("why", lambda row: (row.get("error") or {}).get("code", "")),
]

Agent = Annotated[str | None, typer.Option(help="Id of an agent.")]
Model = Annotated[str | None, typer.Option(help="Only this model.")]
Status = Annotated[str | None, typer.Option(help="ok, upstream_error, refused_budget, …")]


@app.command("list")
def list_(
    *,
    limit: Limit = 50,
    agent: Agent = None,
    model: Model = None,
    status: Status = None,
    since: Annotated[str | None, typer.Option(help="RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option(help="RFC 3339.")] = None,
    as_json: Json = False,
) -> None:
    """List calls, newest first."""
    filters = {"agent_id": agent, "model": model, "status": status, "since": since, "until": until}
    items = Client().items(PATH, limit, **filters)
    if as_json:
        print_json({"items": list(items), "next_cursor": None})
    else:
        print_table(items, _COLUMNS)


@app.command()
def tail(
    *,
    limit: Limit = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they come.")] = False,
    as_json: Json = False,
) -> None:
    """Show the last calls, oldest first; with --json one object a line."""
    client = Client()
    rows = list(client.items(PATH, limit))[::-1]
    _print_rows(rows, as_json=as_json)
    while follow:
        seen = {row["id"] for row in rows}
        time.sleep(POLL_SECONDS)
        rows = list(client.items(PATH, FOLLOW_ROWS_MAX))[::-1]
        fresh = [row for row in rows if row["id"] not in seen]
        if fresh:
            _print_rows(fresh, as_json=as_json)


@app.command()
def get(
    call: Annotated[str, typer.Argument(help="Id of a call, or an x-aos-request-id.")],
    *,
    as_json: Json = False,
) -> None:
    """Tell one call's whole story: attempts, hold, wait, clamp, settlement, cost lines."""
    story: dict[str, Any] = Client().get(f"{PATH}/{quote(call, safe='')}")
    if as_json:
        print_json(story)
        return
    print_table([story], _COLUMNS)
    print()
    print_json({key: value for key, value in story.items() if value not in (None, {}, [])})


def _print_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if not as_json:
        print_table(rows, _COLUMNS)
        return
    for row in rows:
        print_line(row)
