"""Budgets over the test's own database, with money that can be spent under them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from aos.budgets import (
    Admission,
    Budget,
    Budgets,
    Hold,
    SpendFacts,
    SpendRequest,
    Standing,
    Standings,
)
from aos.identity import Agent, Agents, Keys, KeyTerms, Tenants
from aos.infra.postgres import Database
from aos.infra.settings import LeaseSettings
from aos.kit import ids
from aos.kit.clock import SystemClock
from aos.kit.money import Nanousd, parse_usd
from aos.ledger import Lease, Ledger, Settlement, SettlementKind
from tests.budgets.definitions.samples import terms


@dataclass
class Bench:
    """The rooms of money, and the verbs of the tests. Every verb is a transaction of its own."""

    database: Database
    ledger: Ledger
    budgets: Budgets
    standings: Standings
    admission: Admission
    tenant_id: str = "default"

    async def run(self, verb: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        async with self.database.tenant(self.tenant_id) as tx:
            result = await verb(tx, *arguments, **named)
        await self.budgets.refresh()
        return result

    async def create(self, **changes: Any) -> Budget:
        budget: Budget = await self.run(self.budgets.create, terms(**changes))
        return budget

    async def standing(self, budget: Budget) -> Standing:
        async with self.database.tenant(self.tenant_id) as tx:
            return await self.standings.of(tx, await self.budgets.get(tx, budget.id))

    async def hold(self, usd: str, **facts: Any) -> Hold:
        """Raises what admission raises."""
        at = SystemClock().now()
        fields: dict[str, Any] = {"tenant_id": self.tenant_id, "key_id": "key_1", "model": "m"}
        asked = SpendFacts(**fields | {"at": at} | facts)
        request = SpendRequest(
            hold_id=ids.new("hold", at),
            call_id=ids.new("call", at),
            facts=asked,
            matches=self.budgets.book.match(asked),
            bound=parse_usd(usd),
            reserve=Nanousd(0),
            call=b"{}",
            wait_seconds=0,
        )
        held = await self.admission.hold(request)
        assert isinstance(held, Hold)
        return held

    async def settle(self, held: Hold, usd: str) -> None:
        cost = Settlement(held.id, self.tenant_id, SettlementKind.POST, parse_usd(usd))
        async with self.database.system() as tx:
            await self.ledger.settle(tx, [cost])

    async def spend(self, usd: str, **facts: Any) -> None:
        await self.settle(await self.hold(usd, **facts), usd)

    async def agent(self, name: str = "a", *, budget_cents: int | None = None) -> Agent:
        agents = Agents(self.budgets, SystemClock(), alert_threshold=0.8)
        agent: Agent = await self.run(
            agents.create, self.tenant_id, name=name, budget_cents=budget_cents
        )
        return agent

    async def key(self, name: str = "k") -> str:
        keys = Keys(self.budgets, SystemClock())
        made = await self.run(keys.create, self.tenant_id, KeyTerms(name=name))
        key_id: str = made.key.id
        return key_id


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    lease = Lease(database, LeaseSettings())
    await lease.start()
    await Tenants(database).ensure("other", "other")
    clock = SystemClock()
    ledger = Ledger(database, lease.process_id)
    budgets = Budgets(database, ledger, clock)
    admission = Admission(
        ledger,
        lambda facts: budgets.book.match(facts),  # noqa: PLW0108 - the book of that moment
        clock,
    )
    yield Bench(database, ledger, budgets, Standings(lambda: budgets.book, clock), admission)
    await lease.stop()
