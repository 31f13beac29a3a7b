"""One file per upstream: how to call it, what a call can cost at most, how to read its usage."""

from aos.providers.bounds import estimate_cut
from aos.providers.errors import (
    AnswerTooLarge,
    ProviderNotConfigured,
    UpstreamBroken,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from aos.providers.model import (
    Ceilings,
    Provider,
    ProviderConfig,
    UpstreamAnswer,
    UpstreamRequest,
)
from aos.providers.openai import OpenAIProvider
from aos.providers.registry import KEY_VARIABLES, Registry, build_providers, make_provider
from aos.providers.rules import relayed_headers
from aos.providers.service import Upstreams
from aos.providers.stub import StubProvider

__all__ = [
    "KEY_VARIABLES",
    "AnswerTooLarge",
    "Ceilings",
    "OpenAIProvider",
    "Provider",
    "ProviderConfig",
    "ProviderNotConfigured",
    "Registry",
    "StubProvider",
    "UpstreamAnswer",
    "UpstreamBroken",
    "UpstreamRequest",
    "UpstreamTimeout",
    "UpstreamUnreachable",
    "Upstreams",
    "build_providers",
    "estimate_cut",
    "make_provider",
    "relayed_headers",
]
