"""The private PostgreSQL of an AOS_HOME: made, started, shared, adopted, stopped.

Every process that uses the home calls `start` and `stop`. The first starts the server, the others
find it running; a server left by `kill -9` is found running too. Each user holds a share of a file
lock, which the kernel drops when the process dies; whoever leaves and is alone stops the server.
"""

import asyncio
import os
import shlex
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, LiteralString, NoReturn
from urllib.parse import quote

import psycopg
from psycopg import sql

from aos.infra.errors import DataFolderForeign, DiskFull, PrivateServerFailed
from aos.infra.limits import (
    SERVER_CHECK_SECONDS,
    SERVER_DISK_FREE_BYTES_MIN,
    SERVER_LOG_BYTES_MAX,
    SERVER_ORPHANS_SECONDS_MAX,
    SERVER_START_SECONDS_MAX,
    SERVER_STOP_SECONDS_MAX,
)
from aos.infra.postgres.binaries import MAJOR, Binaries
from aos.infra.postgres.locks import FileLock
from aos.infra.postgres.place import Place, find_place, make_home
from aos.infra.postgres.postmaster import clear_stale_locks, listens, postmaster

SUPERUSER: Final = "postgres"
LOGIN_ROLE: Final = "aos"
DATABASE: Final = "aos"

SETTINGS: Final[dict[str, str]] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "120",
    # What was promised is on disk.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # One machine, no replica: the log is for recovery only, and kept in few large pieces.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "wal_compression": "on",
    "wal_buffers": "16MB",
    "min_wal_size": "256MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    # A laptop and two cores: short statements, and nothing that starts a second process for one.
    "shared_buffers": "128MB",
    "work_mem": "8MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "io_method": "sync",
    # Accounts and holds are updated all the time: small and frequent cleaning keeps them short.
    "autovacuum_naptime": "20s",
    "autovacuum_vacuum_cost_delay": "1ms",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

FLEETING: Final[dict[str, str]] = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    "autovacuum_naptime": "1min",
}
"""For tests only: a power cut loses the data."""


