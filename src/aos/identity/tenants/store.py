"""The SQL of tenants."""

from datetime import UTC

from aos.identity.model import Tenant
from aos.infra.postgres import Database, Transaction


async def ensure_tenant(database: Database, tenant_id: str, name: str) -> None:
    """→ there. One that is there already stays as it is."""
    await database.call("SELECT aos.tenant_ensure(%s, %s)", (tenant_id, name))


async def select_tenant(tx: Transaction) -> Tenant | None:
    """The tenant whose transaction this is: row security shows no other."""
    cursor = await tx.execute("SELECT id, name, created_at FROM aos.tenants")
    row = await cursor.fetchone()
    if row is None:
        return None
    return Tenant(row["id"], row["name"], row["created_at"].astimezone(UTC))
