"""Hands the rooms' services to the control plane."""

from aos.app.api import AsgiApp
from aos.app.model import Core
from aos.app.ports import ports_of_core
from aos.budgets import Standings
from aos.catalog import Prices
from aos.control import AccessPolicy, ControlServices, Wiring, create_control_app
from aos.control.config import (
    AgentsSection,
    AliasesSection,
    BudgetsSection,
    Configuration,
    KeysSection,
    ProvidersSection,
)
from aos.identity import Agents, Keys, Tenants
from aos.infra.postgres import Transaction
from aos.routing import Routing


def control_of(core: Core) -> AsgiApp:
    """The control plane over these rooms."""
    server = core.settings.server
    agents = Agents(core.budgets, core.clock, alert_threshold=core.settings.budgets.alert_threshold)
    keys = Keys(core.budgets, core.clock)
    standings = Standings(lambda: core.budgets.book, core.clock)
    services = ControlServices(
        database=core.database,
        clock=core.clock,
        policy=AccessPolicy(
            enforce_tenancy=server.tenancy_enforced, enforce_scopes=server.rbac_enforce
        ),
        authenticator=core.authenticator,
        tenants=Tenants(core.database),
        agents=agents,
        keys=keys,
        own_budgets=core.budgets,
        spend=standings,
        budgets=core.budgets,
        standings=standings,
        ledger=core.ledger,
        configuration=_configuration(core, agents, keys),
        catalog=core.catalog,
        prices=Prices(core.database),
        wiring=lambda: Wiring(server.environment, ports_of_core(core)),
    )
    return create_control_app(services)


def _configuration(core: Core, agents: Agents, keys: Keys) -> Configuration:
    routing = Routing()

    async def warn(tx: Transaction) -> list[str]:
        return core.directory.dead_ends(await routing.declared(tx))

    return Configuration(
        core.database,
        (
            ProvidersSection(routing, Prices(core.database), core.clock),
            AliasesSection(routing),
            AgentsSection(agents),
            KeysSection(keys, agents, core.budgets),
            BudgetsSection(core.budgets, agents, keys),
        ),
        after_commit=(
            core.directory.refresh_prices,
            core.directory.refresh_routes,
            core.budgets.refresh,
            core.authenticator.forget_keys,
            core.authenticator.forget_agents,
        ),
        warn=warn,
    )