class PrivateServer:
    """`fleeting` trades durability for speed: for tests only."""

    def __init__(self, home: Path, *, fleeting: bool = False) -> None:
        self._home = home
        self._fleeting = fleeting
        self._users = FileLock(home / "postgres-users.lock")
        self._turn = FileLock(home / "postgres-start.lock")
        self._threads = threading.Lock()

    def start(self) -> str:
        """Become a user of the server, started if need be; the URL of its database.

        Raises PrivateServerFailed or one of its kinds: BinariesMissing, DataFolderForeign,
        DiskFull. Waits for a recovery, and for another starter, up to SERVER_START_SECONDS_MAX.
        """
        make_home(self._home)
        with self._alone(SERVER_START_SECONDS_MAX) as alone:
            if not alone:
                raise PrivateServerFailed(
                    f"another process has been starting the database of {self._home} for"
                    f" {SERVER_START_SECONDS_MAX} s; see the log beside its data"
                )
            joined = not self._users.held
            self._users.share()
            try:
                return self._run()
            except BaseException:
                if joined:
                    self._users.release()
                raise

    def stop(self) -> None:
        """Cease to be a user. The last one out stops the server."""
        if not self._users.held:
            return
        with self._alone(SERVER_STOP_SECONDS_MAX) as alone:
            if alone and self._users.take():
                self._halt(find_place(self._home))
            # Else somebody else uses it or is starting it, and will be the last one out.
            self._users.release()

    def alive(self) -> bool:
        """Whether the server's process lives. No connection is made."""
        return postmaster(find_place(self._home).data) is not None

    async def watch(self) -> NoReturn:
        """Start the server again whenever it dies under us. Runs until it is cancelled."""
        while True:
            await asyncio.sleep(SERVER_CHECK_SECONDS)
            if not self.alive():
                with suppress(PrivateServerFailed):  # The next round tries again.
                    await asyncio.to_thread(self.start)

    def trim_log(self) -> None:
        """Keep the log below its bound; the server goes on writing at the new end."""
        log = find_place(self._home).log
        if log.exists() and log.stat().st_size > SERVER_LOG_BYTES_MAX:
            with log.open("rb") as reader:
                reader.seek(-SERVER_LOG_BYTES_MAX // 10, os.SEEK_END)
                kept = reader.read()
            log.with_name("log.old").write_bytes(kept)
            os.truncate(log, 0)

    @contextmanager
    def _alone(self, seconds_max: float) -> Iterator[bool]:
        """The one process, and the one thread of it, that starts or stops the server now."""
        with self._threads:
            alone = self._turn.take(seconds_max=seconds_max)
            try:
                yield alone
            finally:
                self._turn.release()

    def _run(self) -> str:
        place = find_place(self._home)
        binaries = Binaries(place.account)
        if not (place.data / "PG_VERSION").exists():
            self._make_cluster(place, binaries)
        major = (place.data / "PG_VERSION").read_text().strip()
        if major != str(MAJOR):
            raise DataFolderForeign(
                f"{place.data} was made by PostgreSQL {major}, this is {MAJOR}. Nothing was"
                " touched. With the AOS version that made it: `aos backup`; then move that folder"
                " away and `aos restore` here"
            )
        self.trim_log()
        sockets = place.make_socket_folder()
        while True:
            adopted = postmaster(place.data) is not None
            if adopted and not listens(place.data, sockets):
                self._halt(place)
                adopted = False
            if not adopted:
                self._launch(place, binaries, sockets)
            if url := _connected(place, sockets):
                return url
            # It died while we looked. One that was being stopped is started anew; one that we
            # have just started ourselves is not worth another try.
            if not adopted:
                raise PrivateServerFailed(f"PostgreSQL died at its start; its log is {place.log}")

    def _make_cluster(self, place: Place, binaries: Binaries) -> None:
        """Made beside and renamed, so that a crash half way leaves no half cluster behind."""
        free = shutil.disk_usage(place.folder).free
        if free < SERVER_DISK_FREE_BYTES_MIN:
            raise DiskFull(
                f"{place.folder} has {free >> 20} MB free, a database needs at least"
                f" {SERVER_DISK_FREE_BYTES_MIN >> 20} MB"
            )
        new = place.folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        secret = place.folder / "initial-password"
        secret.unlink(missing_ok=True)
        secret.touch(mode=0o600)
        place.own(secret)
        secret.write_text(place.password())
        done = binaries.run(
            "initdb",
            f"--pgdata={new}",
            f"--username={SUPERUSER}",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
            "--encoding=UTF8",
            "--no-instructions",
            *(["--no-sync"] if self._fleeting else []),
        )
        secret.unlink()
        if done.returncode:
            raise _failure("initdb failed", done.stdout)
        new.rename(place.data)

    def _launch(self, place: Place, binaries: Binaries, sockets: Path) -> None:
        clear_stale_locks(place.data, sockets)
        settings = SETTINGS | (FLEETING if self._fleeting else {})
        settings["unix_socket_directories"] = f'"{sockets}"'
        options = " ".join(f"-c {shlex.quote(f'{name}={settings[name]}')}" for name in settings)
        orphans_until = time.monotonic() + SERVER_ORPHANS_SECONDS_MAX
        while True:
            logged = place.log.stat().st_size if place.log.exists() else 0
            done = binaries.run(
                "pg_ctl",
                "start",
                f"--pgdata={place.data}",
                f"--log={place.log}",
                f"--timeout={SERVER_START_SECONDS_MAX}",
                "--wait",
                f"--options={options}",
                detach=True,
            )
            if done.returncode == 0:
                return
            said = _read_from(place.log, logged)
            # Backends of a killed server notice within moments; until then they hold its memory.
            if "pre-existing shared memory" not in said or time.monotonic() > orphans_until:
                raise _failure(f"PostgreSQL did not start; its log is {place.log}", said)
            time.sleep(0.1)

    def _halt(self, place: Place) -> None:
        """Disconnect everybody and write everything out; the hard way only when that hangs."""
        binaries = Binaries(place.account)
        for mode in ("fast", "immediate"):
            binaries.run(
                "pg_ctl",
                "stop",
                f"--pgdata={place.data}",
                f"--mode={mode}",
                f"--timeout={SERVER_STOP_SECONDS_MAX}",
                "--wait",
                detach=True,
            )
            if postmaster(place.data) is None:
                return
        raise PrivateServerFailed(f"PostgreSQL did not stop; its log is {place.log}")


def _connected(place: Place, sockets: Path) -> str | None:
    """The URL, once a connection stands; None when the server dies instead.

    A server in recovery is waited for.
    """
    deadline = time.monotonic() + SERVER_START_SECONDS_MAX
    url = _url(LOGIN_ROLE, place.password(), sockets, DATABASE)
    furnished = False
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if postmaster(place.data) is None:
                return None
            if time.monotonic() > deadline:
                raise _failure(
                    f"PostgreSQL does not answer; its log is {place.log}", str(error)
                ) from error
            if not furnished and "starting up" not in str(error):
                furnished = _furnished(place, sockets)
            time.sleep(0.02)
        else:
            return url


def _furnished(place: Place, sockets: Path) -> bool:
    """Make what a fresh cluster lacks: our login role, which is no superuser, and its database.

    Row security and grants bind a role that is not a superuser, on a laptop as on a hosted
    PostgreSQL. False when the server does not take connections yet.
    """
    url = _url(SUPERUSER, place.password(), sockets, "postgres")
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise DataFolderForeign(
                f"{place.home / 'postgres-password'} is not the password of the database in"
                f" {place.data}: bring the right file back"
            ) from error
        return False
    with connection:
        role, name = sql.Identifier(LOGIN_ROLE), sql.Identifier(DATABASE)
        if not _exists(connection, "SELECT FROM pg_roles WHERE rolname = %s", LOGIN_ROLE):
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE").format(role))
        secret = sql.Literal(place.password())
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, secret))
        # The role is called as the schema is: without this, names that forgot their schema would
        # work here and fail on every hosted database.
        connection.execute(sql.SQL("ALTER ROLE {} SET search_path = public").format(role))
        if not _exists(connection, "SELECT FROM pg_database WHERE datname = %s", DATABASE):
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, role))
    return True


def _exists(connection: psycopg.Connection, query: LiteralString, name: str) -> bool:
    return connection.execute(query, (name,)).fetchone() is not None


def _url(role: str, password: str, sockets: Path, database: str) -> str:
    return f"postgresql://{role}:{quote(password)}@/{database}?host={quote(str(sockets), safe='')}"


def _read_from(log: Path, position: int) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as reader:
        reader.seek(position)
        return reader.read(64 * 1024).decode(errors="replace")


def _failure(what: str, said: str) -> PrivateServerFailed:
    if "No space left on device" in said:
        return DiskFull(f"{what}: no space left on the disk")
    lines = [line for line in said.splitlines() if line.strip()]
    return PrivateServerFailed(f"{what}: {' / '.join(lines[-3:]) or 'it said nothing'}")
