"""`aliases:` — names for one model, or for several in order of preference."""

from typing import Final

from aos.control.config.model import Made, Standing
from aos.control.config.schemas import AliasSpec
from aos.infra.postgres import Transaction
from aos.routing import Alias, Routing


class AliasesSection:
    kind: Final = "aliases"

    def __init__(self, routing: Routing) -> None:
        self._routing = routing

    async def read(self, tx: Transaction) -> dict[str, Standing]:
        return {
            alias.name: Standing(alias.name, AliasSpec(models=list(alias.targets)))
            for alias in await self._routing.aliases(tx)
        }

    async def create(self, tx: Transaction, tenant_id: str, name: str, spec: AliasSpec) -> Made:
        await self._routing.save_alias(tx, tenant_id, Alias(name, tuple(spec.models)))
        return Made(name)

    async def update(
        self, tx: Transaction, tenant_id: str, standing: Standing, spec: AliasSpec
    ) -> None:
        await self._routing.save_alias(tx, tenant_id, Alias(standing.id, tuple(spec.models)))

    async def delete(self, tx: Transaction, tenant_id: str, standing: Standing) -> None:  # noqa: ARG002 - the Section's shape
        await self._routing.delete_alias(tx, standing.id)

    async def check(self, tx: Transaction) -> None:
        await self._routing.check(tx)
