"""What the gateway knows of an upstream."""

from dataclasses import dataclass, field
from typing import Protocol

from aos.catalog import Model
from aos.messages import Dialect, ModelCall


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """A configured upstream. `api_key` is a secret: never logged, never returned.

    `base_url` has no trailing slash and ends before `/chat/completions` or `/messages`.
    """

    id: str
    kind: str
    base_url: str
    api_key: str | None = field(default=None, repr=False)
    dialects: frozenset[Dialect] = frozenset()
    price_provider: str | None = None
    """Whose prices apply: an id in the catalogue; None = `id`."""
    own_prices: bool = False
    """Prices are declared beside the upstream in `aos.yaml` (vLLM, Ollama)."""


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What a call can use at most, in tokens; None = nobody knows (unbounded, see `because`)."""

    input_tokens: int | None
    output_tokens: int | None
    web_searches: int = 0
    because: str | None = None
    """The request field that makes it unbounded, for the error message."""


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """Where the bytes go. Header names are lower case."""

    url: str
    headers: dict[str, str]
    body: bytes


class Provider(Protocol):
    """One upstream. Pure but for what it is constructed with: sending is the gateway's."""

    config: ProviderConfig

    def ceilings(self, call: ModelCall, model: Model) -> Ceilings:
        """The most that this call can use on this model."""
        ...

    def request(
        self, call: ModelCall, path: str, body: bytes, headers: dict[str, str]
    ) -> UpstreamRequest:
        """The call as this upstream wants it: URL, its own credentials, the caller's headers."""
        ...
