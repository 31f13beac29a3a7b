"""Backup and restore of everything AOS keeps, by `pg_dump` and `pg_restore`.

One file, the schema `aos` in PostgreSQL's custom format, whatever server it came from or goes to:
private or hosted. Passwords go by environment, never by command line.
"""

import os
import runpy
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from aos.infra.errors import (
    BackupFailed,
    DatabaseInUse,
    DatabaseNotEmpty,
    DatabaseUnavailable,
    InvalidBackup,
    SchemaNewer,
)
from aos.infra.limits import DATABASE_CONNECT_SECONDS_MAX
from aos.infra.postgres.binaries import Binaries
from aos.infra.postgres.migrate import (
    current_revision,
    migrations_folder,
    newest_revision,
    revisions,
)
from aos.infra.postgres.tunnel import connection_for_programs

_MAGIC: Final = b"PGDMP"
_OURS: Final = ("aos", "aos-changes")
"""Names under which our processes are connected."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was written and read again."""

    file: Path
    bytes: int
    revision: str
    tables: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What a database holds after a restore. `revision` may be older than this AOS: migrate."""

    revision: str
    tables: int
    rows: int


def backup(url: str, file: Path) -> Backup:
    """Write the whole schema to `file`, mode 0600. It appears when it is whole.

    Takes no lock that a running AOS would wait for. Raises BackupFailed, DatabaseUnavailable.
    """
    revision = current_revision(url)
    if revision is None:
        raise BackupFailed("there is nothing to back up: this database holds no AOS")
    new = file.with_name(f".{file.name}.{secrets.token_hex(4)}.new")
    try:
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _run("pg_dump", url, "--format=custom", "--schema=aos", f"--file={new}")
        tables = _tables_in(new)
        with new.open("rb") as written:
            os.fsync(written.fileno())
        new.replace(file)
    except OSError as error:
        raise BackupFailed(f"cannot write {file}: {error.strerror}") from error
    finally:
        new.unlink(missing_ok=True)
    return Backup(file, file.stat().st_size, revision, tables)


def restore(url: str, file: Path, *, replace: bool = False) -> Restored:
    """Put the backup into the database, in one transaction; what was there is refused, or replaced.

    Raises InvalidBackup, DatabaseNotEmpty, DatabaseInUse, SchemaNewer, BackupFailed,
    DatabaseUnavailable; then the database is as it was.
    """
    _tables_in(file)
    with _connected(url) as connection:
        _refuse_company(connection)
        with _set_aside(connection, replace=replace):
            # Roles are no part of a backup: they belong to the cluster.
            connection.execute(runpy.run_path(str(_house()))["ROLES"])
            _run("pg_restore", url, "--exit-on-error", "--single-transaction", str(file))
            revision = current_revision(url) or ""
            if revision not in revisions():
                raise SchemaNewer(
                    f"the backup is of {revision}, this AOS knows up to {newest_revision()}"
                )
            return _counted(connection, revision, _tables_in(file))


def _house() -> Path:
    return migrations_folder() / "versions" / f"{revisions()[0]}.py"


def _refuse_company(connection: psycopg.Connection) -> None:
    others = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = ANY(%s)",
        (list(_OURS),),
    ).fetchone()
    if others != (0,):
        raise DatabaseInUse("an AOS is connected to this database: stop it, then restore")


@contextmanager
def _set_aside(connection: psycopg.Connection, *, replace: bool) -> Iterator[None]:
    """Keep the schema that was there under another name until the restore has succeeded."""
    aside: sql.Identifier | None = None
    ours = sql.Identifier("aos")
    if connection.execute("SELECT to_regnamespace('aos')").fetchone() != (None,):
        if not replace:
            raise DatabaseNotEmpty(
                "this database holds an AOS already: restore into an empty one, or say --replace"
            )
        aside = sql.Identifier(f"aos_before_{secrets.token_hex(4)}")
        connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(ours, aside))
    try:
        yield
    except BaseException:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(ours))
        if aside is not None:
            connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(aside, ours))
        raise
    if aside is not None:
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(aside))


def _counted(connection: psycopg.Connection, revision: str, promised: int) -> Restored:
    """Reads every row once: a restore that cannot be read is none."""
    names = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'aos'::regnamespace AND relkind = 'r'"
    ).fetchall()
    if len(names) != promised:
        raise BackupFailed(f"the backup has {promised} tables, {len(names)} were restored")
    rows = 0
    for (name,) in names:
        counted = connection.execute(
            sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("aos", name))
        ).fetchone()
        rows += counted[0] if counted else 0
    return Restored(revision, len(names), rows)


def _tables_in(file: Path) -> int:
    """How many tables with rows a backup lists. Raises InvalidBackup."""
    try:
        with file.open("rb") as reader:
            magic = reader.read(len(_MAGIC))
    except OSError as error:
        raise InvalidBackup(f"cannot read {file}: {error.strerror}") from error
    done = Binaries().run("pg_restore", "--list", str(file)) if magic == _MAGIC else None
    if done is None or done.returncode:
        raise InvalidBackup(f"{file} is no backup that `aos backup` wrote")
    return sum(" TABLE DATA aos " in line for line in done.stdout.splitlines())


def _run(program: str, url: str, *arguments: str) -> None:
    with connection_for_programs(url) as (parameters, password):
        database = f"--dbname={make_conninfo(**parameters)}"
        environment = {"PGPASSWORD": password, "PGAPPNAME": program}
        done = Binaries().run(program, database, *arguments, environment=environment)
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        raise BackupFailed(f"{program} failed: {' / '.join(lines[:3])}")


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection]:
    try:
        connection = psycopg.connect(
            url, autocommit=True, connect_timeout=DATABASE_CONNECT_SECONDS_MAX
        )
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"the database cannot be reached: {error}") from error
    with connection:
        yield connection
