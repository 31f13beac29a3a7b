"""Look-ups on the path of a call, each one procedure call and one round trip."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aos.identity.agents.store import agent_from
from aos.identity.model import Agent, Caller, Scope
from aos.infra.postgres import Database


@dataclass(frozen=True, slots=True)
class KnownSecret:
    """A secret that belongs to a key, which may be over. `valid_until`: a rotated secret's end."""

    caller: Caller
    revoked_at: datetime | None
    valid_until: datetime | None


async def find_secret(database: Database, digest: bytes) -> KnownSecret | None:
    """The key that this secret belongs to, whatever its tenant."""
    rows = await database.call("SELECT * FROM aos.key_lookup(%s)", (digest,))
    return _known_secret(rows[0]) if rows else None


async def find_agent(database: Database, tenant_id: str, agent_id: str) -> Agent | None:
    """An agent of this tenant, archived or not."""
    rows = await database.call("SELECT * FROM aos.agent_lookup(%s, %s)", (tenant_id, agent_id))
    return agent_from(rows[0]) if rows else None


def _known_secret(row: Mapping[str, Any]) -> KnownSecret:
    expires_at = row["expires_at"]
    return KnownSecret(
        caller=Caller(
            tenant_id=row["tenant_id"],
            key_id=row["key_id"],
            scopes=frozenset(Scope(word) for word in row["scopes"]),
            agent_id=row["agent_id"],
            team_id=row["team_id"],
            user_id=row["user_id"],
            models=tuple(row["models"]),
            tags=row["tags"],
            expires_at=None if expires_at is None else expires_at.astimezone(UTC),
        ),
        revoked_at=row["revoked_at"],
        valid_until=row["valid_until"],
    )
