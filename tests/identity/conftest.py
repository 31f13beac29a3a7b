from collections.abc import Awaitable, Callable, Sequence

import pytest

from aos.identity import (
    Agents,
    Authenticator,
    BindingBudget,
    Caller,
    Keys,
    OwnBudget,
    Owner,
    Tenants,
)
from aos.infra.postgres import Database, Transaction
from aos.kit.clock import SystemClock
from aos.kit.money import Nanousd


class SilentNews:
    """Never tells anything by itself; its age is what the test says."""

    def __init__(self, age_seconds: float = 0.0) -> None:
        self.age_seconds = age_seconds
        self.callbacks: dict[str, Callable[[], Awaitable[None]]] = {}

    def stale_seconds(self, topic: str) -> float:
        return self.age_seconds

    def subscribe(self, topic: str, callback: Callable[[], Awaitable[None]]) -> None:
        self.callbacks[topic] = callback


class RememberedBudgets:
    """Implements OwnBudgets and SpendReader in memory: the money rooms lie above this one."""

    def __init__(self) -> None:
        self.own: dict[Owner, OwnBudget] = {}
        self.spending: dict[Owner, Nanousd] = {}
        self.refreshed = 0

    async def set_own(
        self, tx: Transaction, tenant_id: str, owner: Owner, own: OwnBudget | None
    ) -> None:
        self.own.pop(owner, None)
        if own is not None:
            self.own[owner] = own

    async def find_own(self, tx: Transaction, owners: Sequence[Owner]) -> dict[Owner, OwnBudget]:
        return {owner: self.own[owner] for owner in owners if owner in self.own}

    async def refresh(self) -> None:
        self.refreshed += 1

    async def spent(self, tx: Transaction, owners: Sequence[Owner]) -> dict[Owner, Nanousd]:
        return {owner: self.spending[owner] for owner in owners if owner in self.spending}

    async def binding(self, tx: Transaction, caller: Caller) -> tuple[BindingBudget, ...]:
        return ()


@pytest.fixture
def budgets() -> RememberedBudgets:
    return RememberedBudgets()


@pytest.fixture
def keys(budgets: RememberedBudgets) -> Keys:
    return Keys(budgets, SystemClock())


@pytest.fixture
def agents(budgets: RememberedBudgets) -> Agents:
    return Agents(budgets, SystemClock(), alert_threshold=0.8)


@pytest.fixture
async def tenants(database: Database) -> Tenants:
    """With tenants ten_1 and ten_2 beside `default`."""
    tenants = Tenants(database)
    await tenants.ensure("ten_1", "one")
    await tenants.ensure("ten_2", "two")
    return tenants


@pytest.fixture
def authenticator(database: Database) -> Authenticator:
    return Authenticator(database, SilentNews(), SystemClock())
