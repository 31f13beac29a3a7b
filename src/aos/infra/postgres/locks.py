"""Locks on files. The kernel drops them when their holder dies, however it dies.

Who uses what: `FileLock` guards the start of the private server and counts its users; `HomeLock`
says which `aos serve` holds an AOS_HOME.
"""

import fcntl
import json
import os
import time
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from aos.infra.errors import HomeInUse
from aos.infra.postgres.place import make_home

_POLL_SECONDS: Final = 0.02
_HOLDER_BYTES_MAX: Final = 4096


class FileLock:
    """One `flock` of one open file: two of them on one path exclude each other in one process too.

    Under root a file that it creates is given to the folder's owner, so that `sudo aos …` once
    does not lock the owner out of their own home.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    @property
    def held(self) -> bool:
        return self._file is not None

    def share(self) -> None:
        """Become one of the holders; waits while somebody holds it alone."""
        self._open()
        assert self._file is not None
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def take(self, *, seconds_max: float = 0.0) -> bool:
        """Hold it alone. False when others still held it after `seconds_max`.

        A share that is held is given up by trying, whatever the answer.
        """
        self._open()
        assert self._file is not None
        deadline = time.monotonic() + seconds_max
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    self.release()
                    return False
                time.sleep(_POLL_SECONDS)
            else:
                return True

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def read(self) -> bytes:
        """What the last holder wrote; empty when there is nothing to read."""
        return self.path.read_bytes()[:_HOLDER_BYTES_MAX] if self.path.exists() else b""

    def write(self, content: bytes) -> None:
        """Tell the others something; only its holder may."""
        assert self._file is not None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, content, 0)

    def _open(self) -> None:
        if self._file is not None:
            return
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.geteuid() == 0:
            owner = self.path.parent.stat()
            os.fchown(self._file, owner.st_uid, owner.st_gid)


class HomeLock:
    """One `aos serve` for each AOS_HOME with a private server."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock = FileLock(home / "serve.lock")
        self._since: datetime | None = None

    def acquire(self, now: datetime) -> Self:
        """Raises HomeInUse, saying who holds it, where and since when."""
        make_home(self._home)
        if not self._lock.take():
            holder = _parsed(self._lock.read())
            where = f" at {holder['address']}" if holder.get("address") else ""
            raise HomeInUse(
                f"{self._home} is in use by process {holder.get('pid', 'unknown')}{where} since"
                f" {holder.get('since', 'a moment ago')}. Stop it first, or set AOS_HOME to"
                " another folder.",
                home=str(self._home),
                holder=holder,
            )
        self._since = now
        self.announce("")
        return self

    def announce(self, address: str) -> None:
        """Where this process answers, for whoever finds the home taken."""
        assert self._since is not None
        holder = {
            "pid": os.getpid(),
            "address": address,
            "since": self._since.isoformat(timespec="seconds"),
        }
        self._lock.write(json.dumps(holder).encode())

    def release(self) -> None:
        if self._lock.held:
            self._lock.write(b"")
            self._lock.release()


def _parsed(content: bytes) -> dict[str, str]:
    """The holder's own words; nothing where it has not written them yet."""
    try:
        holder = json.loads(content)
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in holder.items()} if isinstance(holder, dict) else {}
