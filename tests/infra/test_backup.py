"""What is backed up comes back as it was; a restore that fails changes nothing."""

import itertools
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from tests.infra.test_migrate import schema

from aos.infra.errors import (
    BackupFailed,
    DatabaseInUse,
    DatabaseNotEmpty,
    DatabaseUnavailable,
    InvalidBackup,
    SchemaNewer,
)
from aos.infra.postgres import Database
from aos.infra.postgres.backup import backup, restore
from aos.infra.postgres.migrate import migrate, newest_revision
from aos.infra.postgres.tunnel import connection_for_programs

_numbers = itertools.count(1)


@pytest.fixture
def other_url(postgres_url: str) -> Iterator[str]:
    """URL of a second, empty database."""
    name = f"other_{next(_numbers)}"
    with psycopg.connect(
        postgres_url.replace("/aos?", "/postgres?"), autocommit=True
    ) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgres_url.replace("/aos?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def fill(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO aos.changes VALUES ('keys', 41), ('prices', 7)")


def topics(url: str) -> list[tuple[str, int]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT topic, version FROM aos.changes ORDER BY 1").fetchall()


def schemas(url: str) -> list[tuple[str]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'aos%'"
        ).fetchall()


async def test_a_backup_restored_elsewhere_is_the_same_database(
    database_url: str, other_url: str, tmp_path: Path
) -> None:
    fill(database_url)
    database = await Database(database_url).open()  # A backup needs nobody to leave.
    file = tmp_path / "aos.backup"
    made = backup(database_url, file)
    await database.close()
    assert made.revision == newest_revision()
    assert made.bytes == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["aos.backup"]  # noqa: PTH208 - a look at two names

    restored = restore(other_url, file)
    assert restored.revision == newest_revision()
    assert restored.tables == made.tables > 10
    assert restored.rows >= 2
    assert topics(other_url) == [("keys", 41), ("prices", 7)]
    assert schema(other_url) == schema(database_url)
    assert not migrate(other_url)
    with psycopg.connect(other_url) as connection:
        connection.execute("SET ROLE aos_owner")
        connection.execute("CREATE FUNCTION aos.later() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        closed = connection.execute(
            "SELECT has_function_privilege('public', 'aos.later()', 'EXECUTE')"
        ).fetchone()
        assert closed == (False,)


def test_what_is_there_is_replaced_only_when_told(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "aos.backup"
    backup(database_url, file)
    fill(database_url)
    with pytest.raises(DatabaseNotEmpty, match="replace"):
        restore(database_url, file)
    assert len(topics(database_url)) == 2
    restore(database_url, file, replace=True)
    assert topics(database_url) == []
    assert schemas(database_url) == [("aos",)]


def test_a_failed_restore_brings_back_what_was_there(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "aos.backup"
    backup(database_url, file)
    fill(database_url)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises((BackupFailed, InvalidBackup)):
        restore(database_url, file, replace=True)
    assert topics(database_url) == [("keys", 41), ("prices", 7)]

    file.write_bytes(whole)
    monkeypatch.setattr("aos.infra.postgres.backup.revisions", lambda: ["0001_house"])
    with pytest.raises(SchemaNewer):
        restore(database_url, file, replace=True)
    assert topics(database_url) == [("keys", 41), ("prices", 7)]
    assert schemas(database_url) == [("aos",)]


async def test_a_database_in_use_is_not_restored_over(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "aos.backup"
    backup(database_url, file)
    database = await Database(database_url).open()
    with pytest.raises(DatabaseInUse, match="stop it"):
        restore(database_url, file, replace=True)
    await database.close()


def test_what_is_no_backup_is_named(database_url: str, other_url: str, tmp_path: Path) -> None:
    file = tmp_path / "x"
    for content in (b"", b"PGDMP nonsense", b"SELECT 1;"):
        file.write_bytes(content)
        with pytest.raises(InvalidBackup):
            restore(database_url, file)
    with pytest.raises(InvalidBackup):
        restore(database_url, tmp_path / "missing")
    with pytest.raises(BackupFailed, match="nothing to back up"):
        backup(other_url, file)
    with pytest.raises(BackupFailed, match="cannot write"):
        backup(database_url, tmp_path / "no" / "such" / "folder")


# A hosted database: TCP, TLS only.


@contextmanager
def hosted(database_url: str, folder: Path) -> Iterator[str]:
    """A front that takes only TLS, like a hosted PostgreSQL, before the test's own server."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    given = conninfo_to_dict(database_url)
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def serve() -> None:
        while True:
            try:
                outer, _ = listener.accept()
            except OSError:
                return
            if outer.recv(8) != b"\x00\x00\x00\x08\x04\xd2\x16\x2f":
                outer.close()
                continue
            outer.sendall(b"S")
            try:
                secured = context.wrap_socket(outer, server_side=True)
            except OSError:
                outer.close()
                continue
            inner = socket.socket(socket.AF_UNIX)
            inner.connect(f"{given['host']}/.s.PGSQL.5432")
            for ends in ((secured, inner), (inner, secured)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    port = listener.getsockname()[1]
    yield (
        f"postgresql://{given['user']}:{given['password']}@localhost:{port}/{given['dbname']}"
        f"?sslmode=verify-full&sslrootcert={certificate}&channel_binding=disable"
    )
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    serving.join()


def test_a_hosted_database_is_backed_up_and_restored_over_tls(
    database_url: str, other_url: str, tmp_path: Path
) -> None:
    fill(database_url)
    file = tmp_path / "aos.backup"
    with hosted(database_url, tmp_path) as url:
        assert backup(url, file).tables > 10
        wrong = url.replace("@localhost", "@127.0.0.1")
        with (
            pytest.raises(DatabaseUnavailable, match="certificate"),
            connection_for_programs(wrong),
        ):
            pass
    with hosted(other_url, tmp_path) as url:
        restore(url, file)
    assert topics(other_url) == [("keys", 41), ("prices", 7)]


def test_no_password_stands_in_a_command_line(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = str(conninfo_to_dict(database_url)["password"])
    seen: list[list[str]] = []
    run = subprocess.run

    def watched(command: list[str], **settings: object) -> object:
        seen.append(command)
        return run(command, **settings)  # type: ignore[call-overload]

    monkeypatch.setattr("aos.infra.postgres.binaries.subprocess.run", watched)
    backup(database_url, tmp_path / "aos.backup")
    assert any("pg_dump" in command[0] for command in seen)
    assert not [part for command in seen for part in command if password in part]
