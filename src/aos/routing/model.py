"""What a tenant declares beside the catalogue, and what a model's name comes down to."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Target:
    """One provider and its own name for the model.

    `price_provider` is set when somebody else's prices apply: the stub answers for every
    provider, priced as the model that was asked for.
    """

    provider: str
    model: str
    price_provider: str | None = None

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class Hints:
    """What makes a refusal helpful. Only read when there is one.

    `names` yields every known model name; `variables` says which environment variable holds a
    provider's key.
    """

    names: Callable[[], Iterable[str]] = tuple
    variables: Mapping[str, str] = field(default_factory=dict)


class UpstreamKind(StrEnum):
    """Which dialect an upstream speaks, and whose rules bound its calls."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    OPENAI_COMPATIBLE = "openai-compatible"
    ANTHROPIC_COMPATIBLE = "anthropic-compatible"


@dataclass(frozen=True, slots=True)
class DeclaredModel:
    """A model of a declared upstream.

    `price` is its price as declared (unit → dollars for a million, as text), kept to show
    it again; the price that bills stands in the catalogue, as this tenant's own.
    """

    id: str
    context_window: int | None = None
    output_tokens_max: int | None = None
    price: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Upstream:
    """A provider that a tenant declares. `api_key_env` names a variable, never a secret.

    `base_url` has no trailing slash and ends before `/chat/completions` or `/messages`.
    `prices_of` names the catalogue's provider whose models and prices hold here.
    """

    id: str
    kind: UpstreamKind
    base_url: str
    api_key_env: str | None = None
    prices_of: str | None = None
    models: tuple[DeclaredModel, ...] = ()


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for one model, or for several in order of preference."""

    name: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TenantRoutes:
    """One tenant's declarations, ready for look-ups on the call path."""

    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    upstreams: Mapping[str, Upstream] = field(default_factory=dict)
    providers_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Declared model name → ids of the declared upstreams that serve it."""
    models: Mapping[tuple[str, str], DeclaredModel] = field(default_factory=dict)
    """(upstream id, model name) → what is declared about it."""


EMPTY_ROUTES = TenantRoutes()
