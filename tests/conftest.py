"""Real PostgreSQL for every test that asks for it.

One private server a session, one database a test.
"""

import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from aos.catalog import Prices, seed_prices
from aos.catalog.seed import TableRows, seed_table
from aos.infra.postgres import Database
from aos.infra.postgres.migrate import migrate
from aos.infra.postgres.server import PrivateServer

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of database `aos` on a server of this test session, migrated: the template."""
    home = Path(tempfile.mkdtemp(prefix="aos-test-"))
    home.chmod(0o711)  # Under root the database's own account lives in it too.
    server = PrivateServer(home, fleeting=True)
    url = server.start()
    try:
        migrate(url)
        yield url
    finally:
        server.stop()
        shutil.rmtree(home)


@contextmanager
def copied(postgres_url: str, template: LiteralString) -> Iterator[str]:
    """URL of a fresh copy of one of the session's databases."""
    name = f"test_{next(_numbers)}"
    admin = postgres_url.replace("/aos?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        yield postgres_url.replace("/aos?", f"/{name}?")
        try:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        except psycopg.errors.InsufficientPrivilege:
            # An autovacuum worker is in it: FORCE may not end a superuser's process, but without
            # FORCE the server itself asks that worker to leave.
            connection.execute(f"DROP DATABASE {name}")


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """URL of a fresh migrated database of this test's own."""
    with copied(postgres_url, "aos") as url:
        yield url


@pytest.fixture(scope="session")
def priced_template(postgres_url: str) -> str:
    """The server, with database `priced` on it: migrated, and all models and prices in it."""
    with psycopg.connect(postgres_url.replace("/aos?", "/postgres?"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE priced TEMPLATE aos STRATEGY FILE_COPY")
    seed_prices(postgres_url.replace("/aos?", "/priced?"))
    return postgres_url


@pytest.fixture
def priced_url(priced_template: str) -> Iterator[str]:
    """URL of a fresh database of this test's own, with all models and prices in it."""
    with copied(priced_template, "priced") as url:
        yield url


@pytest.fixture(scope="module")
def module_priced_url(priced_template: str) -> Iterator[str]:
    """The same for a whole module."""
    with copied(priced_template, "priced") as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database(database_url).open()
    yield database
    await database.close()


@pytest.fixture(scope="session")
def price_table() -> TableRows:
    """The installed price table, made once a session."""
    return seed_table()


@pytest.fixture
async def priced_database(database: Database, price_table: TableRows) -> Database:
    """The test's database with all models and prices in it."""
    await Prices(database).import_table(price_table)
    return database


async def rows_as_owner(
    database: Database, statement: LiteralString, parameters: tuple[object, ...] = ()
) -> list[DictRow]:
    """What a table holds, whatever row security shows: `database.call` sees no tenant's rows."""
    async with await psycopg.AsyncConnection.connect(
        database.url, autocommit=True, row_factory=dict_row
    ) as connection:
        cursor = await connection.execute(statement, parameters)
        return await cursor.fetchall()
