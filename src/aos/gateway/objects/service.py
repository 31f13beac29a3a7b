"""Who made what at a provider."""

from collections.abc import Sequence

from aos.gateway.errors import UnknownObject
from aos.gateway.limits import OBJECT_ID_CHARACTERS_MAX
from aos.gateway.objects.rules import may_be_object_id
from aos.gateway.store import owned_objects
from aos.infra.postgres import Database


class Objects:
    """Asks the database each time: such calls are few, and a wrong answer would leak."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def providers_of(self, tenant_id: str, object_ids: Sequence[str]) -> dict[str, str]:
        """The provider that keeps each of these. Raises UnknownObject for one not the tenant's."""
        possible = [name for name in object_ids if may_be_object_id(name)]
        async with self._database.tenant(tenant_id) as tx:
            owned = await owned_objects(tx, possible)
        for object_id in object_ids:
            if object_id not in owned:
                shown = object_id[:OBJECT_ID_CHARACTERS_MAX]
                raise UnknownObject(
                    f"this tenant has nothing called {shown} at a provider: only what was made "
                    "through AOS can be used through it",
                    object_id=shown,
                )
        return owned
