"""Provider-side objects (stored responses, …) and the tenant that made each."""

from collections.abc import Sequence

import orjson

from aos.infra.postgres import Transaction


async def record_objects(tx: Transaction, objects: Sequence[tuple[str, str, str]]) -> None:
    """Remember who made what: rows of (tenant, provider, object id). A repetition is a no-op."""
    await tx.execute("SELECT aos.gateway_record_objects(%s)", (orjson.dumps(objects).decode(),))


async def provider_of_object(tx: Transaction, object_id: str) -> str | None:
    """The provider that keeps this object for the transaction's tenant; None if not its own."""
    cursor = await tx.execute(
        "SELECT provider FROM aos.provider_objects WHERE object_id = %s"
        " ORDER BY created_at LIMIT 1",
        (object_id,),
    )
    row = await cursor.fetchone()
    return None if row is None else str(row["provider"])
