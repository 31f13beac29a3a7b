"""Which upstreams this process has, from settings, the environment and declarations."""

from aos.providers.registry.model import KEY_VARIABLES, SHIPPED, Shipped
from aos.providers.registry.service import Registry, build_providers, make_provider

__all__ = ["KEY_VARIABLES", "SHIPPED", "Registry", "Shipped", "build_providers", "make_provider"]
