"""Where each name leads: the environment's providers and what the tenant declares."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from aos.catalog import Catalog, Model
from aos.gateway.directory.rules import has_path
from aos.gateway.limits import RESOLUTIONS_KEPT_MAX
from aos.messages import Dialect
from aos.providers import Provider, Registry
from aos.routing import (
    Hints,
    ModelAmbiguous,
    ModelNotFound,
    ProviderNotConfigured,
    RouteBook,
    Target,
    TenantRoutes,
    Upstream,
    resolve_for,
)

_UNRESOLVED: Final = (ModelNotFound, ProviderNotConfigured, ModelAmbiguous)

MakeProvider = Callable[[str, Upstream], Provider]
"""(tenant id, declaration) → the upstream as something to call."""


class Directory:
    """Snapshots of routes and prices, made into answers that cost one look-up."""

    def __init__(
        self,
        registry: Registry,
        routes: RouteBook,
        catalog: Catalog,
        make_provider: MakeProvider,
        variables: Mapping[str, str],
        *,
        stub_allowed: bool = True,
    ) -> None:
        """Without `stub_allowed` the stub serves nobody, whoever asks for what."""
        self._registry = registry
        self._routes = routes
        self._catalog = catalog
        self._make_provider = make_provider
        real = registry.configured() if stub_allowed or not registry.is_stub else ()
        self._environment = {provider.config.id: provider for provider in real}
        self._stand_in = next(iter(self._environment), None) if registry.is_stub else None
        self._hints = Hints(names=self._known_names, variables=variables)
        self._resolved: dict[tuple[str, str], tuple[Target, ...]] = {}
        self._declared: dict[tuple[str, str], Provider] = {}

    async def refresh_prices(self) -> None:
        """Load the price book anew. Raises DatabaseUnavailable."""
        await self._catalog.refresh()
        self._forget()

    async def refresh_routes(self) -> None:
        """Load what tenants declare anew. Raises DatabaseUnavailable."""
        await self._routes.load()
        self._forget()

    def _forget(self) -> None:
        self._resolved.clear()
        self._declared.clear()

    def resolve(self, tenant_id: str, name: str) -> tuple[Target, ...]:
        """Who serves `name` for this tenant. Raises what `routing.resolve` raises."""
        known = self._resolved.get((tenant_id, name))
        if known is not None:
            return known
        targets = self._look_up(self._routes.of(tenant_id), name)
        if len(self._resolved) >= RESOLUTIONS_KEPT_MAX:
            self._resolved.clear()
        self._resolved[tenant_id, name] = targets
        return targets

    def _look_up(self, routes: TenantRoutes, name: str) -> tuple[Target, ...]:
        return resolve_for(
            routes,
            name,
            self._catalog.book.providers_of,
            self._environment.keys() if self._stand_in is None else (),
            self._hints,
            self._stand_in,
        )

    def dead_ends(self, routes: TenantRoutes) -> list[str]:
        """Aliases that could not be called here, and why."""
        found = []
        for alias in routes.aliases:
            try:
                self._look_up(routes, alias)
            except _UNRESOLVED as error:
                found.append(f"alias {alias}: {error.message}")
        return found

    def provider(self, tenant_id: str, provider_id: str) -> Provider:
        """Raises ProviderNotConfigured."""
        upstream = self._routes.of(tenant_id).upstreams.get(provider_id)
        if upstream is None:
            return self._registry.by_id(provider_id)
        provider = self._declared.get((tenant_id, provider_id))
        if provider is None:
            provider = self._make_provider(tenant_id, upstream)
            self._declared[tenant_id, provider_id] = provider
        return provider

    def declares(self, tenant_id: str) -> tuple[str, ...]:
        """Ids of the upstreams that this tenant declares."""
        return tuple(self._routes.of(tenant_id).upstreams)

    def declared_model(self, tenant_id: str, target: Target) -> Model | None:
        """What the tenant itself says of a model of its own upstream."""
        declared = self._routes.of(tenant_id).models.get((target.provider, target.model))
        if declared is None:
            return None
        return Model(
            target.provider,
            declared.id,
            declared.id,
            declared.context_window,
            declared.output_tokens_max,
        )

    def speaks(self, tenant_id: str, target: Target, dialect: Dialect) -> bool:
        return dialect in self.provider(tenant_id, target.provider).config.dialects

    def listed(self, tenant_id: str) -> Iterator[tuple[str, Target, str]]:
        """What this tenant can call: (name, first target, display name), aliases first."""
        routes = self._routes.of(tenant_id)
        for alias in routes.aliases:
            try:
                first = self.resolve(tenant_id, alias)[0]
            except _UNRESOLVED:
                continue  # A call of it is told why; a list names what can be called.
            yield alias, first, alias
        for upstream in routes.upstreams.values():
            for declared in upstream.models:
                yield declared.id, Target(upstream.id, declared.id), declared.id
        for target, model in self._catalogued(routes):
            if has_path(model.id):
                yield model.id, target, model.name

    def _catalogued(self, routes: TenantRoutes) -> Iterator[tuple[Target, Model]]:
        """Models of the catalogue whose provider is configured here, or stood in for."""
        if self._stand_in is None:
            for provider in self._environment.values():
                seller = provider.config.price_provider or provider.config.id
                for model in self._catalog.book.models(seller):
                    yield Target(provider.config.id, model.id), model
        elif not routes.upstreams:
            for model in self._catalog.book.models():
                if model.provider in self._hints.variables:
                    yield Target(self._stand_in, model.id, model.provider), model

    def _known_names(self) -> Iterator[str]:
        return (model.id for model in self._catalog.book.models())
