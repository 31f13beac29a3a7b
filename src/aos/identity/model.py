"""Who calls, what they may, and what identity asks of the rooms that keep the money."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from aos.infra.postgres import Transaction
from aos.kit.money import Nanousd


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


class KeyOrigin(StrEnum):
    """Where a key comes from. The last two are the admin key that a start makes."""

    API = "api"
    HOME = "home"
    ENVIRONMENT = "environment"
    """AOS_API_KEY is its secret, and the only way to change it."""


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What a key may do and how its calls are labelled: all that can be chosen and changed.

    `models` are globs or aliases, empty = every model. `rpm`, `tpm` and `max_parallel` are kept,
    and not yet enforced. `team_id` and `user_id` are labels that an administrator sets; no caller
    can choose its own.
    """

    name: str
    scopes: frozenset[Scope] = frozenset({Scope.INVOKE})
    agent_id: str | None = None
    team_id: str | None = None
    user_id: str | None = None
    models: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    rpm: int | None = None
    tpm: int | None = None
    max_parallel: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored; the secret itself is nowhere, only its SHA-256."""

    id: str
    tenant_id: str
    prefix: str
    origin: KeyOrigin
    terms: KeyTerms
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret in clear, this once."""

    key: ApiKey
    secret: str = field(repr=False)


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


@dataclass(frozen=True, slots=True)
class Tenant:
    id: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewTenant:
    """A tenant that has just been made, with the secret of its admin key, this once."""

    tenant: Tenant
    key_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AdminKey:
    """The admin key after a start. `path` is the file that keeps it; None where AOS_API_KEY does.

    Both are None where the database has an admin key that this home does not hold.
    """

    secret: str | None = field(repr=False)
    path: Path | None
    created: bool


class OwnerKind(StrEnum):
    AGENT = "agent"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Owner:
    """Something that a budget can be a field of."""

    kind: OwnerKind
    id: str

    def __str__(self) -> str:
        """As in a budget's `managed_by`: `agent:agt_…`, `key:key_…`."""
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class OwnBudget:
    """The budget that is a field of a key or an agent. Words and defaults as in budgets."""

    limit: Nanousd
    period: str = "TOTAL"
    timezone: str = "UTC"
    action: str = "BLOCK"
    downgrade_model: str | None = None
    warning_percent: int = 80
    critical_percent: int = 100
    name: str | None = None
    """None: named after its owner."""


class OwnBudgets(Protocol):
    """Keeps budgets that are fields of keys and agents; `budgets` implements it.

    Each verb works in the caller's tenant transaction and never commits.
    """

    async def set_own(
        self, tx: Transaction, tenant_id: str, owner: Owner, own: OwnBudget | None
    ) -> None:
        """Make, change or (None) end the budget of this owner. Raises InvalidInput."""
        ...

    async def find_own(self, tx: Transaction, owners: Sequence[Owner]) -> dict[Owner, OwnBudget]:
        """Those of these owners that have one."""
        ...

    async def refresh(self) -> None:
        """After the commit: what it made binds the next call of this process."""
        ...


@dataclass(frozen=True, slots=True)
class BindingBudget:
    """A budget that binds a key's calls, as it stands now. `reset_at` None = never."""

    id: str
    name: str
    scope: str
    action: str
    limit: Nanousd
    spent: Nanousd
    pending: Nanousd
    remaining: Nanousd
    reset_at: datetime | None


class SpendReader(Protocol):
    """Reads the ledger for keys and agents; `budgets` implements it."""

    async def spent(self, tx: Transaction, owners: Sequence[Owner]) -> dict[Owner, Nanousd]:
        """What each has spent in its whole life; absent = nothing."""
        ...

    async def binding(self, tx: Transaction, caller: Caller) -> tuple[BindingBudget, ...]:
        """The budgets that every call of this caller must fit in."""
        ...
