"""The verbs of tenants."""

from aos.identity.model import Tenant
from aos.identity.tenants.store import ensure_tenant, select_tenant
from aos.infra.postgres import Database, Transaction
from aos.kit.errors import NotFound


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
