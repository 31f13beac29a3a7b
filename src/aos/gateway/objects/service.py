"""Who made what at a provider."""

from collections.abc import Sequence

from aos.gateway.errors import UnknownObject
from aos.gateway.store import owned_objects
from aos.infra.postgres import Database


class Objects:
    """Asks the database each time: such calls are few, and a wrong answer would leak."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def providers_of(self, tenant_id: str, object_ids: Sequence[str]) -> dict[str, str]:
        """The provider that keeps each of these. Raises UnknownObject for one not the tenant's."""
        async with self._database.tenant(tenant_id) as tx:
            owned = await owned_objects(tx, object_ids)
        for object_id in object_ids:
            if object_id not in owned:
                raise UnknownObject(
                    f"this tenant has nothing called {object_id} at a provider: only what was made "
                    "through AOS can be used through it",
                    object_id=object_id,
                )
        return owned
