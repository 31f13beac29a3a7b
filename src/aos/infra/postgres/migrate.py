"""Alembic revisions whose body is SQL. Kept in the repository's and the wheel's `migrations/`."""

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Final

import psycopg

MIGRATION_LOCK: Final = 0x616F73_01
"""Advisory lock: two processes starting at once migrate once."""


def migrations_folder() -> Path:
    """`migrations/` of the checkout, or of the installed wheel."""
    packaged = Path(__file__).parents[2] / "_migrations"
    return packaged if packaged.exists() else Path(__file__).parents[4] / "migrations"


def newest_revision() -> str:
    """The last revision, read from the files' names: `NNNN_name.py`, without importing Alembic."""
    return max(path.stem for path in (migrations_folder() / "versions").glob("[0-9]*.py"))


def current_revision(url: str) -> str | None:
    """What the database is at; None for an empty one."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute("SELECT to_regclass('public.aos_schema_version')").fetchone()
        if row is None or row[0] is None:
            return None
        version = connection.execute("SELECT version_num FROM public.aos_schema_version").fetchone()
        return None if version is None else str(version[0])


def migrate(url: str) -> bool:
    """Bring the database to the newest revision. True when there was something to do."""
    if current_revision(url) == newest_revision():
        return False
    from alembic import command

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
        command.upgrade(_config(url), "head")
    return True


def migration_sql() -> str:
    """Every revision as one SQL script, for hosts where only SQL can be run."""
    from alembic import command

    script = StringIO()
    config = _config("postgresql://offline")
    config.output_buffer = script
    with redirect_stdout(script):
        command.upgrade(config, "head", sql=True)
    return script.getvalue()


def _config(url: str):  # type: ignore[no-untyped-def]
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.attributes["url"] = url
    return config
