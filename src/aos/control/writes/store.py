"""The SQL of idempotent requests. `tx` is the transaction of the write itself."""

from dataclasses import dataclass

import psycopg.errors

from aos.control.errors import IdempotencyKeyReused, RequestInProgress
from aos.infra.postgres import Transaction


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    status: int
    body: bytes


async def claim_request(
    tx: Transaction, tenant_id: str, key: str, digest: bytes
) -> StoredAnswer | None:
    """New → claimed (None), or the answer that the first request with this key was given.

    Waits for a transaction that has claimed the same key, as long as locks may take; a key older
    than 24 hours is new again. Raises IdempotencyKeyReused, RequestInProgress.
    """
    try:
        claimed = await tx.execute(
            """INSERT INTO aos.idempotent_requests AS r (tenant_id, key, request_digest)
               VALUES (%s, %s, %s)
               ON CONFLICT (tenant_id, key) DO UPDATE
                 SET request_digest = excluded.request_digest, status = NULL, answer = NULL,
                     created_at = now()
                 WHERE r.created_at < now() - interval '24 hours'
               RETURNING key""",
            (tenant_id, key, digest),
        )
        if await claimed.fetchone() is not None:
            return None
    except psycopg.errors.LockNotAvailable as error:
        raise RequestInProgress(
            "the first request with this Idempotency-Key is still under way; repeat this one",
            retry_after_seconds=1,
        ) from error
    cursor = await tx.execute(
        """SELECT request_digest, status, answer FROM aos.idempotent_requests
           WHERE tenant_id = %s AND key = %s""",
        (tenant_id, key),
    )
    row = await cursor.fetchone()
    if row is None or row["status"] is None:  # Swept, or about to be claimed anew, this moment.
        raise RequestInProgress("repeat this request", retry_after_seconds=1)
    if row["request_digest"] != digest:
        raise IdempotencyKeyReused(
            "this Idempotency-Key came with another request before; use a new one for a new request"
        )
    return StoredAnswer(row["status"], row["answer"])


async def store_answer(tx: Transaction, tenant_id: str, key: str, answer: StoredAnswer) -> None:
    """Claimed → answered; and a few rows that are too old to matter go."""
    await tx.execute(
        """UPDATE aos.idempotent_requests SET status = %s, answer = %s
           WHERE tenant_id = %s AND key = %s""",
        (answer.status, answer.body, tenant_id, key),
    )
    await tx.execute(
        """DELETE FROM aos.idempotent_requests WHERE (tenant_id, key) IN (
             SELECT tenant_id, key FROM aos.idempotent_requests
             WHERE tenant_id = %s AND created_at < now() - interval '24 hours'
             ORDER BY created_at LIMIT 100 FOR UPDATE SKIP LOCKED)""",
        (tenant_id,),
    )
