"""The SQL of what config as code has made or taken over."""

from collections.abc import Sequence

from aos.infra.postgres import Transaction


async def lock(tx: Transaction, tenant_id: str) -> None:
    """One apply of a tenant after another: each compares with what the last one left."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('aos.config ' || %s, 0))", (tenant_id,)
    )


async def applied(tx: Transaction, kind: str) -> set[str]:
    """Ids of this kind that an apply made or took over."""
    cursor = await tx.execute("SELECT id FROM aos.applied WHERE kind = %s", (kind,))
    return {row["id"] for row in await cursor.fetchall()}


async def mark(tx: Transaction, tenant_id: str, kind: str, ids: Sequence[str]) -> None:
    """From now on the file owns these: leaving them out and pruning takes them away."""
    await tx.execute(
        """
        INSERT INTO aos.applied (tenant_id, kind, id) SELECT %s, %s, unnest(%s::text[])
        ON CONFLICT DO NOTHING
        """,
        (tenant_id, kind, list(ids)),
    )


async def unmark(tx: Transaction, kind: str, identifier: str) -> None:
    """It is gone."""
    await tx.execute("DELETE FROM aos.applied WHERE kind = %s AND id = %s", (kind, identifier))
