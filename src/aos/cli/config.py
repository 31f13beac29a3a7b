"""Config as code: `aos apply` and `aos export`."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from aos.cli.client import Client
from aos.cli.output import Json, print_json

_SIGNS: Final = {"create": "+", "update": "~", "delete": "-"}


def apply(
    *,
    file: Annotated[Path, typer.Option("--file", "-f", help="aos.yaml; - reads standard input.")],
    dry_run: Annotated[bool, typer.Option(help="Show what would change; change nothing.")] = False,
    prune: Annotated[
        bool, typer.Option(help="Take away what an earlier apply made and the file leaves out.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make what stands be what the file says: all of it or nothing."""
    from aos.cli.document import read_file

    document = read_file(file)
    body = {"document": document, "dry_run": dry_run, "prune": prune}
    outcome = Client().send("POST", "/api/v1/config/apply", body)
    if as_json:
        print_json(outcome)
        return
    for change in outcome["changes"]:
        _print_change(change)
    for warning in outcome.get("warnings", ()):
        print(f"! {warning}")
    for key in outcome["created_keys"]:
        print(f"key {key['name']}: {key['key']}")
    if outcome["created_keys"]:
        print("Keep these keys now: they are stored nowhere and will not be shown again.")
    _print_sum(outcome["changes"], dry_run=dry_run)


def export(*, as_json: Json = False) -> None:
    """Print what stands as an aos.yaml. Secrets are not in it."""
    document = Client().get("/api/v1/config/export")
    if as_json:
        print_json(document)
        return
    from aos.cli.document import write_text

    print(write_text(document), end="")


def _print_change(change: dict[str, Any]) -> None:
    print(f"{_SIGNS[change['action']]} {change['kind']}.{change['name']}")
    for name, (before, after) in change["fields"].items():
        if change["action"] == "create":
            print(f"    {name}: {_short(after)}")
        else:
            print(f"    {name}: {_short(before)} -> {_short(after)}")


def _print_sum(changes: list[dict[str, Any]], *, dry_run: bool) -> None:
    if not changes:
        print("nothing to change")
        return
    counts = dict.fromkeys(_SIGNS, 0)
    for change in changes:
        counts[change["action"]] += 1
    done = "would change" if dry_run else "applied"
    print(
        f"{done}: {counts['create']} created, {counts['update']} updated, "
        f"{counts['delete']} deleted"
    )


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
