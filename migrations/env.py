"""Runs the revisions: online over psycopg, offline as one SQL script."""

from alembic import context
from sqlalchemy import create_engine, pool

VERSION_TABLE = "aos_schema_version"


def run() -> None:
    url = context.config.attributes["url"].replace("postgresql://", "postgresql+psycopg://", 1)
    url = url.replace("postgres://", "postgresql+psycopg://", 1)
    if context.is_offline_mode():
        context.configure(url=url, literal_binds=True, version_table=VERSION_TABLE)
        with context.begin_transaction():
            context.run_migrations()
        return
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection, version_table=VERSION_TABLE, transaction_per_migration=False
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run()
