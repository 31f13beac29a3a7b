"""Whether a data folder's server lives, told from its `postmaster.pid` and the process table.

Process ids are used again after a restart, so an id alone proves nothing.
"""

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

from aos.infra.postgres.place import SOCKET_NAME

PROCESSES: Final = Path("/proc")
_STATUS_LINE: Final = 7
"""Of postmaster.pid, from 0: starting, ready, stopping."""


def postmaster(data: Path) -> int | None:
    """The process id of this data folder's server, if one lives."""
    lines = _lines(data)
    pid = int(lines[0]) if lines and lines[0].isdigit() else None
    return pid if pid is not None and _lives(pid) and _serves(pid, data) else None


def listens(data: Path, sockets: Path) -> bool:
    """Whether a running server answers where we look: a cleaner may have emptied its folder."""
    lines = _lines(data)
    starting = len(lines) <= _STATUS_LINE or lines[_STATUS_LINE].strip() == "starting"
    return starting or (sockets / SOCKET_NAME).exists()


def clear_stale_locks(data: Path, sockets: Path) -> None:
    """Remove what a dead server left, for it can keep the next from starting: after a power cut its
    process id is somebody else's, and where nobody collects dead processes (a container without
    an init) it stays taken. Only when no server lives; its memory is still checked by PostgreSQL.
    """
    if postmaster(data) is None:
        for stale in (data / "postmaster.pid", sockets / f"{SOCKET_NAME}.lock"):
            stale.unlink(missing_ok=True)


def _lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _lives(pid: int) -> bool:
    with suppress(ChildProcessError):
        # As process 1 of a container we inherit orphans, and the dead ones wait for us.
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _serves(pid: int, data: Path) -> bool:
    """Whether that process is a PostgreSQL over that folder."""
    if (PROCESSES / "self").exists():
        try:
            shown = (PROCESSES / str(pid) / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return False
        except PermissionError:
            return True  # Not to be seen, so not to be ruled out.
        command = shown.replace(b"\0", b" ").decode(errors="surrogateescape")
    else:  # macOS, whose `ps` shows every process's command line.
        arguments = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
        command = subprocess.run(arguments, capture_output=True, text=True, check=False).stdout
    return "postgres" in command and str(data) in command
