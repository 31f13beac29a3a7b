"""Both ways to migrate make the same database; partitions keep their tenants apart."""

import itertools
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import psycopg
import pytest

from aos.infra.errors import DatabaseUnavailable, MigrationFailed, SchemaNewer
from aos.infra.postgres import Database
from aos.infra.postgres.binaries import Binaries
from aos.infra.postgres.migrate import (
    current_revision,
    migrate,
    migration_sql,
    newest_revision,
    revisions,
)

_numbers = itertools.count(1)


@pytest.fixture
def empty_url(postgres_url: str) -> Iterator[str]:
    """URL of a database with nothing in it."""
    name = f"empty_{next(_numbers)}"
    with psycopg.connect(
        postgres_url.replace("/aos?", "/postgres?"), autocommit=True
    ) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgres_url.replace("/aos?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def schema(url: str) -> str:
    """The whole schema as SQL, without what differs from one dump to the next."""
    done = Binaries().run("pg_dump", "--schema-only", "--no-comments", f"--dbname={url}")
    assert done.returncode == 0, done.stdout
    return re.sub(r"(?m)^(--|\\(un)?restrict).*\n", "", done.stdout)


def run_script(url: str, file: Path) -> str:
    done = Binaries().run(
        "psql",
        "--no-psqlrc",
        "--quiet",
        "--set=ON_ERROR_STOP=1",
        f"--file={file}",
        f"--dbname={url}",
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_script_makes_what_the_program_makes(
    empty_url: str, postgres_url: str, tmp_path: Path
) -> None:
    script = tmp_path / "aos.sql"
    script.write_text(migration_sql())
    run_script(empty_url, script)
    assert current_revision(empty_url) == newest_revision()
    assert not migrate(empty_url)
    assert schema(empty_url) == schema(postgres_url)


def test_migrators_at_once_migrate_once(empty_url: str) -> None:
    with ProcessPoolExecutor(3, get_context("spawn")) as processes:
        assert any(processes.map(migrate, [empty_url] * 3))
    assert current_revision(empty_url) == newest_revision()


def test_every_revision_follows_the_one_before(empty_url: str) -> None:
    assert current_revision(empty_url) is None
    assert migrate(empty_url)
    assert not migrate(empty_url)
    numbers = [int(name[:4]) for name in revisions()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_newer_database_is_left_alone(empty_url: str) -> None:
    migrate(empty_url)
    with psycopg.connect(empty_url) as connection:
        connection.execute("UPDATE aos.schema_version SET version_num = '9999_future'")
    with pytest.raises(SchemaNewer, match="9999_future"):
        migrate(empty_url)


def test_a_failed_migration_leaves_nothing_behind(empty_url: str) -> None:
    with psycopg.connect(empty_url) as connection:
        connection.execute("CREATE SCHEMA aos")
        connection.execute("CREATE TABLE aos.processes (n int)")
    with pytest.raises(MigrationFailed, match="processes"):
        migrate(empty_url)
    assert current_revision(empty_url) is None


def test_no_database_is_named() -> None:
    with pytest.raises(DatabaseUnavailable):
        current_revision("postgresql://nobody@/nothing?host=/nonexistent")


def test_a_role_without_grants_is_told_what_to_ask_for(empty_url: str) -> None:
    """The cluster's roles were made by another login: only it can pass them on."""
    with psycopg.connect(empty_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute("DROP ROLE IF EXISTS stranger")
        connection.execute("CREATE ROLE stranger LOGIN CREATEROLE PASSWORD 'x'")
        connection.execute(f"GRANT CREATE ON DATABASE {name} TO stranger")
        try:
            stranger = re.sub(r"//aos:[^@]*@", "//stranger:x@", empty_url)
            with pytest.raises(MigrationFailed, match="aos_owner"):
                migrate(stranger)
        finally:
            connection.execute(f"REVOKE ALL ON DATABASE {name} FROM stranger")
            connection.execute("DROP ROLE stranger")


async def test_partitions_are_made_ahead_once_and_reached_through_their_parent_only(
    database: Database, database_url: str
) -> None:
    rows = await database.call("SELECT aos.ensure_every_partition(3) AS made", ())
    assert rows == [{"made": 0}]
    rows = await database.call("SELECT aos.ensure_partitions('calls', 5) AS made", ())
    assert rows == [{"made": 2}]
    async with await psycopg.AsyncConnection.connect(database_url) as owner:
        cursor = await owner.execute(
            "SELECT relid::regclass::text, relrowsecurity, has_table_privilege('aos_app', relid,"
            " 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')"
            " FROM pg_partition_tree('aos.calls') JOIN pg_class ON pg_class.oid = relid"
            " WHERE isleaf ORDER BY 1"
        )
        parts = await cursor.fetchall()
    assert len(parts) == 7
    assert parts[-1][0] == "aos.calls_default"
    assert all(re.fullmatch(r"aos\.calls_(\d{4}_\d\d|default)", name) for name, _, _ in parts)
    assert {(secured, open_) for _, secured, open_ in parts} == {(True, False)}


async def test_rows_that_the_default_took_do_not_stop_the_next_months(
    database: Database, database_url: str
) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as owner:
        await owner.execute("SET ROLE aos_owner")
        await owner.execute(
            "CREATE TABLE aos.diary (at timestamptz NOT NULL) PARTITION BY RANGE (at)"
        )
        await owner.execute("SELECT aos.ensure_partitions('diary', 0)")
        await owner.execute("INSERT INTO aos.diary VALUES (now() + interval '32 days')")
    rows = await database.call("SELECT aos.ensure_partitions('diary', 3) AS made", ())
    assert rows[0]["made"] == 2
    with pytest.raises(psycopg.errors.RaiseException, match="not a partitioned"):
        await database.call("SELECT aos.ensure_partitions('tenants', 3) AS made", ())
