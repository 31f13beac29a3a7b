"""The database itself: migrate it, and prove its books. Works while a gateway runs on it."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from aos.cli.errors import CommandFailed
from aos.cli.output import Json, field, print_json, print_table

ledger = typer.Typer(no_args_is_help=True, help="The ledger: is every cent where it should be?")

_COLUMNS = [
    field("problem"),
    field("tenant_id"),
    field("account_id"),
    field("hold_id"),
    field("expected"),
    field("found"),
]


def migrate(
    *,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print schema and prices as one SQL script.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the database to this version's schema and prices."""
    from aos.catalog import seed_prices, seed_sql
    from aos.infra.postgres.migrate import migrate as run
    from aos.infra.postgres.migrate import migration_sql, newest_revision

    if sql:
        print(migration_sql())
        print(seed_sql())
        return
    with open_database() as url:
        migrated = run(url)
        seeded = seed_prices(url)
    if as_json:
        print_json({"revision": newest_revision(), "migrated": migrated, "prices_seeded": seeded})
        return
    print(f"{'migrated to' if migrated else 'already at'} {newest_revision()}")
    if seeded:
        print("prices are those of the installed table")


def backup(
    file: Annotated[
        Path | None, typer.Argument(help="Where to write; default aos-<time>.backup here.")
    ] = None,
    *,
    force: Annotated[bool, typer.Option(help="Replace a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write everything to one file, while the gateway runs."""
    from aos.infra.postgres.backup import backup as run
    from aos.kit.clock import SystemClock

    target = file or Path(f"aos-{SystemClock().now():%Y%m%dT%H%M%SZ}.backup")
    if target.exists() and not force:
        raise CommandFailed(f"{target} is there already; --force replaces it")
    with open_database() as url:
        made = run(url, target.absolute())
    if as_json:
        print_json(
            {
                "file": str(made.file),
                "bytes": made.bytes,
                "revision": made.revision,
                "tables": made.tables,
            }
        )
    else:
        print(f"wrote {made.file}: {made.tables} tables at {made.revision}, {made.bytes} bytes")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that aos backup wrote.")],
    *,
    replace: Annotated[
        bool, typer.Option(help="Put it in place of what the database holds.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Read a backup into an empty database, all of it or nothing. Stop the gateway first."""
    from aos.infra.postgres.backup import restore as run
    from aos.infra.postgres.migrate import migrate as migrate_now

    with open_database() as url:
        restored = run(url, file.absolute(), replace=replace)
        migrate_now(url)
        made = _own_admin_key(url)
    if as_json:
        print_json(
            {
                "revision": restored.revision,
                "tables": restored.tables,
                "rows": restored.rows,
                "admin_key_file": None if made is None else str(made),
            }
        )
        return
    print(f"restored {restored.tables} tables, {restored.rows} rows, of {restored.revision}")
    if made is not None:
        print(f"an admin key of this home is kept in {made}; the backup's keys work as before")
    else:
        print("its keys are those of the backup")


def _own_admin_key(url: str) -> Path | None:
    """The file with a key to what was restored; None where the database is not this home's own."""
    import asyncio

    from aos.identity import restore_admin_key
    from aos.infra.postgres import Database
    from aos.infra.settings import Settings
    from aos.kit.clock import SystemClock

    settings = Settings()
    if settings.database.url is not None or settings.server.admin_key is not None:
        return None

    async def run() -> Path | None:
        database = await Database(url).open()
        try:
            home = settings.server.home_path
            return (await restore_admin_key(database, home, SystemClock())).path
        finally:
            await database.close()

    return asyncio.run(run())


@ledger.command()
def verify(*, as_json: Json = False) -> None:
    """Prove that every balance is the sum of its journal; fail loudly otherwise."""
    import asyncio
    from dataclasses import asdict

    async def run(url: str) -> list[dict[str, object]]:
        from aos.infra.postgres import Database
        from aos.kit.ids import new
        from aos.ledger import Ledger

        database = await Database(url).open()
        try:
            mismatches = await Ledger(database, new("proc")).verify()
        finally:
            await database.close()
        return [asdict(one) for one in mismatches]

    with open_database() as url:
        problems = asyncio.run(run(url))
    if as_json:
        print_json({"ok": not problems, "problems": problems})
    elif problems:
        print_table(problems, _COLUMNS)
    else:
        print("the ledger adds up: every balance is the sum of its journal")
    if problems:
        raise CommandFailed(f"{len(problems)} things on the books cannot be")


@contextmanager
def open_database() -> Iterator[str]:
    """URL for work past any pooler: the configured database, or the private one of AOS_HOME.

    The private server is started where it does not run, and left to its other users where it does.
    """
    import structlog

    from aos.infra.postgres import PrivateServer
    from aos.infra.settings import Settings

    # Standard output belongs to the answer, and a failure is one line, not one for each try.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    settings = Settings()
    configured = settings.database.direct_url or settings.database.url
    if configured is not None:
        yield configured.get_secret_value()
        return
    server = PrivateServer(settings.server.home_path)
    url = server.start()
    try:
        yield url
    finally:
        server.stop()
