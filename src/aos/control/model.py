"""What the control plane is given. A resource adds a field here and a line in `api.ROUTERS`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from aos.budgets import Budgets, Standings
from aos.catalog import Catalog, Prices
from aos.control.config import Configuration
from aos.identity import Agents, Authenticator, Keys, OwnBudgets, SpendReader, Tenants
from aos.infra.postgres import Database
from aos.infra.wiring import Port
from aos.kit.clock import Clock
from aos.ledger import Ledger


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    enforce_tenancy: bool = False
    """X-Tenant-Id is required (ENFORCE_TENANCY)."""
    enforce_scopes: bool = True
    """A key needs the scope for what it does (RBAC_ENFORCE)."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What this process runs on, by the profile that it was started with."""

    profile: Literal["development", "production"]
    ports: Sequence[Port]


@dataclass(frozen=True, slots=True)
class ControlServices:
    """The rooms' services, each made once in `app`."""

    database: Database
    clock: Clock
    policy: AccessPolicy
    authenticator: Authenticator
    tenants: Tenants
    agents: Agents
    keys: Keys
    own_budgets: OwnBudgets
    spend: SpendReader
    configuration: Configuration
    budgets: Budgets
    standings: Standings
    ledger: Ledger
    catalog: Catalog
    prices: Prices
    wiring: Callable[[], Wiring]
    """Asked anew each time: a declared provider comes and goes while the process runs."""
