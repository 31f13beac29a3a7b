"""`/api/v1/config`: apply a document, or write out what stands."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from aos.control.access.api import AdminCaller, Services
from aos.control.config.model import Outcome
from aos.control.config.schemas import ApplyAnswer, ApplyBody, ChangeAnswer, CreatedKeyAnswer
from aos.control.writes.api import AdminWrite
from aos.infra.postgres import Transaction

router = APIRouter(prefix="/api/v1/config", tags=["config"])


@router.post("/apply", response_model=ApplyAnswer)
async def apply_config(
    body: ApplyBody, write: AdminWrite, services: Services
) -> Response | ApplyAnswer:
    """Make what stands be what the document says: all of it or nothing."""
    tenant_id, configuration = write.caller.tenant_id, services.configuration
    if body.dry_run:
        return _answer(await configuration.preview(tenant_id, body.document, prune=body.prune))

    async def work(tx: Transaction) -> ApplyAnswer:
        outcome = await configuration.apply(tx, tenant_id, body.document, prune=body.prune)
        return _answer(outcome)

    response = await write.run(work)
    await configuration.refresh()
    return response


@router.get("/export")
async def export_config(caller: AdminCaller, services: Services) -> dict[str, Any]:
    """What stands, as a document that changes nothing when it is applied here."""
    async with services.database.tenant(caller.tenant_id) as tx:
        return await services.configuration.export(tx)


def _answer(outcome: Outcome) -> ApplyAnswer:
    return ApplyAnswer(
        applied=outcome.applied,
        changes=[
            ChangeAnswer(kind=one.kind, name=one.name, action=one.action.value, fields=one.fields)
            for one in outcome.changes
        ],
        created_keys=[
            CreatedKeyAnswer(id=key.id, name=key.name, key=key.secret)
            for key in outcome.created_keys
        ],
        warnings=list(outcome.warnings),
    )
