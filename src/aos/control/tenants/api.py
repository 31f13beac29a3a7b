"""`/api/v1/tenants/current`. Nobody can ask for another tenant: the key says which."""

from fastapi import APIRouter

from aos.control.access.api import AnyCaller, Services
from aos.control.tenants.schemas import TenantAnswer

router = APIRouter(prefix="/api/v1/tenants", tags=["tenants"])


@router.get("/current")
async def get_current_tenant(caller: AnyCaller, services: Services) -> TenantAnswer:
    """The tenant of the key of this request."""
    async with services.database.tenant(caller.tenant_id) as tx:
        tenant = await services.tenants.current(tx)
    return TenantAnswer(id=tenant.id, name=tenant.name, created_at=tenant.created_at)
