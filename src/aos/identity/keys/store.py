"""The SQL of keys and their secrets. In a tenant transaction row security picks the rows."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg.errors
from psycopg.types.json import Jsonb

from aos.identity.errors import AgentNotFound, NameTaken
from aos.identity.model import ApiKey, KeyOrigin, KeyTerms, Scope
from aos.infra.postgres import Transaction


async def insert_key(tx: Transaction, key: ApiKey, digest: bytes) -> ApiKey:
    """→ live, with its first secret. Raises NameTaken, AgentNotFound."""
    try:
        cursor = await tx.execute(
            """INSERT INTO aos.api_keys (id, tenant_id, prefix, name, scopes, agent_id, team_id,
                 user_id, models, tags, rpm, tpm, max_parallel, expires_at)
               VALUES (%(id)s, %(tenant_id)s, %(prefix)s, %(name)s, %(scopes)s, %(agent_id)s,
                 %(team_id)s, %(user_id)s, %(models)s, %(tags)s, %(rpm)s, %(tpm)s,
                 %(max_parallel)s, %(expires_at)s)
               RETURNING *""",
            _columns(key),
        )
        stored = _key_from(await cursor.fetchone() or {})
    except psycopg.errors.UniqueViolation as error:
        raise _name_taken(key) from error
    except psycopg.errors.ForeignKeyViolation as error:
        raise _no_agent(key) from error
    await _insert_secret(tx, stored, digest)
    return stored


async def select_key(tx: Transaction, key_id: str, *, for_change: bool = False) -> ApiKey | None:
    """One key, revoked or not; locked until the end of `tx` when it is to be changed."""
    cursor = await tx.execute(
        """SELECT * FROM aos.api_keys WHERE id = %s FOR NO KEY UPDATE"""
        if for_change
        else """SELECT * FROM aos.api_keys WHERE id = %s""",
        (key_id,),
    )
    row = await cursor.fetchone()
    return _key_from(row) if row else None


async def select_key_named(tx: Transaction, name: str) -> ApiKey | None:
    """The live key of this name."""
    cursor = await tx.execute(
        "SELECT * FROM aos.api_keys WHERE name = %s AND revoked_at IS NULL", (name,)
    )
    row = await cursor.fetchone()
    return _key_from(row) if row else None


async def select_keys(
    tx: Transaction, before_id: str | None, limit: int, agent_id: str | None, *, revoked: bool
) -> list[ApiKey]:
    """Newest first, those older than `before_id`; the revoked ones too when asked for."""
    cursor = await tx.execute(
        """SELECT * FROM aos.api_keys
           WHERE (%(before)s::text IS NULL OR id < %(before)s)
             AND (%(agent)s::text IS NULL OR agent_id = %(agent)s)
             AND (%(revoked)s OR revoked_at IS NULL)
           ORDER BY id DESC LIMIT %(limit)s""",
        {"before": before_id, "agent": agent_id, "revoked": revoked, "limit": limit},
    )
    return [_key_from(row) for row in await cursor.fetchall()]


async def update_key(tx: Transaction, key: ApiKey) -> ApiKey:
    """What can be changed of a key. Raises NameTaken, AgentNotFound."""
    try:
        cursor = await tx.execute(
            """UPDATE aos.api_keys SET name = %(name)s, scopes = %(scopes)s,
                 agent_id = %(agent_id)s, team_id = %(team_id)s, user_id = %(user_id)s,
                 models = %(models)s, tags = %(tags)s, rpm = %(rpm)s, tpm = %(tpm)s,
                 max_parallel = %(max_parallel)s, expires_at = %(expires_at)s
               WHERE id = %(id)s RETURNING *""",
            _columns(key),
        )
        changed = _key_from(await cursor.fetchone() or {})
    except psycopg.errors.UniqueViolation as error:
        raise _name_taken(key) from error
    except psycopg.errors.ForeignKeyViolation as error:
        raise _no_agent(key) from error
    await _announce(tx)
    return changed


async def revoke_key(tx: Transaction, key_id: str, at: datetime) -> ApiKey | None:
    """Live → revoked, for good; the instant of the first revocation stays."""
    cursor = await tx.execute(
        """UPDATE aos.api_keys SET revoked_at = coalesce(revoked_at, %s)
           WHERE id = %s RETURNING *""",
        (at, key_id),
    )
    row = await cursor.fetchone()
    await _announce(tx)
    return _key_from(row) if row else None


async def replace_secret(
    tx: Transaction, key: ApiKey, digest: bytes, prefix: str, old_until: datetime
) -> ApiKey:
    """The new secret is current; each old one works until `old_until`, none longer than before."""
    await tx.execute(
        """UPDATE aos.api_key_secrets
           SET valid_until = least(coalesce(valid_until, 'infinity'), %s)
           WHERE key_id = %s""",
        (old_until, key.id),
    )
    # Long enough for a late caller to be told that its key was rotated.
    await tx.execute(
        """DELETE FROM aos.api_key_secrets
           WHERE key_id = %s AND valid_until < now() - interval '30 days'""",
        (key.id,),
    )
    await _insert_secret(tx, key, digest)
    cursor = await tx.execute(
        "UPDATE aos.api_keys SET prefix = %s WHERE id = %s RETURNING *", (prefix, key.id)
    )
    changed = _key_from(await cursor.fetchone() or {})
    await _announce(tx)
    return changed


async def _insert_secret(tx: Transaction, key: ApiKey, digest: bytes) -> None:
    await tx.execute(
        "INSERT INTO aos.api_key_secrets (digest, tenant_id, key_id) VALUES (%s, %s, %s)",
        (digest, key.tenant_id, key.id),
    )


async def _announce(tx: Transaction) -> None:
    await tx.execute("SELECT aos.changed('keys')")


def _columns(key: ApiKey) -> dict[str, Any]:
    terms = key.terms
    return {
        "id": key.id,
        "tenant_id": key.tenant_id,
        "prefix": key.prefix,
        "name": terms.name,
        "scopes": sorted(terms.scopes),
        "agent_id": terms.agent_id,
        "team_id": terms.team_id,
        "user_id": terms.user_id,
        "models": list(terms.models),
        "tags": Jsonb(terms.tags),
        "rpm": terms.rpm,
        "tpm": terms.tpm,
        "max_parallel": terms.max_parallel,
        "expires_at": terms.expires_at,
    }


def _key_from(row: Mapping[str, Any]) -> ApiKey:
    return ApiKey(
        id=row["id"],
        tenant_id=row["tenant_id"],
        prefix=row["prefix"],
        origin=KeyOrigin(row["origin"]),
        terms=KeyTerms(
            name=row["name"],
            scopes=frozenset(Scope(word) for word in row["scopes"]),
            agent_id=row["agent_id"],
            team_id=row["team_id"],
            user_id=row["user_id"],
            models=tuple(row["models"]),
            tags=row["tags"],
            rpm=row["rpm"],
            tpm=row["tpm"],
            max_parallel=row["max_parallel"],
            expires_at=_utc(row["expires_at"]),
        ),
        created_at=row["created_at"].astimezone(UTC),
        revoked_at=_utc(row["revoked_at"]),
    )


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)


def _name_taken(key: ApiKey) -> NameTaken:
    name = key.terms.name
    return NameTaken(f"there is a live key named {name!r} already", name=name)


def _no_agent(key: ApiKey) -> AgentNotFound:
    return AgentNotFound(f"there is no agent {key.terms.agent_id} in this tenant")
