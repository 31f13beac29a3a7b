"""Agents: owners of keys, budgets and runs."""

from typing import Annotated, Any

import typer

from aos.cli.client import Client
from aos.cli.output import Json, Limit, field, print_facts, print_json, print_table

app = typer.Typer(no_args_is_help=True, help=__doc__)
PATH = "/api/v1/agents"
COLUMNS = [
    field("id"),
    field("name"),
    field("status"),
    field("budget_cents"),
    field("spent_cents"),
    field("created_at"),
]

Agent = Annotated[str, typer.Argument(help="Id or name.")]
BudgetCents = Annotated[
    int | None, typer.Option(min=0, help="Lifetime budget in cents; 0 means none.")
]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Unique in the tenant.")],
    *,
    budget_cents: BudgetCents = None,
    as_json: Json = False,
) -> None:
    """Create an agent."""
    body: dict[str, Any] = {"name": name}
    if budget_cents is not None:
        body["budget_cents"] = budget_cents
    _show(Client().send("POST", PATH, body), as_json=as_json)


@app.command("list")
def list_(*, limit: Limit = 100, as_json: Json = False) -> None:
    """List agents."""
    items = Client().items(PATH, limit)
    if as_json:
        print_json({"items": list(items), "next_cursor": None})
    else:
        print_table(items, COLUMNS)


@app.command()
def get(agent: Agent, *, as_json: Json = False) -> None:
    """Show one agent and what it has spent."""
    _show(Client().find(PATH, agent, "agt"), as_json=as_json)


@app.command()
def update(
    agent: Agent,
    *,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    budget_cents: BudgetCents = None,
    as_json: Json = False,
) -> None:
    """Change an agent's name or lifetime budget."""
    client = Client()
    found = client.find(PATH, agent, "agt")
    changes = {"name": name, "budget_cents": budget_cents}
    body = {key: value for key, value in changes.items() if value is not None}
    _show(client.send("PATCH", f"{PATH}/{found['id']}", body), as_json=as_json)


@app.command()
def archive(agent: Agent, *, as_json: Json = False) -> None:
    """Archive an agent: its keys stop working, its history stays."""
    client = Client()
    found = client.find(PATH, agent, "agt")
    client.send("DELETE", f"{PATH}/{found['id']}")
    if as_json:
        print_json({"id": found["id"], "status": "archived"})
    else:
        print(f"archived {found['name']} ({found['id']})")


def _show(agent: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(agent)
    else:
        print_facts(agent)
