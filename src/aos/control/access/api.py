"""The dependencies of every handler: the services, and the caller with the scope that it needs.

async def get_thing(caller: ReadCaller, services: Services) -> ThingAnswer: ...
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import Request

from aos.control.model import ControlServices
from aos.identity import Caller, Scope, ScopeMissing, check_tenant, key_from_headers


def services_of(request: Request) -> ControlServices:
    return cast("ControlServices", request.app.state.services)


Services = Annotated[ControlServices, Depends(services_of)]


def requires(scope: Scope | None) -> Callable[..., Awaitable[Caller]]:
    """A dependency: the caller, if its key has this scope (None: any key will do)."""

    async def caller_of(request: Request, services: Services) -> Caller:
        headers = request.scope["headers"]
        caller = await services.authenticator.authenticate(key_from_headers(headers))
        check_tenant(caller, headers, required=services.policy.enforce_tenancy)
        if scope is not None and services.policy.enforce_scopes and not caller.may(scope):
            raise ScopeMissing(f"this needs a key with scope {scope}", scope=scope)
        return caller

    return caller_of


AnyCaller = Annotated[Caller, Depends(requires(None))]
ReadCaller = Annotated[Caller, Depends(requires(Scope.READ))]
AdminCaller = Annotated[Caller, Depends(requires(Scope.ADMIN))]
