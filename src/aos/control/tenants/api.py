"""`/api/v1/tenants`. A key sees its own; the operator's administrators make and list them."""

from fastapi import APIRouter
from starlette.responses import Response

from aos.control.access.api import AdminCaller, AnyCaller, Services
from aos.control.errors import OperatorOnly
from aos.control.paging.api import Paging
from aos.control.paging.rules import cut, encode_cursor
from aos.control.schemas import Page
from aos.control.tenants.schemas import NewTenantAnswer, TenantAnswer, TenantBody
from aos.control.writes.api import AdminWrite
from aos.identity import OPERATOR_TENANT, Caller
from aos.infra.postgres import Transaction

router = APIRouter(prefix="/api/v1/tenants", tags=["tenants"])


@router.post("", status_code=201, response_model=NewTenantAnswer)
async def create_tenant(body: TenantBody, write: AdminWrite, services: Services) -> Response:
    """Make a tenant. `key`, its admin key, is shown in this answer and never again.

    Only for administrators of the operator's tenant, who see nothing of it afterwards.
    """
    _check_operator(write.caller)

    async def work(tx: Transaction) -> NewTenantAnswer:
        return NewTenantAnswer.made(await services.tenants.create(tx, body.id, body.name))

    response = await write.run(work, status=201)
    await services.authenticator.forget_keys()
    return response


@router.get("")
async def list_tenants(
    caller: AdminCaller, services: Services, paging: Paging
) -> Page[TenantAnswer]:
    """Every tenant of this installation, by id. Only for administrators of the operator's."""
    _check_operator(caller)
    async with services.database.tenant(caller.tenant_id) as tx:
        found = await services.tenants.list(tx, after_id=paging.before_id(), limit=paging.limit + 1)
    tenants, next_cursor = cut(found, paging.limit, lambda tenant: encode_cursor(tenant.id))
    return Page(items=[TenantAnswer.of(each) for each in tenants], next_cursor=next_cursor)


@router.get("/current")
async def get_current_tenant(caller: AnyCaller, services: Services) -> TenantAnswer:
    """The tenant of the key of this request."""
    async with services.database.tenant(caller.tenant_id) as tx:
        return TenantAnswer.of(await services.tenants.current(tx))


def _check_operator(caller: Caller) -> None:
    if caller.tenant_id != OPERATOR_TENANT:
        raise OperatorOnly(
            f"tenants are the operator's: only administrators of {OPERATOR_TENANT} make or list "
            "them; /api/v1/tenants/current is your own"
        )
