"""Where the private server keeps its things, and which account owns them.

An ordinary user: everything in AOS_HOME. Root: a system account of its own, in AOS_HOME where it
can reach that folder, else in `/var/lib/aos/<id>` with the id kept in AOS_HOME. Nothing outside
these folders is created or changed, with one exception: a socket folder in /tmp where the path of
a deep AOS_HOME is too long for a Unix socket.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aos.infra.errors import DataFolderForeign, HomeUnusable, PrivateServerFailed
from aos.infra.postgres.binaries import SHARED_PLACE, Account, reaches

SYSTEM_USER: Final = "aos-postgres"
SOCKET_PATH_BYTES_MAX: Final = 103
"""What fits in sockaddr_un on macOS; Linux has four more."""

SOCKET_NAME: Final = ".s.PGSQL.5432"


@dataclass(frozen=True, slots=True)
class Place:
    """`account` is None where the server runs as ourselves."""

    home: Path
    folder: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def socket_folder(self) -> Path:
        near = self.folder / "socket"
        if len(os.fsencode(near / SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX:
            return near
        name = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path("/tmp") / f"aos-{name}"  # noqa: S108 - its owner and mode are checked below

    def make_socket_folder(self) -> Path:
        """0700, the account's. Raises PrivateServerFailed where somebody else was there first."""
        folder = self.socket_folder
        self.make_private(folder)
        found = folder.lstat()
        uid = self.account.uid if self.account else os.geteuid()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
            raise PrivateServerFailed(f"{folder} is not a folder of ours alone: remove it")
        return folder

    def make_private(self, folder: Path) -> None:
        """A folder that only the account enters."""
        if not os.path.lexists(folder):
            folder.mkdir(mode=0o700)
            self.own(folder)

    def own(self, path: Path) -> None:
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)

    def password(self) -> str:
        """Made once. It appears by one rename, so that a crash leaves none rather than half."""
        file = self.home / "postgres-password"
        if not file.exists():
            write_private(file, secrets.token_urlsafe(24))
        return file.read_text()


def make_home(home: Path) -> None:
    """Under root, others may pass through (not list) a home that we make, so that the database's
    own account can live in it; what is secret inside is 0600. Raises HomeUnusable.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        why = (error.strerror or "it cannot be made").lower()
        raise HomeUnusable(f"AOS_HOME: {home} cannot be a folder of ours: {why}") from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise HomeUnusable(f"AOS_HOME: {home} cannot be written to by this account")


def find_place(home: Path) -> Place:
    """Where this home's server lives, or will. Raises DataFolderForeign."""
    make_home(home)
    near = home / "postgres"
    marker = home / "postgres-id"
    if marker.exists():
        return _far_place(home, marker)
    if near.exists():
        return _near_place(home, near)
    if os.geteuid() != 0:
        near.mkdir(mode=0o700)
        return Place(home, near, None)
    account = _system_account()
    if reaches(account, home):
        near.mkdir(mode=0o700)
        os.chown(near, account.uid, account.gid)
        return Place(home, near, account)
    far = SHARED_PLACE / secrets.token_hex(8)
    far.mkdir(parents=True, mode=0o700)
    os.chown(far, account.uid, account.gid)
    write_private(marker, far.name)
    return Place(home, far, account)


def write_private(file: Path, text: str) -> None:
    """A file of mode 0600 that appears whole. Under root it belongs to its folder's owner."""
    new = file.with_name(f"{file.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as writer:
        if os.geteuid() == 0:
            owner = file.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        writer.write(text)
        writer.flush()
        os.fsync(descriptor)
    new.replace(file)


def remove_place(home: Path) -> None:
    """Everything of a stopped server, data too. For tests and `aos restore`'s rollback."""
    place = find_place(home)
    shutil.rmtree(place.socket_folder, ignore_errors=True)
    shutil.rmtree(place.folder)
    (home / "postgres-id").unlink(missing_ok=True)


def _near_place(home: Path, near: Path) -> Place:
    """Data under AOS_HOME belongs to whoever made it; root serves it as that account."""
    owner = near.stat()
    if owner.st_uid == os.geteuid():
        return Place(home, near, None)
    if os.geteuid() != 0:
        raise DataFolderForeign(
            f"{near} belongs to user id {owner.st_uid}: run as that user, or set AOS_HOME to a"
            " folder of your own"
        )
    return Place(home, near, Account(owner.st_uid, owner.st_gid))


def _far_place(home: Path, marker: Path) -> Place:
    if os.geteuid() != 0:
        raise DataFolderForeign(
            f"{home} was made by root, whose database lives in {SHARED_PLACE}: run as root, or set"
            " AOS_HOME to a folder of your own"
        )
    far = SHARED_PLACE / marker.read_text().strip()
    if not far.exists():
        raise DataFolderForeign(
            f"the database of {home} was kept in {far}, which is gone. Bring it back, or restore a"
            f" backup: remove {marker} and run `aos restore <file>`"
        )
    owner = far.stat()
    return Place(home, far, Account(owner.st_uid, owner.st_gid))


def _system_account() -> Account:
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        entry = _make_system_account()
    return Account(entry.pw_uid, entry.pw_gid)


def _make_system_account() -> pwd.struct_passwd:
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        raise PrivateServerFailed(
            "PostgreSQL does not run as root, and this system has no `useradd` to make an account"
            " for it: run as an ordinary user, or set DATABASE_URL"
        )
    done = subprocess.run(
        [
            program,
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/usr/sbin/nologin",
            SYSTEM_USER,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        # Another starter may have made it at the same moment: only its absence is a failure.
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        raise PrivateServerFailed(
            f"cannot make the account {SYSTEM_USER}: {done.stderr.strip()}"
        ) from None
