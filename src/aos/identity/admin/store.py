"""The one procedure that seeds the admin key."""

from enum import StrEnum

from aos.identity.model import KeyOrigin
from aos.infra.postgres import Transaction


class Seeding(StrEnum):
    """What became of the secret; the words of aos.admin_key_seed."""

    CREATED = "created"
    REPLACED = "replaced"
    PRESENT = "present"
    UNNEEDED = "unneeded"
    REFUSED = "refused"


async def seed_admin_key(
    tx: Transaction, key_id: str, prefix: str, digest: bytes, origin: KeyOrigin
) -> Seeding:
    """Make this the admin key's secret where one is needed; one process after the other."""
    cursor = await tx.execute(
        "SELECT aos.admin_key_seed(%s, %s, %s, %s) AS outcome", (key_id, prefix, digest, origin)
    )
    row = await cursor.fetchone()
    assert row is not None
    return Seeding(row["outcome"])
