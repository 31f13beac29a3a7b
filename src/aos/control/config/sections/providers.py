"""`providers:` — upstreams of the tenant's own, and what their models cost."""

from collections.abc import Mapping
from typing import Final, cast

from aos.catalog import Prices
from aos.control.config.errors import ProvidersForbidden
from aos.control.config.model import Made, Standing
from aos.control.config.schemas import ModelSpec, ProviderSpec
from aos.identity import OPERATOR_TENANT
from aos.infra.postgres import Transaction
from aos.kit.clock import Clock
from aos.routing import DeclaredModel, Routing, Upstream, UpstreamKind


class ProvidersSection:
    kind: Final = "providers"

    def __init__(self, routing: Routing, prices: Prices, clock: Clock) -> None:
        self._routing = routing
        self._prices = prices
        self._clock = clock

    async def read(self, tx: Transaction) -> dict[str, Standing]:
        return {
            upstream.id: Standing(upstream.id, _spec(upstream))
            for upstream in await self._routing.upstreams(tx)
        }

    async def create(self, tx: Transaction, tenant_id: str, name: str, spec: ProviderSpec) -> Made:
        await self._save(tx, tenant_id, name, spec)
        await self._set_prices(tx, tenant_id, name, {}, spec.models)
        return Made(name)

    async def update(
        self, tx: Transaction, tenant_id: str, standing: Standing, spec: ProviderSpec
    ) -> None:
        await self._save(tx, tenant_id, standing.id, spec)
        before = cast("ProviderSpec", standing.spec).models
        await self._set_prices(tx, tenant_id, standing.id, before, spec.models)

    async def delete(self, tx: Transaction, tenant_id: str, standing: Standing) -> None:
        await self._routing.delete_upstream(tx, standing.id)
        before = cast("ProviderSpec", standing.spec).models
        await self._set_prices(tx, tenant_id, standing.id, before, {})

    async def check(self, tx: Transaction) -> None:
        await self._routing.check(tx)

    async def _save(self, tx: Transaction, tenant_id: str, name: str, spec: ProviderSpec) -> None:
        if tenant_id != OPERATOR_TENANT:
            raise ProvidersForbidden(
                f"providers are declared by the operator's tenant, {OPERATOR_TENANT}: they name "
                "environment variables of the gateway's process"
            )
        await self._routing.save_upstream(tx, tenant_id, _upstream(name, spec))

    async def _set_prices(
        self,
        tx: Transaction,
        tenant_id: str,
        provider: str,
        before: Mapping[str, ModelSpec],
        after: Mapping[str, ModelSpec],
    ) -> None:
        """Begin and end the models' own prices where the file changes them.

        Raises InvalidPrice.
        """
        for model in sorted({*before, *after}):
            old = before[model].price if model in before else None
            new = after[model].price if model in after else None
            if new is not None and new != old:
                await self._prices.set_current(tx, tenant_id, (provider, model), new)
            elif new is None and old is not None:
                now = self._clock.now()
                await self._prices.end_current(tx, tenant_id, (provider, model), now)


def _upstream(name: str, spec: ProviderSpec) -> Upstream:
    own_kind = spec.kind if spec.kind in {"openai", "anthropic"} else None
    return Upstream(
        id=name,
        kind=UpstreamKind(spec.kind),
        base_url=spec.base_url.rstrip("/"),
        api_key_env=spec.api_key_env,
        prices_of=spec.prices_of or own_kind,
        models=tuple(
            DeclaredModel(
                id=model,
                context_window=one.context_window,
                output_tokens_max=one.output_tokens_max,
                price=one.price,
            )
            for model, one in sorted(spec.models.items())
        ),
    )


def _spec(upstream: Upstream) -> ProviderSpec:
    own_kind = upstream.kind.value if upstream.kind.value in {"openai", "anthropic"} else None
    prices_of = upstream.prices_of
    return ProviderSpec.model_validate(
        {
            "kind": upstream.kind.value,
            "base_url": upstream.base_url,
            "api_key_env": upstream.api_key_env,
            "prices_of": None if prices_of == own_kind else prices_of,
            "models": {
                model.id: ModelSpec(
                    context_window=model.context_window,
                    output_tokens_max=model.output_tokens_max,
                    price=model.price,
                )
                for model in upstream.models
            },
        }
    )
