"""Runs the revisions: online over psycopg in one transaction, offline as one SQL script."""

import psycopg
from alembic import context
from sqlalchemy import create_engine, pool

SCHEMA = "aos"
VERSION_TABLE = "schema_version"
"""In our own schema: some hosts publish what is in `public`."""

LOCK = 0x616F73_01
"""Two processes starting at once migrate once: the second waits, and finds nothing to do."""


def run() -> None:
    if context.is_offline_mode():
        context.configure(
            dialect_name="postgresql",
            dialect_opts={"paramstyle": "named"},
            literal_binds=True,
            version_table=VERSION_TABLE,
            version_table_schema=SCHEMA,
        )
        with context.begin_transaction():
            context.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            context.run_migrations()
        return
    url = context.config.attributes["url"]
    # libpq reads the URL itself: SQLAlchemy's own reading differs in passwords and several hosts.
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=pool.NullPool
    )
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = '{context.config.attributes['seconds_max']}s'"
        )
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        context.configure(
            connection=connection,
            version_table=VERSION_TABLE,
            version_table_schema=SCHEMA,
            transaction_per_migration=False,
        )
        context.run_migrations()
    engine.dispose()


run()
