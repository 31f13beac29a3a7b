"""Prices: what a token costs, and since when."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from aos.cli.client import Client
from aos.cli.errors import Misused
from aos.cli.output import Json, Limit, field, print_facts, print_json, print_table

app = typer.Typer(no_args_is_help=True, help=__doc__)
PATH: Final = "/api/v1/prices"
TABLE_BYTES_MAX: Final = 32 * 1024 * 1024

Provider = Annotated[str | None, typer.Option(help="Id of a provider.")]
Model = Annotated[str | None, typer.Option(help="Id of a model.")]


@app.command("list")
def list_(
    *,
    provider: Provider = None,
    model: Model = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List prices in dollars for a million tokens, the table's and your own."""
    items = Client().items(PATH, limit, provider=provider, model=model)
    if as_json:
        print_json({"items": list(items), "next_cursor": None})
        return
    columns = [
        field("provider"),
        field("model"),
        ("input", lambda row: _rate(row, "input")),
        ("cache read", lambda row: _rate(row, "cache_read")),
        ("output", lambda row: _rate(row, "output")),
        field("since", "effective_from"),
        field("until", "effective_to"),
        field("source"),
    ]
    print_table(items, columns)


@app.command("set")
def set_(
    *,
    provider: Annotated[str, typer.Option(help="Id of a provider.")],
    model: Annotated[str, typer.Option(help="Id of a model.")],
    rates: Annotated[
        list[str], typer.Option("--rate", help="unit=dollars a million tokens. Repeat.")
    ],
    effective_from: Annotated[str | None, typer.Option(help="RFC 3339; default now.")] = None,
    as_json: Json = False,
) -> None:
    """Set a price of your own, for example --rate input=2.50 --rate output=10."""
    pairs = [rate.partition("=") for rate in rates]
    if not all(equals for _, equals, _ in pairs):
        raise Misused("a rate is written unit=dollars, for example input=2.50")
    body: dict[str, Any] = {
        "provider": provider,
        "model": model,
        "rates": {unit: dollars for unit, _, dollars in pairs},
    }
    if effective_from is not None:
        body["effective_from"] = effective_from
    price = Client().send("POST", PATH, body)
    if as_json:
        print_json(price)
    else:
        print_facts(price)


@app.command("import")
def import_(
    *,
    file: Annotated[Path, typer.Argument(help="A price table in JSON.")],
    as_json: Json = False,
) -> None:
    """Take in a newer price table; what was billed stays as it was billed."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Misused(f"{file} cannot be read: {error.strerror}") from None
    if len(content) > TABLE_BYTES_MAX:
        raise Misused(f"{file} is larger than {TABLE_BYTES_MAX} bytes")
    try:
        table = json.loads(content)
    except ValueError as error:
        raise Misused(f"{file} is not JSON: {error}") from None
    outcome = Client().send("POST", f"{PATH}/import", table)
    if as_json:
        print_json(outcome)
    else:
        print_facts(outcome)


def _rate(price: Any, unit: str) -> str:
    rate = price["rates"].get(unit)
    if rate is None:
        return "-"
    return f"{rate['base']} (tiers)" if isinstance(rate, dict) else str(rate)
