"""The private server's life, with real processes and real kills."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from aos.infra.errors import (
    BinariesMissing,
    DataFolderForeign,
    DiskFull,
    HomeInUse,
    PrivateServerFailed,
)
from aos.infra.postgres import HomeLock, PrivateServer
from aos.infra.postgres.binaries import PACKAGE, Account, Binaries, reaches, wheel_folder
from aos.infra.postgres.place import find_place, remove_place
from aos.infra.postgres.postmaster import postmaster

USER = """
import sys
from pathlib import Path
from aos.infra.postgres.server import PrivateServer
server = PrivateServer(Path(sys.argv[1]), fleeting=True)
print(server.start(), flush=True)
sys.stdin.readline()
server.stop()
print("left", flush=True)
"""


@pytest.fixture(scope="module")
def made_home() -> Iterator[Path]:
    """A home whose database is made; stopped."""
    home = Path(tempfile.mkdtemp(prefix="aos server "))  # A space, for the quoting.
    home.chmod(0o711)
    server = PrivateServer(home, fleeting=True)
    server.start()
    server.stop()
    yield home
    shutil.rmtree(home)


@pytest.fixture
def home(made_home: Path) -> Iterator[Path]:
    yield made_home
    assert pid_of(made_home) is None, "a test left a server behind"


def pid_of(home: Path) -> int | None:
    return postmaster(find_place(home).data)


def one(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT 1").fetchone()
        assert row is not None
        return int(row[0])


class User:
    """Another process that uses the home."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def url(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip() == "left"
        self.end()

    def kill(self) -> None:
        self.process.kill()
        self.end()

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def test_starts_answers_and_stops(home: Path) -> None:
    server = PrivateServer(home, fleeting=True)
    started = time.monotonic()
    url = server.start()
    seconds = time.monotonic() - started
    assert one(url) == 1
    assert server.alive()
    server.stop()
    assert not server.alive()
    assert seconds < 5
    server.stop()  # Leaving twice is leaving once.


def test_settings_keep_what_was_promised(home: Path) -> None:
    server = PrivateServer(home)
    with psycopg.connect(server.start()) as connection:

        def shown(name: str) -> str:
            row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
            assert row is not None
            return str(row[0])

        assert [shown("fsync"), shown("synchronous_commit"), shown("full_page_writes")] == [
            "on",
            "on",
            "on",
        ]
        assert shown("listen_addresses") == ""
        locale = connection.execute(
            "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'aos'"
        ).fetchone()
        assert locale == ("b", "C.UTF-8")
        row = connection.execute(
            "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == (False,)
    server.stop()


def test_nobody_enters_without_the_password(home: Path) -> None:
    server = PrivateServer(home, fleeting=True)
    url = server.start()
    password = (home / "postgres-password").read_text()
    assert (home / "postgres-password").stat().st_mode & 0o777 == 0o600
    place = find_place(home)
    assert place.socket_folder.stat().st_mode & 0o777 == 0o700
    assert place.data.stat().st_mode & 0o077 == 0
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url.replace(password, "wrong"))
    server.stop()


def test_the_last_user_out_stops_it(home: Path) -> None:
    first, second = User(home), User(home)
    url = first.url()
    assert second.url() == url
    first.leave()
    assert one(url) == 1
    second.leave()
    assert pid_of(home) is None


