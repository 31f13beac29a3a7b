"""Which provider and model may serve a request: pure decisions over snapshots.

Keeps what a tenant declares in `aos.yaml` beside the catalogue: upstreams of its own, and aliases.
Refuses to guess: a name that two configured providers serve is an error that lists the choices.
"""

from aos.routing.errors import (
    InvalidRoute,
    ModelAmbiguous,
    ModelNotAllowed,
    ModelNotFound,
    ProviderNotConfigured,
)
from aos.routing.model import (
    EMPTY_ROUTES,
    Alias,
    DeclaredModel,
    Hints,
    Target,
    TenantRoutes,
    Upstream,
    UpstreamKind,
)
from aos.routing.rules import allowed, check_allowed, resolve, resolve_for
from aos.routing.service import RouteBook, Routing

__all__ = [
    "EMPTY_ROUTES",
    "Alias",
    "DeclaredModel",
    "Hints",
    "InvalidRoute",
    "ModelAmbiguous",
    "ModelNotAllowed",
    "ModelNotFound",
    "ProviderNotConfigured",
    "RouteBook",
    "Routing",
    "Target",
    "TenantRoutes",
    "Upstream",
    "UpstreamKind",
    "allowed",
    "check_allowed",
    "resolve",
    "resolve_for",
]
