"""The providers of a process. Names are looked up here and compared nowhere else."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from aos.infra.settings import ProviderSettings
from aos.kit.errors import InvalidInput
from aos.messages import Dialect
from aos.providers import anthropic, openai
from aos.providers.anthropic import AnthropicProvider
from aos.providers.compatible import CompatibleProvider, Traits
from aos.providers.errors import ProviderNotConfigured
from aos.providers.model import Provider, ProviderConfig
from aos.providers.openai import OpenAIProvider
from aos.providers.registry.model import (
    ANTHROPIC_DIALECTS,
    EVERY_DIALECT,
    OPENAI_DIALECTS,
    SHIPPED,
    Shipped,
)
from aos.providers.stub import StubProvider

_STUB: Final = ProviderConfig(id="stub", kind="stub", base_url="stub:", dialects=EVERY_DIALECT)
_TRAITS: Final[Mapping[str, Traits]] = {
    "openai": Traits(openai.PROFILE, output_field=None),
    "anthropic": Traits(anthropic.PROFILE),
} | {row.id: row.traits for row in SHIPPED}


class Registry:
    """Immutable."""

    def __init__(self, providers: Sequence[Provider], *, is_stub: bool) -> None:
        self._providers = {provider.config.id: provider for provider in providers}
        self.is_stub = is_stub
        """No provider has a key: the stub answers for every model, priced as the one asked for."""

    def configured(self) -> tuple[Provider, ...]:
        return tuple(self._providers.values())

    def by_id(self, provider_id: str) -> Provider:
        """Raises ProviderNotConfigured."""
        try:
            return self._providers[provider_id]
        except KeyError:
            raise ProviderNotConfigured(
                f"No provider {provider_id!r} is configured here. Set its key, or declare it in"
                " aos.yaml.",
                provider=provider_id,
            ) from None


def build_providers(
    settings: ProviderSettings,
    declared: Sequence[ProviderConfig] = (),
    environment: Mapping[str, str] | None = None,
) -> Registry:
    """All upstreams that have what they need; the stub alone when there is none.

    What is declared stands before what is shipped under the same id.
    """
    found = {config.id: make_provider(config) for config in _first_hand(settings)}
    for row in SHIPPED:
        provider = _shipped(row, environment or {})
        if provider is not None:
            found[row.id] = provider
    found |= {config.id: make_provider(config) for config in declared}
    if not found:
        return Registry([StubProvider(_STUB)], is_stub=True)
    return Registry(list(found.values()), is_stub=False)


def make_provider(config: ProviderConfig) -> Provider:
    """An upstream by its kind. Raises InvalidInput for an unknown kind or an unusable address.

    Where no dialects are given, those of the kind; the bounds are those of the shipped upstream
    whose id or prices it has.
    """
    address = urlsplit(config.base_url)
    if config.kind not in _KINDS or address.scheme not in {"http", "https"} or not address.netloc:
        raise InvalidInput(
            f"Upstream {config.id!r} needs a kind ({', '.join(_KINDS)}) and an http(s) base_url.",
            provider=config.id,
        )
    dialects, make = _KINDS[config.kind]
    base_url = config.base_url.rstrip("/")
    return make(replace(config, base_url=base_url, dialects=config.dialects or dialects))


def _first_hand(settings: ProviderSettings) -> Iterator[ProviderConfig]:
    key = _secret(settings.openai_api_key)
    if key:
        yield ProviderConfig("openai", "openai", settings.openai_base_url, key)
    key = _secret(settings.anthropic_api_key)
    if key:
        # Anthropic's clients are told the address without the version.
        base_url = settings.anthropic_base_url.rstrip("/").removesuffix("/v1") + "/v1"
        yield ProviderConfig("anthropic", "anthropic", base_url, key)


def _shipped(row: Shipped, environment: Mapping[str, str]) -> Provider | None:
    key = environment.get(row.key_variable, "") if row.key_variable else ""
    url = environment.get(row.url_variable, "").rstrip("/") if row.url_variable else ""
    if (row.key_variable and not key) or (row.url_variable and not url):
        return None
    config = ProviderConfig(
        id=row.id,
        kind="openai-compatible",
        base_url=row.base_url.format(url.removesuffix("/v1")),
        api_key=key or None,
        dialects=row.dialects,
        price_provider=row.prices_of,
        own_prices=row.own_prices,
        anthropic_base_url=row.anthropic_base_url,
    )
    return CompatibleProvider(config, row.traits)


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value().strip() if value is not None else ""


def _compatible(config: ProviderConfig) -> Provider:
    """With the traits of the shipped upstream whose id it has, else of the one whose models it
    serves.
    """
    traits = _TRAITS.get(config.id) or _TRAITS.get(config.price_provider or "") or Traits()
    return CompatibleProvider(config, traits)


_KINDS: Final[Mapping[str, tuple[frozenset[Dialect], Callable[[ProviderConfig], Provider]]]] = {
    "openai": (OPENAI_DIALECTS, OpenAIProvider),
    "anthropic": (ANTHROPIC_DIALECTS, AnthropicProvider),
    "openai-compatible": (OPENAI_DIALECTS, _compatible),
    "anthropic-compatible": (ANTHROPIC_DIALECTS, _compatible),
}
