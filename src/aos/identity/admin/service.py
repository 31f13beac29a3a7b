"""The admin key of tenant `default`: from AOS_API_KEY, or made and kept in AOS_HOME."""

import os
import secrets
from pathlib import Path
from typing import Final

from aos.identity.admin.store import Seeding, seed_admin_key
from aos.identity.errors import AdminKeyRefused
from aos.identity.keys.store import insert_key
from aos.identity.limits import CONFIGURED_KEY_LENGTH_MIN, KEY_BYTES_MAX, OPERATOR_TENANT
from aos.identity.model import AdminKey, ApiKey, KeyOrigin, KeyTerms, Scope
from aos.identity.rules import digest_of, new_secret, shown_prefix
from aos.infra.postgres import Database, Transaction, make_home
from aos.kit.clock import Clock
from aos.kit.ids import new

ADMIN_KEY_FILE: Final = "admin-key"
_HELD_ELSEWHERE: Final = AdminKey(secret=None, path=None, created=False)


async def ensure_admin_key(database: Database, home: Path, configured: str | None) -> AdminKey:
    """See to it that there is an admin key. Call it at every start; two at once do no harm.

    `configured` is AOS_API_KEY: it is the secret, and what the variable said before stops working.
    Without it, a key is made when no admin key works, and kept in `home/admin-key` (mode 0600).
    Where another admin key works, none is made, and the answer has neither secret nor path.
    Raises AdminKeyRefused, DatabaseUnavailable.
    """
    if configured is not None:
        return await _from_environment(database, configured)
    return await _from_home(database, home / ADMIN_KEY_FILE)


async def _from_environment(database: Database, secret: str) -> AdminKey:
    printable = secret.isascii() and secret.isprintable() and " " not in secret
    if not (printable and CONFIGURED_KEY_LENGTH_MIN <= len(secret) <= KEY_BYTES_MAX):
        raise AdminKeyRefused(
            f"AOS_API_KEY needs {CONFIGURED_KEY_LENGTH_MIN} to {KEY_BYTES_MAX} visible ASCII "
            "characters without spaces; choose them at random"
        )
    async with database.system() as tx:
        outcome = await _seed(tx, secret, KeyOrigin.ENVIRONMENT)
    if outcome is Seeding.REFUSED:
        raise AdminKeyRefused(
            "AOS_API_KEY is a key that was revoked, has expired or may not administer; "
            "set another one"
        )
    return AdminKey(secret=secret, path=None, created=outcome is not Seeding.PRESENT)


async def _from_home(database: Database, path: Path) -> AdminKey:
    kept = _read(path)
    async with database.system() as tx:
        # A home whose database was lost keeps its key, and so do the clients that use it.
        outcome = await _seed(tx, kept, KeyOrigin.HOME) if kept else Seeding.REFUSED
        if outcome is not Seeding.REFUSED:
            if outcome is Seeding.UNNEEDED:
                return _HELD_ELSEWHERE
            return AdminKey(kept, path, outcome is Seeding.CREATED)
        fresh = new_secret(secrets.token_bytes)
        outcome = await _seed(tx, fresh, KeyOrigin.HOME)
        if outcome is Seeding.CREATED:
            # Before the commit: a key that works and that nobody can read would lock everyone out.
            _write(path, fresh)
            return AdminKey(fresh, path, created=True)
    # Another admin key works; perhaps another process has made it a moment ago.
    late = _read(path)
    return _HELD_ELSEWHERE if late in {None, kept} else AdminKey(late, path, created=False)


async def restore_admin_key(database: Database, home: Path, clock: Clock) -> AdminKey:
    """See to it that the key in `home` opens a database whose content came from elsewhere.

    Only where that database is the home's own: whoever runs its server may do anything in it.
    The key that the home has is taken in; without one (or with one that was revoked), a key is made
    beside those of the backup, which go on working. Raises DatabaseUnavailable.
    """
    path = home / ADMIN_KEY_FILE
    kept = _read(path)
    secret = kept or new_secret(secrets.token_bytes)
    async with database.tenant(OPERATOR_TENANT) as tx:
        outcome = await _seed(tx, secret, KeyOrigin.HOME)
        if outcome is Seeding.REFUSED:
            secret = new_secret(secrets.token_bytes)
        if outcome in {Seeding.REFUSED, Seeding.UNNEEDED}:
            await _insert(tx, secret, clock)
        if secret != kept:
            _write(path, secret)
    return AdminKey(secret, path, created=secret != kept)


async def _insert(tx: Transaction, secret: str, clock: Clock) -> None:
    now = clock.now()
    key_id = new("key", now)
    # Its id is in the name: the backup's own admin key has the plain one.
    terms = KeyTerms(f"admin {key_id}", frozenset({Scope.ADMIN}))
    key = ApiKey(key_id, OPERATOR_TENANT, shown_prefix(secret), KeyOrigin.API, terms, now)
    await insert_key(tx, key, digest_of(secret))


async def _seed(tx: Transaction, secret: str, origin: KeyOrigin) -> Seeding:
    return await seed_admin_key(tx, new("key"), shown_prefix(secret), digest_of(secret), origin)


def _read(path: Path) -> str | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise AdminKeyRefused(f"{path} does not hold a key; remove it and start again") from None
    return text or None


def _write(path: Path, secret: str) -> None:
    make_home(path.parent)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{secret}\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