def test_two_starters_at_once_get_one_server(home: Path) -> None:
    servers = [PrivateServer(home, fleeting=True) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        urls = set(threads.map(PrivateServer.start, servers))
    assert len(urls) == 1
    assert one(urls.pop()) == 1
    for server in servers:
        assert server.alive()
        server.stop()
    assert not servers[0].alive()


def test_a_killed_owners_server_is_adopted_and_stopped(home: Path) -> None:
    owner = User(home)
    url = owner.url()
    left_behind = pid_of(home)
    owner.kill()
    assert one(url) == 1

    adopter = PrivateServer(home, fleeting=True)
    assert adopter.start() == url
    assert pid_of(home) == left_behind
    adopter.stop()
    assert pid_of(home) is None


def test_a_killed_user_does_not_keep_it_running(home: Path) -> None:
    killed, leaver = User(home), User(home)
    killed.url()
    leaver.url()
    killed.kill()
    leaver.leave()
    assert pid_of(home) is None


def test_a_killed_server_is_started_again_under_its_user(home: Path) -> None:
    server = PrivateServer(home, fleeting=True)
    url = server.start()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")
    pid = pid_of(home)
    assert pid is not None

    async def killed_under_watch() -> None:
        watch = asyncio.create_task(server.watch())
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while pid_of(home) in {None, pid}:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        await asyncio.to_thread(server.start)
        watch.cancel()

    asyncio.run(killed_under_watch())
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("SELECT n FROM kept").fetchall() == [(1,)]
        connection.execute("DROP TABLE kept")
    server.stop()


def test_a_stale_pid_file_that_names_a_strangers_process_is_no_obstacle(home: Path) -> None:
    """After a power cut or in a restarted container the id belongs to somebody else."""
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    data = find_place(home).data
    file = data / "postmaster.pid"
    file.write_text(f"{stranger.pid}\n{data}\n1700000000\n5432\n/nowhere\n\n  1 2\nready\n")
    sockets = find_place(home).socket_folder
    (sockets / ".s.PGSQL.5432.lock").write_text(f"{stranger.pid}\n{data}\n1700000000\n5432\n")
    server = PrivateServer(home, fleeting=True)
    assert one(server.start()) == 1
    server.stop()
    assert stranger.poll() is None
    stranger.communicate(b"\n")


def test_a_server_whose_socket_was_swept_away_is_replaced(home: Path) -> None:
    server = PrivateServer(home, fleeting=True)
    url = server.start()
    before = pid_of(home)
    (find_place(home).socket_folder / ".s.PGSQL.5432").unlink()
    assert server.start() == url
    assert one(url) == 1
    assert pid_of(home) != before
    server.stop()


def test_data_of_another_major_version_is_refused_and_left_alone(home: Path) -> None:
    version = find_place(home).data / "PG_VERSION"
    version.write_text("17\n")
    try:
        with pytest.raises(DataFolderForeign, match="aos backup"):
            PrivateServer(home, fleeting=True).start()
    finally:
        version.write_text("18\n")


def test_a_lost_password_file_is_named(home: Path) -> None:
    file = home / "postgres-password"
    right = file.read_text()
    file.write_text("another")
    server = PrivateServer(home, fleeting=True)
    try:
        with pytest.raises(DataFolderForeign, match="postgres-password"):
            server.start()
    finally:
        file.write_text(right)
    server.start()
    server.stop()


def test_the_servers_own_words_are_in_the_failure(home: Path) -> None:
    conf = find_place(home).data / "postgresql.conf"
    right = conf.read_text()
    conf.write_text("shared_buffers = plenty\n")
    try:
        with pytest.raises(PrivateServerFailed, match="shared_buffers"):
            PrivateServer(home, fleeting=True).start()
    finally:
        conf.write_text(right)


def test_the_log_stays_bounded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aos.infra.postgres.server.SERVER_LOG_BYTES_MAX", 10_000)
    log = find_place(home).log
    log.write_bytes(b"x" * 20_000)
    server = PrivateServer(home, fleeting=True)
    server.start()
    assert log.stat().st_size < 10_000
    assert log.with_name("log.old").stat().st_size == 1_000
    server.stop()


def test_no_room_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aos.infra.postgres.server.SERVER_DISK_FREE_BYTES_MIN", 1 << 60)
    home = tmp_path / "home"
    with pytest.raises(DiskFull, match="free"):
        PrivateServer(home, fleeting=True).start()
    assert not find_place(home).data.exists()
    remove_place(home)


def test_a_missing_wheel_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aos.infra.postgres.binaries.PACKAGE", "no_such_wheel")
    home = tmp_path / "home"
    with pytest.raises(BinariesMissing, match="DATABASE_URL"):
        PrivateServer(home, fleeting=True).start()
    remove_place(home)


def test_a_deep_home_gets_a_short_socket_path() -> None:
    outer = Path(tempfile.mkdtemp(prefix="aos-deep-"))
    outer.chmod(0o711)
    deep = outer / ("d" * 60) / ("e" * 60)
    server = PrivateServer(deep, fleeting=True)
    assert one(server.start()) == 1
    sockets = find_place(deep).socket_folder
    assert sockets.parent == Path("/tmp")
    assert sockets.stat().st_mode & 0o777 == 0o700
    server.stop()
    remove_place(deep)
    assert not sockets.exists()
    shutil.rmtree(outer)


def test_a_socket_folder_that_somebody_else_made_is_refused() -> None:
    outer = Path(tempfile.mkdtemp(prefix="aos-deep-"))
    outer.chmod(0o711)
    deep = outer / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    sockets = find_place(deep).socket_folder
    sockets.mkdir(mode=0o777)
    sockets.chmod(0o777)
    with pytest.raises(PrivateServerFailed, match="not a folder of ours"):
        PrivateServer(deep, fleeting=True).start()
    remove_place(deep)
    shutil.rmtree(outer)


def test_one_serve_a_home(tmp_path: Path) -> None:
    since = datetime(2026, 3, 1, 12, tzinfo=UTC)
    first = HomeLock(tmp_path).acquire(since)
    first.announce("http://127.0.0.1:8000")
    with pytest.raises(HomeInUse) as refused:
        HomeLock(tmp_path).acquire(since)
    for part in (str(os.getpid()), "http://127.0.0.1:8000", "2026-03-01T12:00:00+00:00"):
        assert part in refused.value.message
    first.release()
    HomeLock(tmp_path).acquire(since).release()


def test_reaching_a_folder_needs_every_step(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    stranger = Account(54321, 54321)
    for path in (inner, *inner.parents[:1]):
        path.chmod(0o755)
    reached_before = reaches(stranger, inner)
    (tmp_path / "a").chmod(0o700)
    assert not reaches(stranger, inner)
    (tmp_path / "a").chmod(0o755)
    assert reaches(stranger, inner) is reached_before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root serves as another account")
def test_root_keeps_data_where_the_account_can_reach_it(tmp_path: Path) -> None:
    """pytest's folders are 0700: the account cannot enter, so data goes to /var/lib/aos/<id>."""
    home = tmp_path / "closed" / "home"
    (tmp_path / "closed").mkdir(mode=0o700)
    server = PrivateServer(home, fleeting=True)
    assert one(server.start()) == 1
    place = find_place(home)
    assert place.folder.parent == Path("/var/lib/aos")
    assert (home / "postgres-id").read_text() == place.folder.name
    assert place.folder.stat().st_uid != 0
    assert (tmp_path / "closed").stat().st_mode & 0o777 == 0o700
    server.stop()

    place.folder.rename(place.folder.with_suffix(".away"))
    with pytest.raises(DataFolderForeign, match="gone"):
        server.start()
    place.folder.with_suffix(".away").rename(place.folder)
    remove_place(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root serves as another account")
def test_root_copies_the_binaries_where_the_account_can_run_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Path(tempfile.mkdtemp(prefix="aos-shared-"))
    shared.chmod(0o755)
    monkeypatch.setattr("aos.infra.postgres.binaries.SHARED_PLACE", shared)
    monkeypatch.setattr("aos.infra.postgres.binaries._all_readable", lambda *_: False)
    account = Account(54321, 54321)
    done = Binaries(account).run("postgres", "--version")
    assert done.stdout.startswith("postgres (PostgreSQL) 18")
    assert [path.name for path in shared.iterdir()] == ["binaries-0.6.0"]
    shutil.rmtree(shared)


def test_an_ordinary_user_serves_their_own_home() -> None:
    """The path most people take; under root it is tried in a process that gives root up."""
    if os.geteuid() != 0:
        pytest.skip("every other test is this one")
    outer = Path(tempfile.mkdtemp(prefix="aos-user-"))
    outer.chmod(0o777)
    # The checkout may stand where that user cannot look: the programs are put where it can.
    wheel = wheel_folder()
    shutil.copytree(wheel, outer / "site" / PACKAGE / wheel.name, symlinks=True)
    (outer / "site" / PACKAGE / "__init__.py").touch()
    libraries = wheel.parents[1] / f"{PACKAGE}.libs"
    if libraries.exists():
        shutil.copytree(libraries, outer / "site" / libraries.name)
    gives_up_root = (
        f"sys.path.insert(0, {str(outer / 'site')!r})\n"
        "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)\nserver ="
    )
    program = USER.replace("sys.stdin.readline()", "").replace("server =", gives_up_root, 1)
    done = subprocess.run(
        [sys.executable, "-c", program, str(outer / "home")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["left"], done.stderr
    assert (outer / "home" / "postgres").stat().st_uid == 65534

    # Root may help out, and leaves nothing behind that locks the owner out.
    server = PrivateServer(outer / "home", fleeting=True)
    assert one(server.start()) == 1
    server.stop()
    owners = {path.stat().st_uid for path in (outer / "home").rglob("*")}
    assert owners == {65534}
    shutil.rmtree(outer)
