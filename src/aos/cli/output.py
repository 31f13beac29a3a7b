"""What commands print: a table or a few lines for people, exact JSON for programs."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")]

Column = tuple[str, Callable[[Mapping[str, Any]], str]]
"""A heading, and how a row fills it."""

_PIPE_COLUMNS: Final = 400
_SMALL_PLACES: Final = 4


def print_json(value: Any) -> None:
    """Exact and stable: keys in the gateway's order, money as decimal strings."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_line(value: Any) -> None:
    """One JSON value a line, for streams."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def print_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, _ in columns:
        table.add_column(heading, overflow="fold")
    count = 0
    for row in rows:
        table.add_row(*(_plain(fill(row)) for _, fill in columns))
        count += 1
    if not count:
        print("none")
        return
    Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS).print(table, highlight=False)


def print_facts(facts: Mapping[str, Any]) -> None:
    """A thing as `name: value` lines, money readable; what it does not have is left out."""
    told = {name: value for name, value in facts.items() if value not in (None, [], {})}
    width = max((len(name) for name in told), default=0) + 1
    for name, value in told.items():
        print(f"{name + ':':<{width}} {_readable(name, value)}")


def field(heading: str, name: str | None = None) -> Column:
    """A column that shows the field of this name (by default the heading's own)."""
    key = name or heading
    return heading, lambda row: _readable(key, row.get(key))


def money(value: str | None) -> str:
    """`0.009900000` → `$0.0099`; never rounded. None (unpriced) → `unpriced`."""
    if value is None:
        return "unpriced"
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return value
    whole, _, places = f"{abs(amount):f}".partition(".")
    shown = places.rstrip("0").ljust(2 if abs(amount) >= 1 else _SMALL_PLACES, "0")
    return f"{'-' if amount < 0 else ''}${whole}.{shown}"


def _readable(name: str, value: Any) -> str:
    if name.endswith("_usd"):
        return "-" if value is None and name != "cost_usd" else money(value)
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_readable(key, one)}" for key, one in value.items()) or "-"
    if isinstance(value, list):
        between = "; " if any(isinstance(one, Mapping) for one in value) else ", "
        return between.join(_readable("", one) for one in value) or "-"
    return str(value)


def _plain(text: str) -> Any:
    from rich.text import Text

    # Text, not markup: a name may hold brackets. And no control characters into a terminal.
    return Text("".join(letter if letter.isprintable() else "�" for letter in text))
