"""The control plane over the real rooms of money, and money spent under it."""

from dataclasses import dataclass

from aos.budgets import Admission, Budgets, Hold, SpendFacts, SpendRequest, Standings
from aos.catalog import Catalog, Prices
from aos.control import (
    AccessPolicy,
    AgentsSection,
    AliasesSection,
    Configuration,
    ControlServices,
    KeysSection,
    Wiring,
)
from aos.identity import Agents, Authenticator, Keys, Tenants
from aos.infra.postgres import Database
from aos.infra.wiring import port
from aos.kit import ids
from aos.kit.clock import SystemClock
from aos.kit.money import Nanousd, parse_usd
from aos.ledger import Lease, Ledger, Settlement, SettlementKind
from aos.routing import Routing
from tests.identity.conftest import SilentNews


async def real_services(database: Database, lease: Lease) -> ControlServices:
    """With tenants ten_1 and ten_2."""
    clock = SystemClock()
    tenants = Tenants(database)
    await tenants.ensure("ten_1", "one")
    await tenants.ensure("ten_2", "two")
    ledger = Ledger(database, lease.process_id)
    budgets = Budgets(database, ledger, clock)
    standings = Standings(lambda: budgets.book, clock)
    agents, keys = Agents(budgets, clock, alert_threshold=0.8), Keys(budgets, clock)
    return ControlServices(
        database=database,
        clock=clock,
        policy=AccessPolicy(),
        authenticator=Authenticator(database, SilentNews(), clock),
        tenants=tenants,
        agents=agents,
        keys=keys,
        own_budgets=budgets,
        spend=standings,
        configuration=Configuration(
            database,
            (
                AliasesSection(Routing()),
                AgentsSection(agents),
                KeysSection(keys, agents, budgets),
            ),
        ),
        budgets=budgets,
        standings=standings,
        ledger=ledger,
        catalog=Catalog(database),
        prices=Prices(database),
        wiring=lambda: Wiring("development", [port("database", database)]),
    )


@dataclass
class Till:
    """Spends as the gateway would, for tenant ten_1."""

    services: ControlServices

    async def hold(self, usd: str, call_id: str | None = None, **labels: str) -> Hold:
        at = SystemClock().now()
        facts = SpendFacts(
            tenant_id="ten_1",
            key_id=labels.get("key_id", "key_1"),
            model=labels.get("model", "m"),
            at=at,
            agent_id=labels.get("agent_id"),
        )
        request = SpendRequest(
            hold_id=ids.new("hold", at),
            call_id=call_id or ids.new("call", at),
            facts=facts,
            matches=self.services.budgets.book.match(facts),
            bound=parse_usd(usd),
            reserve=Nanousd(0),
            call=b"{}",
            wait_seconds=0,
        )
        held = await Admission(self.services.ledger, self.services.budgets.book.match).hold(request)
        assert isinstance(held, Hold)
        return held

    async def settle(self, held: Hold, usd: str) -> None:
        cost = Settlement(held.id, "ten_1", SettlementKind.POST, parse_usd(usd))
        async with self.services.database.system() as tx:
            await self.services.ledger.settle(tx, [cost])

    async def spend(self, usd: str, **labels: str) -> None:
        await self.settle(await self.hold(usd, **labels), usd)
