"""Tenants: who shares this installation and sees nothing of each other."""

from typing import Annotated, Any

import typer

from aos.cli.client import Client
from aos.cli.errors import Misused
from aos.cli.output import Json, Limit, field, print_facts, print_json, print_table

app = typer.Typer(no_args_is_help=True, help=__doc__)
PATH = "/api/v1/tenants"
COLUMNS = [field("id"), field("name"), field("created_at")]


@app.command()
def create(
    tenant: Annotated[
        str | None, typer.Argument(help="Its id, which X-Tenant-Id names; default: one is made.")
    ] = None,
    *,
    name: Annotated[str | None, typer.Option(help="What people call it; default: the id.")] = None,
    as_json: Json = False,
) -> None:
    """Make a tenant. Its admin key is shown once, now. Needs the operator's admin key."""
    if tenant is None and name is None:
        raise Misused("a tenant needs an id or --name")
    given = {"id": tenant, "name": name}
    body = {key: value for key, value in given.items() if value is not None}
    made: dict[str, Any] = Client().send("POST", PATH, body)
    if as_json:
        print_json(made)
        return
    print_facts(made)
    print("\nKeep the key now: it is stored nowhere and will not be shown again.")


@app.command("list")
def list_(*, limit: Limit = 100, as_json: Json = False) -> None:
    """List every tenant of this installation. Needs the operator's admin key."""
    items = Client().items(PATH, limit)
    if as_json:
        print_json({"items": list(items), "next_cursor": None})
    else:
        print_table(items, COLUMNS)
