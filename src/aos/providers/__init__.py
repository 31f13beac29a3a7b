"""One file per upstream: how to call it, what a call can cost at most, how to read its usage."""

from aos.providers.model import Ceilings, Provider, ProviderConfig, UpstreamRequest

__all__ = ["Ceilings", "Provider", "ProviderConfig", "UpstreamRequest"]
