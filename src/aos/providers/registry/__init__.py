"""Which upstreams this process has, from settings, the environment and `aos.yaml`."""

from aos.providers.registry.service import Registry, build_providers

__all__ = ["Registry", "build_providers"]
