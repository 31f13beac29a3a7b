"""Alembic revisions whose body is SQL. Kept in the repository's and the wheel's `migrations/`.

All of them run in one transaction: a migration that fails leaves the database as it was.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import errors

from aos.infra.errors import DatabaseUnavailable, MigrationFailed, SchemaNewer
from aos.infra.limits import DATABASE_CONNECT_SECONDS_MAX, MIGRATION_LOCK_SECONDS_MAX

if TYPE_CHECKING:
    from alembic.config import Config


def migrations_folder() -> Path:
    """`migrations/` of the checkout, or of the installed wheel."""
    packaged = Path(__file__).parents[2] / "_migrations"
    return packaged if packaged.exists() else Path(__file__).parents[4] / "migrations"


def revisions() -> list[str]:
    """Oldest first, read from the files' names, `NNNN_name.py`: a warm start loads no Alembic."""
    return sorted(path.stem for path in (migrations_folder() / "versions").glob("[0-9]*.py"))


def newest_revision() -> str:
    return revisions()[-1]


def current_revision(url: str) -> str | None:
    """What the database is at; None for an empty one. Raises DatabaseUnavailable."""
    try:
        with psycopg.connect(url, connect_timeout=DATABASE_CONNECT_SECONDS_MAX) as connection:
            if connection.execute("SELECT to_regclass('aos.schema_version')").fetchone() == (None,):
                return None
            row = connection.execute("SELECT version_num FROM aos.schema_version").fetchone()
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"the database cannot be reached: {error}") from error
    except errors.InsufficientPrivilege as error:
        raise MigrationFailed(
            f"this database belongs to another AOS: {error}. Use the role that migrated it, or"
            " ask it to GRANT aos_owner, aos_app TO yours"
        ) from error
    return None if row is None else str(row[0])


def migrate(url: str) -> bool:
    """Bring the database to the newest revision. True when there was something to do.

    Raises SchemaNewer, MigrationFailed, DatabaseUnavailable; then nothing has changed.
    """
    current = current_revision(url)
    if current == newest_revision():
        return False
    if current is not None and current not in revisions():
        raise SchemaNewer(
            f"the database is at {current}, this AOS knows up to {newest_revision()}: run the newer"
            " AOS, or restore a backup from before"
        )
    from alembic import command
    from sqlalchemy.exc import DBAPIError

    config = _config(url)
    config.attributes["seconds_max"] = MIGRATION_LOCK_SECONDS_MAX
    try:
        command.upgrade(config, "head")
    except DBAPIError as error:
        raise MigrationFailed(f"the migration failed and was undone: {error.orig}") from error
    return True


def migration_sql() -> str:
    """Every revision as one SQL script, for hosts where only SQL can be run."""
    from io import StringIO

    from alembic import command

    script = StringIO()
    config = _config("")
    config.output_buffer = script
    command.upgrade(config, "head", sql=True)
    return script.getvalue()


def _config(url: str) -> "Config":
    from alembic.config import Config

    config = Config()
    # Alembic's settings expand per cent signs.
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["url"] = url
    return config
