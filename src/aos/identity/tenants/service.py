"""The verbs of tenants."""

import secrets

from aos.identity.errors import NameTaken
from aos.identity.model import NewTenant, Tenant
from aos.identity.rules import digest_of, new_secret, shown_prefix
from aos.identity.tenants.store import (
    ensure_tenant,
    insert_tenant,
    select_tenant,
    select_tenants,
)
from aos.infra.postgres import Database, Transaction
from aos.kit.errors import NotFound
from aos.kit.ids import new


class Tenants:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure(self, tenant_id: str, name: str) -> None:
        """Make this tenant unless it is there."""
        await ensure_tenant(self._database, tenant_id, name)

    async def current(self, tx: Transaction) -> Tenant:
        """The tenant whose transaction this is. Raises NotFound."""
        tenant = await select_tenant(tx)
        if tenant is None:
            raise NotFound("this tenant is not there any more")
        return tenant

    async def create(self, tx: Transaction, tenant_id: str | None, name: str | None) -> NewTenant:
        """A new tenant and its admin key, whose secret is in the answer and nowhere else.

        `tx` is of the operator's tenant. Raises NameTaken.
        """
        wanted = tenant_id or new("ten")
        secret, key_id = new_secret(secrets.token_bytes), new("key")
        tenant = await insert_tenant(
            tx, wanted, name or wanted, key_id, shown_prefix(secret), digest_of(secret)
        )
        if tenant is None:
            raise NameTaken(f"there is a tenant {wanted} already", id=wanted)
        return NewTenant(tenant, key_id, secret)

    async def list(self, tx: Transaction, *, after_id: str | None, limit: int) -> list[Tenant]:
        """Every tenant of this installation, by id. `tx` is of the operator's tenant."""
        return await select_tenants(tx, after_id, limit)
