"""The `aos` command: nouns and their verbs.

Nothing heavy is imported before a command needs it, so that `aos --help` answers at once.
"""

import sys
from typing import Annotated

import typer

from aos.cli import agents, budgets, calls, database, keys, prices, tenants
from aos.cli.config import apply, export
from aos.cli.connect import connect
from aos.cli.doctor import doctor
from aos.cli.errors import CommandFailed
from aos.cli.load import load
from aos.cli.server import serve

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="AOS: an LLM gateway with hard budgets.",
)
app.command()(serve)
app.command()(database.migrate)
app.command()(database.backup)
app.command()(database.restore)
app.command()(apply)
app.command()(export)
app.command()(connect)
app.command()(load)
app.command()(doctor)
app.add_typer(agents.app, name="agents")
app.add_typer(keys.app, name="keys")
app.add_typer(budgets.app, name="budgets")
app.add_typer(calls.app, name="calls")
app.add_typer(prices.app, name="prices")
app.add_typer(tenants.app, name="tenants")
app.add_typer(database.ledger, name="ledger")
# Names of the earlier command line, kept for scripts.
app.command("create-agent", hidden=True)(agents.create)
app.command("list-agents", hidden=True)(agents.list_)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        from importlib.metadata import version

        print(f"aos {version('aos')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options of `aos` itself."""


def main() -> None:
    from aos.infra.errors import InvalidSettings
    from aos.kit.errors import AosError

    try:
        app()
    except CommandFailed as failure:
        print(f"aos: {failure}", file=sys.stderr)
        sys.exit(failure.exit_code)
    except AosError as failure:
        print(f"aos: {' '.join(failure.message.split())} ({failure.code})", file=sys.stderr)
        sys.exit(2 if isinstance(failure, InvalidSettings) else 1)
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has seen enough.
        sys.stderr.close()
        sys.exit(0)
