"""Who calls, and what they may."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Scope(StrEnum):
    """What a key may do. `ADMIN` may do everything in its tenant."""

    ADMIN = "admin"
    INVOKE = "invoke"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Caller:
    """The one who calls, as its key says. `models` are globs or aliases; empty = every model."""

    tenant_id: str
    key_id: str
    scopes: frozenset[Scope]
    agent_id: str | None = None
    team_id: str | None = None
    user_id: str | None = None
    models: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None

    def may(self, scope: Scope) -> bool:
        return Scope.ADMIN in self.scopes or scope in self.scopes


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored; the secret itself is nowhere, only its SHA-256."""

    id: str
    tenant_id: str
    name: str
    prefix: str
    scopes: frozenset[Scope]
    agent_id: str | None
    team_id: str | None
    user_id: str | None
    models: tuple[str, ...]
    tags: dict[str, str]
    rpm: int | None
    tpm: int | None
    max_parallel: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class AgentStatus(StrEnum):
    ACTIVE = "active"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Agent:
    """An owner of keys, budgets and (later) runs. `budget_cents` 0 or None = no lifetime budget."""

    id: str
    tenant_id: str
    name: str
    budget_cents: int | None
    budget_alert_threshold: float
    status: AgentStatus
    created_at: datetime
