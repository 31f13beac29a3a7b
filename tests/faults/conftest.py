"""One gate a module, before one fake provider that can be told to misbehave."""

from tests.acceptance.conftest import gate, provider, shared_provider

__all__ = ["gate", "provider", "shared_provider"]
