"""The SQL of tenants."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

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
    return _tenant_from(row)


async def insert_tenant(
    tx: Transaction, tenant_id: str, name: str, key_id: str, prefix: str, digest: bytes
) -> Tenant | None:
    """→ there, with its first admin key; None where the id is taken. The operator's `tx` only."""
    cursor = await tx.execute(
        "SELECT * FROM aos.tenant_create(%s, %s, %s, %s, %s)",
        (tenant_id, name, key_id, prefix, digest),
    )
    row = await cursor.fetchone()
    return None if row is None else _tenant_from(row)


async def select_tenants(tx: Transaction, after_id: str | None, limit: int) -> list[Tenant]:
    """Tenants by id, those after `after_id`. The operator's `tx` only."""
    cursor = await tx.execute(
        "SELECT * FROM aos.tenants_listed(%s::text, %s::integer)", (after_id, limit)
    )
    return [_tenant_from(row) for row in await cursor.fetchall()]


def _tenant_from(row: Mapping[str, Any]) -> Tenant:
    return Tenant(row["id"], row["name"], row["created_at"].astimezone(UTC))
