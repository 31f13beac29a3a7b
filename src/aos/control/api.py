"""The control plane as one ASGI application. A resource is a folder and a line in ROUTERS."""

from importlib.metadata import version
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from aos.control.agents.api import router as agents
from aos.control.budgets.api import router as budgets
from aos.control.config.api import router as config
from aos.control.edge.api import Edge
from aos.control.keys.api import router as keys
from aos.control.model import ControlServices
from aos.control.prices.api import router as prices
from aos.control.problems.api import MEDIA_TYPE, on_failure, on_http, on_invalid
from aos.control.reference.api import router as reference
from aos.control.schemas import Problem
from aos.control.tenants.api import router as tenants
from aos.control.usage.api import router as usage
from aos.control.wiring.api import router as wiring
from aos.kit.errors import AosError

ROUTERS: Final[tuple[APIRouter, ...]] = (
    agents,
    config,
    keys,
    tenants,
    budgets,
    usage,
    prices,
    wiring,
    reference,
)

RUNTIME_ROUTERS: Final[tuple[APIRouter, ...]] = (agents,)
"""Those at the root that answer under `/api/v1` too."""

_PROBLEM: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": "A problem (RFC 9457)",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in (422, "default")
}


class ControlApp(FastAPI):
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            schema = super().openapi()
            parts = schema.setdefault("components", {})
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            parts.setdefault("schemas", {}).update({**problem.pop("$defs"), "Problem": problem})
            parts["securitySchemes"] = {
                "key": {"type": "apiKey", "in": "header", "name": "X-AOS-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            }
            schema["security"] = [{"key": []}, {"bearer": []}]
        return super().openapi()


def create_control_app(services: ControlServices) -> FastAPI:
    """Every failure of it is a problem (RFC 9457), every answer carries `x-aos-request-id`."""
    app = ControlApp(
        title="AOS",
        version=version("aos"),
        description="Money is a decimal string in dollars, instants are RFC 3339 in UTC.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        responses=_PROBLEM,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.services = services
    for router in ROUTERS:
        app.include_router(router)
    for router in RUNTIME_ROUTERS:
        app.include_router(router, prefix="/api/v1", include_in_schema=False)
    app.add_exception_handler(AosError, on_failure)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_middleware(Edge)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
