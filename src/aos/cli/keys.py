"""API keys: who may call, which models, for how much."""

from typing import Annotated, Any

import typer

from aos.cli.client import Client
from aos.cli.errors import Misused
from aos.cli.output import Json, Limit, field, print_facts, print_json, print_table

app = typer.Typer(no_args_is_help=True, help=__doc__)
PATH = "/api/v1/keys"
COLUMNS = [
    field("id"),
    field("name"),
    field("prefix"),
    field("scopes"),
    field("agent_id"),
    field("models"),
    field("created_at"),
    field("expires_at"),
    field("revoked_at"),
]

Key = Annotated[str, typer.Argument(help="Id or name.")]
Models = Annotated[
    list[str] | None, typer.Option("--model", help="Allowed model, glob or alias. Repeat.")
]
Scopes = Annotated[list[str] | None, typer.Option("--scope", help="admin, invoke or read. Repeat.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="key=value. Repeat.")]
Expiry = Annotated[str | None, typer.Option(help="When it ends, RFC 3339.")]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What it is for.")],
    *,
    agent: Annotated[str | None, typer.Option(help="Id or name of the agent it is for.")] = None,
    models: Models = None,
    scopes: Scopes = None,
    tags: Tags = None,
    expires_at: Expiry = None,
    budget_usd: Annotated[
        str | None, typer.Option(help="Its own blocking budget, in dollars, that never resets.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Create a key. The key itself is shown once, now."""
    client = Client()
    body = _fields(models=models, scopes=scopes, tags=tags, expires_at=expires_at)
    body["name"] = name
    if agent is not None:
        body["agent_id"] = client.find("/api/v1/agents", agent, "agt")["id"]
    if budget_usd is not None:
        body["budget"] = {
            "name": f"key {name}",
            "scope": "PER_KEY",
            "period": "TOTAL",
            "limit_usd": budget_usd,
            "action_on_breach": "BLOCK",
        }
    _show(client.send("POST", PATH, body), as_json=as_json)


@app.command("list")
def list_(*, limit: Limit = 100, as_json: Json = False) -> None:
    """List keys. The secrets are stored nowhere; a prefix tells them apart."""
    items = Client().items(PATH, limit)
    if as_json:
        print_json({"items": list(items), "next_cursor": None})
    else:
        print_table(items, COLUMNS)


@app.command()
def get(
    key: Annotated[str, typer.Argument(help="Id or name; `self` is the key in use.")],
    *,
    as_json: Json = False,
) -> None:
    """Show one key: what it may do, has spent, and when that resets."""
    client = Client()
    found = client.get(f"{PATH}/self") if key == "self" else client.find(PATH, key, "key")
    _show(found, as_json=as_json)


@app.command()
def update(
    key: Key,
    *,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    models: Models = None,
    scopes: Scopes = None,
    tags: Tags = None,
    expires_at: Expiry = None,
    as_json: Json = False,
) -> None:
    """Change what a key may do."""
    client = Client()
    found = client.find(PATH, key, "key")
    body = _fields(models=models, scopes=scopes, tags=tags, expires_at=expires_at)
    if name is not None:
        body["name"] = name
    _show(client.send("PATCH", f"{PATH}/{found['id']}", body), as_json=as_json)


@app.command()
def revoke(key: Key, *, as_json: Json = False) -> None:
    """Revoke a key: refused everywhere within a second."""
    client = Client()
    found = client.find(PATH, key, "key")
    client.send("DELETE", f"{PATH}/{found['id']}")
    if as_json:
        print_json({"id": found["id"], "revoked": True})
    else:
        print(f"revoked {found['name']} ({found['id']})")


@app.command()
def rotate(
    key: Key,
    *,
    grace_seconds: Annotated[
        int, typer.Option(min=0, help="How long the old key still works.")
    ] = 3600,
    as_json: Json = False,
) -> None:
    """Give a key a new secret; the old one works until the grace ends."""
    client = Client()
    found = client.find(PATH, key, "key")
    body = {"grace_seconds": grace_seconds}
    _show(client.send("POST", f"{PATH}/{found['id']}/rotate", body), as_json=as_json)


def _fields(
    *,
    models: list[str] | None,
    scopes: list[str] | None,
    tags: list[str] | None,
    expires_at: str | None,
) -> dict[str, Any]:
    """The body's fields that were given; what was not given stays as it is."""
    body: dict[str, Any] = {}
    if models is not None:
        body["models"] = models
    if scopes is not None:
        body["scopes"] = scopes
    if tags is not None:
        pairs = [tag.partition("=") for tag in tags]
        if not all(equals for _, equals, _ in pairs):
            raise Misused("a tag is written key=value")
        body["tags"] = {name: value for name, _, value in pairs}
    if expires_at is not None:
        body["expires_at"] = expires_at
    return body


def _show(key: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(key)
        return
    print_facts(key)
    if "key" in key:
        print("\nKeep the key now: it is stored nowhere and will not be shown again.")
