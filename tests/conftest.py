"""Real PostgreSQL for every test that asks for it.

One private server a session, one database a test.
"""

import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

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


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """URL of a fresh migrated database of this test's own."""
    name = f"test_{next(_numbers)}"
    admin = postgres_url.replace("/aos?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE aos STRATEGY FILE_COPY")
        yield postgres_url.replace("/aos?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database(database_url).open()
    yield database
    await database.close()
