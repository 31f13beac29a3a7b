"""The providers of a process. Names are looked up here and compared nowhere else."""

from collections.abc import Mapping, Sequence
from typing import Final

from aos.infra.settings import ProviderSettings
from aos.messages import Dialect
from aos.providers.errors import ProviderNotConfigured
from aos.providers.model import Provider, ProviderConfig
from aos.providers.openai import OpenAIProvider
from aos.providers.stub import StubProvider

_STUB: Final = ProviderConfig(
    id="stub", kind="stub", base_url="stub:", dialects=frozenset(Dialect), own_prices=False
)


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
    declared: Sequence[ProviderConfig] = (),  # noqa: ARG001 - replaced in the next slice
    environment: Mapping[str, str] | None = None,  # noqa: ARG001
) -> Registry:
    """All upstreams that have what they need; the stub alone when there is none."""
    providers: list[Provider] = []
    if settings.openai_api_key is not None:
        providers.append(
            OpenAIProvider(
                ProviderConfig(
                    id="openai",
                    kind="openai",
                    base_url=settings.openai_base_url.rstrip("/"),
                    api_key=settings.openai_api_key.get_secret_value(),
                    dialects=frozenset({Dialect.OPENAI_CHAT}),
                )
            )
        )
    if not providers:
        return Registry([StubProvider(_STUB)], is_stub=True)
    return Registry(providers, is_stub=False)
