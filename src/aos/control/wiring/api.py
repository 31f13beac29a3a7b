"""`GET /api/v1/wiring`: what `aos doctor` asks of a gateway that runs."""

from fastapi import APIRouter

from aos.control.access.api import AdminCaller, Services
from aos.control.wiring.schemas import PortAnswer, WiringAnswer
from aos.infra.wiring import report

router = APIRouter(prefix="/api/v1/wiring", tags=["wiring"])


@router.get("")
async def get_wiring(caller: AdminCaller, services: Services) -> WiringAnswer:  # noqa: ARG001 - who may ask
    """What stands behind each port of this process, stubs first, and whether it is real."""
    wiring = services.wiring()
    return WiringAnswer(
        profile=wiring.profile, ports=[PortAnswer(**row) for row in report(wiring.ports)]
    )
