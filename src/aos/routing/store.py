"""The SQL of declared upstreams and aliases."""

from dataclasses import asdict
from typing import Any

from psycopg.types.json import Jsonb

from aos.infra.postgres import Database, Transaction
from aos.routing.model import Alias, DeclaredModel, Upstream, UpstreamKind


async def every_upstream(database: Database) -> list[tuple[str, Upstream]]:
    """Every tenant's upstreams, with their tenant: for the snapshot."""
    rows = await database.call("SELECT * FROM aos.upstreams_of_every_tenant()", ())
    return [(row["tenant_id"], _upstream(row)) for row in rows]


async def every_alias(database: Database) -> list[tuple[str, Alias]]:
    """Every tenant's aliases, with their tenant: for the snapshot."""
    rows = await database.call("SELECT * FROM aos.aliases_of_every_tenant()", ())
    return [(row["tenant_id"], _alias(row)) for row in rows]


async def upstreams(tx: Transaction) -> list[Upstream]:
    """The upstreams of the transaction's tenant, by id."""
    cursor = await tx.execute("SELECT * FROM aos.upstreams ORDER BY id LIMIT 1000")
    return [_upstream(row) for row in await cursor.fetchall()]


async def aliases(tx: Transaction) -> list[Alias]:
    """The aliases of the transaction's tenant, by name."""
    cursor = await tx.execute("SELECT * FROM aos.aliases ORDER BY name LIMIT 10000")
    return [_alias(row) for row in await cursor.fetchall()]


async def save_upstream(tx: Transaction, tenant_id: str, upstream: Upstream) -> None:
    """Declare an upstream, or change the one of this id."""
    await tx.execute(
        """
        INSERT INTO aos.upstreams AS u
          (tenant_id, id, kind, base_url, api_key_env, prices_of, models)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (tenant_id, id) DO UPDATE SET
          kind = excluded.kind, base_url = excluded.base_url, api_key_env = excluded.api_key_env,
          prices_of = excluded.prices_of, models = excluded.models, updated_at = now()
        """,
        (
            tenant_id,
            upstream.id,
            upstream.kind.value,
            upstream.base_url,
            upstream.api_key_env,
            upstream.prices_of,
            Jsonb([asdict(model) for model in upstream.models]),
        ),
    )


async def delete_upstream(tx: Transaction, upstream_id: str) -> None:
    """Forget an upstream; calls under way on it end as they would have."""
    await tx.execute("DELETE FROM aos.upstreams WHERE id = %s", (upstream_id,))


async def save_alias(tx: Transaction, tenant_id: str, alias: Alias) -> None:
    """Declare an alias, or change where it leads."""
    await tx.execute(
        """
        INSERT INTO aos.aliases (tenant_id, name, targets) VALUES (%s, %s, %s)
        ON CONFLICT (tenant_id, name) DO UPDATE SET
          targets = excluded.targets, updated_at = now()
        """,
        (tenant_id, alias.name, list(alias.targets)),
    )


async def delete_alias(tx: Transaction, name: str) -> None:
    """Forget an alias."""
    await tx.execute("DELETE FROM aos.aliases WHERE name = %s", (name,))


async def announce(tx: Transaction) -> None:
    """Tell every process that its snapshot is stale, when the transaction commits."""
    await tx.execute("SELECT aos.changed('config')")


def _upstream(row: dict[str, Any]) -> Upstream:
    return Upstream(
        id=row["id"],
        kind=UpstreamKind(row["kind"]),
        base_url=row["base_url"],
        api_key_env=row["api_key_env"],
        prices_of=row["prices_of"],
        models=tuple(DeclaredModel(**model) for model in row["models"]),
    )


def _alias(row: dict[str, Any]) -> Alias:
    return Alias(row["name"], tuple(row["targets"]))
