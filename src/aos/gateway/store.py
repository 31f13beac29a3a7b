"""The end of a call in one statement; provider-side objects and the tenant that made each."""

from collections.abc import Sequence

import orjson

from aos.infra.postgres import Database, Transaction
from aos.ledger import Settlement, SettlementBatch, SettlementResult, named_failures
from aos.usage import AttemptRow, CallRow, encoded_rows


async def end_calls(
    database: Database,
    settlements: Sequence[Settlement],
    calls: Sequence[CallRow],
    attempts: Sequence[AttemptRow],
    made: Sequence[tuple[str, str, str]],
) -> list[SettlementResult]:
    """Settle and record a batch of any tenants' calls, all of it or nothing, in one round trip.

    `made` are rows of (tenant, provider, object id) that a provider now keeps.
    """
    batch = SettlementBatch(settlements)
    objects = orjson.dumps(made).decode() if made else None
    with named_failures():
        rows = await database.call(
            "SELECT aos.gateway_end(%s::json, %s::json, %s::json, %s::json) AS answer",
            (*encoded_rows(calls, attempts), objects, batch.text),
        )
    return batch.results(rows[0]["answer"])


async def owned_objects(tx: Transaction, object_ids: Sequence[str]) -> dict[str, str]:
    """Of these ids, those that the transaction's tenant made, each with the provider it is at."""
    cursor = await tx.execute(
        "SELECT object_id, provider FROM aos.provider_objects WHERE object_id = ANY(%s)"
        " ORDER BY created_at",
        (list(object_ids),),
    )
    return {row["object_id"]: row["provider"] for row in await cursor.fetchall()}
