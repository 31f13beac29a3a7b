"""Budgets: what may be spent, by whom, until when."""

from typing import Annotated, Any, Final

import typer

from aos.cli.client import Client
from aos.cli.output import Json, Limit, field, print_facts, print_json, print_table

app = typer.Typer(no_args_is_help=True, help=__doc__)
PATH = "/api/v1/budgets"
COLUMNS = [
    field("id"),
    field("name"),
    field("scope"),
    field("of", "scope_value"),
    field("period"),
    field("limit", "limit_usd"),
    field("spent", "current_spend_usd"),
    field("action", "action_on_breach"),
    field("reset_at"),
]

_SUBJECTS: Final = {"PER_AGENT": ("/api/v1/agents", "agt"), "PER_KEY": ("/api/v1/keys", "key")}

Budget = Annotated[str, typer.Argument(help="Id or name.")]
LimitUsd = Annotated[str | None, typer.Option(help="In dollars.")]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Unique in the tenant.")],
    limit_usd: Annotated[str, typer.Option(help="In dollars.")],
    *,
    scope: Annotated[str, typer.Option(help="GLOBAL, PER_AGENT, PER_KEY, …")] = "GLOBAL",
    scope_value: Annotated[
        str | None,
        typer.Option(help="Whose; an agent or key by id or name. Without it, one for each."),
    ] = None,
    period: Annotated[str, typer.Option(help="DAILY, WEEKLY, MONTHLY or TOTAL.")] = "MONTHLY",
    timezone: Annotated[str | None, typer.Option(help="IANA name; default UTC.")] = None,
    action: Annotated[str, typer.Option(help="BLOCK or ALERT_ONLY.")] = "BLOCK",
    as_json: Json = False,
) -> None:
    """Create a budget."""
    client = Client()
    body: dict[str, Any] = {
        "name": name,
        "scope": scope.upper(),
        "period": period.upper(),
        "limit_usd": limit_usd,
        "action_on_breach": action.upper(),
    }
    if scope_value is not None:
        body["scope_value"] = _subject(client, scope.upper(), scope_value)
    if timezone is not None:
        body["timezone"] = timezone
    _show(client.send("POST", PATH, body), as_json=as_json)


@app.command("list")
def list_(*, limit: Limit = 100, as_json: Json = False) -> None:
    """List budgets."""
    items = Client().items(PATH, limit)
    if as_json:
        print_json({"items": list(items), "next_cursor": None})
    else:
        print_table(items, COLUMNS)


@app.command()
def get(budget: Budget, *, as_json: Json = False) -> None:
    """Show one budget."""
    _show(Client().find(PATH, budget, "bgt"), as_json=as_json)


@app.command()
def status(budget: Budget, *, as_json: Json = False) -> None:
    """Show what is spent, held and left, and when it resets."""
    client = Client()
    found = client.find(PATH, budget, "bgt")
    _show(client.get(f"{PATH}/{found['id']}/status"), as_json=as_json)


@app.command()
def update(
    budget: Budget,
    *,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    limit_usd: LimitUsd = None,
    action: Annotated[str | None, typer.Option(help="BLOCK or ALERT_ONLY.")] = None,
    as_json: Json = False,
) -> None:
    """Change a budget; a new limit is in force at once."""
    client = Client()
    found = client.find(PATH, budget, "bgt")
    changes = {
        "name": name,
        "limit_usd": limit_usd,
        "action_on_breach": action.upper() if action else None,
    }
    body = {key: value for key, value in changes.items() if value is not None}
    _show(client.send("PATCH", f"{PATH}/{found['id']}", body), as_json=as_json)


@app.command()
def reset(budget: Budget, *, as_json: Json = False) -> None:
    """Begin a new period now. What was spent stays on the books."""
    client = Client()
    found = client.find(PATH, budget, "bgt")
    _show(client.send("POST", f"{PATH}/{found['id']}/reset"), as_json=as_json)


@app.command()
def delete(budget: Budget, *, as_json: Json = False) -> None:
    """Delete a budget: it binds nobody any more, its history stays."""
    client = Client()
    found = client.find(PATH, budget, "bgt")
    client.send("DELETE", f"{PATH}/{found['id']}")
    if as_json:
        print_json({"id": found["id"], "deleted": True})
    else:
        print(f"deleted {found['name']} ({found['id']})")


def _subject(client: Client, scope: str, value: str) -> str:
    """The id of the agent or key that is meant; any other value as it stands."""
    if scope not in _SUBJECTS:
        return value
    path, prefix = _SUBJECTS[scope]
    identifier: str = client.find(path, value, prefix)["id"]
    return identifier


def _show(budget: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(budget)
    else:
        print_facts(budget)
