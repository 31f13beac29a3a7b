import asyncio
from pathlib import Path

import pytest

from aos.identity import (
    AdminKeyRefused,
    Authenticator,
    InvalidKey,
    KeyRevoked,
    Keys,
    KeyTerms,
    Scope,
    ensure_admin_key,
    restore_admin_key,
)
from aos.identity.errors import KeyManagedElsewhere
from aos.infra.postgres import Database
from aos.kit.clock import SystemClock
from tests.identity.conftest import SilentNews

FIRST = "a-secret-of-the-environment"
SECOND = "another-secret-of-the-environment"


async def works(database: Database, secret: str) -> bool:
    authenticator = Authenticator(database, SilentNews(), SystemClock())
    try:
        caller = await authenticator.authenticate(secret)
    except (InvalidKey, KeyRevoked):
        return False
    assert caller.tenant_id == "default"
    assert caller.may(Scope.ADMIN)
    return True


async def revoke_all(database: Database, keys: Keys) -> None:
    async with database.tenant("default") as tx:
        for key in await keys.list(tx, limit=100):
            await keys.revoke(tx, key.id)


async def test_the_first_start_makes_a_key_that_only_its_owner_can_read(
    database: Database, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    made = await ensure_admin_key(database, home, None)
    assert made.created
    assert made.secret
    assert made.path == home / "admin-key"
    assert made.path.read_text() == made.secret + "\n"
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert await works(database, made.secret)
    assert made.secret not in repr(made)
    assert [path.name for path in home.iterdir()] == ["admin-key"]


async def test_later_starts_find_it(database: Database, tmp_path: Path) -> None:
    made = await ensure_admin_key(database, tmp_path, None)
    found = await ensure_admin_key(database, tmp_path, None)
    assert (found.secret, found.created) == (made.secret, False)


async def test_two_first_starts_at_once_make_one_key(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    made = await asyncio.gather(*(ensure_admin_key(database, tmp_path, None) for _ in range(4)))
    assert [key.created for key in made].count(True) == 1
    assert len({key.secret for key in made}) == 1
    async with database.tenant("default") as tx:
        assert len(await keys.list(tx, limit=10)) == 1


async def test_a_second_home_gets_no_second_key(database: Database, tmp_path: Path) -> None:
    await ensure_admin_key(database, tmp_path / "one", None)
    other = await ensure_admin_key(database, tmp_path / "two", None)
    assert (other.secret, other.path, other.created) == (None, None, False)
    assert not (tmp_path / "two" / "admin-key").exists()


async def test_a_home_whose_database_was_lost_keeps_its_key(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / "admin-key").write_text("aos_sk_kept_from_before\n")
    made = await ensure_admin_key(database, tmp_path, None)
    assert made.secret == "aos_sk_kept_from_before"
    assert made.created
    assert await works(database, "aos_sk_kept_from_before")


async def test_whoever_can_restart_can_come_back_in(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    lost = await ensure_admin_key(database, tmp_path, None)
    await revoke_all(database, keys)
    made = await ensure_admin_key(database, tmp_path, None)
    assert made.created
    assert made.secret
    assert made.secret != lost.secret
    assert await works(database, made.secret)
    assert not await works(database, lost.secret or "")


async def test_a_file_that_was_rotated_away_is_not_claimed_to_work(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    await ensure_admin_key(database, tmp_path, None)
    async with database.tenant("default") as tx:
        key = (await keys.list(tx, limit=1))[0]
        await keys.rotate(tx, key.id, grace_seconds=0)
    found = await ensure_admin_key(database, tmp_path, None)
    assert (found.secret, found.created) == (None, False)


async def test_the_environments_key_follows_the_variable(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    made = await ensure_admin_key(database, tmp_path, FIRST)
    assert (made.secret, made.path, made.created) == (FIRST, None, True)
    assert not (await ensure_admin_key(database, tmp_path, FIRST)).created
    assert not (tmp_path / "admin-key").exists()
    for now, before in ((SECOND, FIRST), (FIRST, SECOND)):
        await ensure_admin_key(database, tmp_path, now)
        assert await works(database, now)
        assert not await works(database, before)
    async with database.tenant("default") as tx:
        found = await keys.list(tx, limit=10)
        assert [key.terms.name for key in found] == ["AOS_API_KEY"]
        assert FIRST.startswith(found[0].prefix)
        with pytest.raises(KeyManagedElsewhere):
            await keys.rotate(tx, found[0].id, grace_seconds=0)


async def test_the_environments_key_joins_one_that_is_there(
    database: Database, tmp_path: Path
) -> None:
    kept = await ensure_admin_key(database, tmp_path, None)
    await ensure_admin_key(database, tmp_path, FIRST)
    assert await works(database, FIRST)
    assert await works(database, kept.secret or "")
    assert not (await ensure_admin_key(database, tmp_path, kept.secret)).created
    assert not await works(database, FIRST)


async def test_a_key_that_cannot_administer_is_refused(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    async with database.tenant("default") as tx:
        invoke = await keys.create(tx, "default", KeyTerms("k"))
    for secret in (invoke.secret, "short", "with a space", "schlüssel-schlüssel", "x" * 600):
        with pytest.raises(AdminKeyRefused, match="AOS_API_KEY"):
            await ensure_admin_key(database, tmp_path, secret)


async def test_a_revoked_environments_key_stays_revoked(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    await ensure_admin_key(database, tmp_path, FIRST)
    await revoke_all(database, keys)
    with pytest.raises(AdminKeyRefused, match="revoked"):
        await ensure_admin_key(database, tmp_path, FIRST)
    await ensure_admin_key(database, tmp_path, SECOND)
    assert await works(database, SECOND)


async def test_a_name_that_is_taken_is_no_obstacle(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    async with database.tenant("default") as tx:
        await keys.create(tx, "default", KeyTerms("admin"))
        await keys.create(tx, "default", KeyTerms("AOS_API_KEY"))
    made = await ensure_admin_key(database, tmp_path, None)
    assert await works(database, made.secret or "")
    await ensure_admin_key(database, tmp_path, FIRST)
    assert await works(database, FIRST)


async def test_what_was_restored_into_a_home_without_a_key_gets_one_beside_its_own(
    database: Database, tmp_path: Path
) -> None:
    old = await ensure_admin_key(database, tmp_path / "old", None)
    made = await restore_admin_key(database, tmp_path / "new", SystemClock())
    assert made.created
    assert made.secret
    assert made.path == tmp_path / "new" / "admin-key"
    assert made.path.read_text() == made.secret + "\n"
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert old.secret
    assert await works(database, made.secret)
    assert await works(database, old.secret)
    found = await ensure_admin_key(database, tmp_path / "new", None)
    assert (found.secret, found.path) == (made.secret, made.path)


async def test_a_home_that_has_a_key_keeps_it_when_a_backup_is_restored(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    await ensure_admin_key(database, tmp_path / "old", None)
    (tmp_path / "admin-key").write_text("aos_sk_" + "k" * 40)
    kept = await restore_admin_key(database, tmp_path, SystemClock())
    assert (kept.secret, kept.created) == ("aos_sk_" + "k" * 40, False)
    assert await works(database, kept.secret or "")
    assert await restore_admin_key(database, tmp_path, SystemClock()) == kept
    await revoke_all(database, keys)
    fresh = await restore_admin_key(database, tmp_path, SystemClock())
    assert fresh.created, "a revoked key is never revived"
    assert await works(database, fresh.secret or "")
