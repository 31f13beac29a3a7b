"""Applying against what really stands."""

import asyncio
from typing import Any

import pytest

from aos.budgets import Budgets, UnknownSubject
from aos.catalog import Catalog, InvalidPrice, PriceBook, Prices, PriceUnit
from aos.control.config import Configuration
from aos.control.config.errors import InvalidConfig, ProvidersForbidden
from aos.control.config.model import Outcome
from aos.control.config.sections import (
    AgentsSection,
    AliasesSection,
    BudgetsSection,
    KeysSection,
    ProvidersSection,
)
from aos.identity import Agents, AgentStatus, Authenticator, Keys, KeyTerms, Tenants
from aos.infra.postgres import Database
from aos.kit.clock import SystemClock
from aos.ledger import Ledger
from aos.routing import InvalidRoute, RouteBook, Routing
from tests.identity.conftest import SilentNews

DOCUMENT: dict[str, Any] = {
    "version": 1,
    "providers": {
        "local": {
            "kind": "openai-compatible",
            "base_url": "http://127.0.0.1:11434/v1",
            "models": {
                "llama-3": {"context_window": 8192, "price": {"input": "0.05", "output": "0.08"}}
            },
        }
    },
    "aliases": {"fast": ["llama-3"]},
    "agents": {"scout": {"budget_cents": 500}},
    "keys": {
        "ci": {"agent": "scout", "models": ["fast"], "budget": {"limit_usd": "5.00"}},
    },
    "budgets": {
        "everything": {"scope": "GLOBAL", "period": "MONTHLY", "limit_usd": "50.00"},
        "scouting": {
            "scope": "PER_AGENT",
            "scope_value": "scout",
            "period": "DAILY",
            "limit_usd": "0.000000001",
            "timezone": "Europe/Berlin",
            "warning_threshold_percent": 70,
        },
        "the pipeline": {
            "scope": "PER_KEY",
            "scope_value": "ci",
            "period": "WEEKLY",
            "limit_usd": "3.00",
            "action_on_breach": "DOWNGRADE_MODEL",
            "downgrade_model": "gpt-4o-mini",
        },
    },
}


class World:
    """A database with the sections that stand on it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        clock = SystemClock()
        budgets = Budgets(database, Ledger(database, "proc_test"), clock)
        self.budgets = budgets
        self.agents = Agents(budgets, clock, alert_threshold=0.8)
        self.keys = Keys(budgets, clock)
        routing = Routing()
        self.configuration = Configuration(
            database,
            (
                ProvidersSection(routing, Prices(database), clock),
                AliasesSection(routing),
                AgentsSection(self.agents),
                KeysSection(self.keys, self.agents, budgets),
                BudgetsSection(budgets, self.agents, self.keys),
            ),
        )

    async def apply(
        self,
        document: dict[str, Any],
        *,
        dry_run: bool = False,
        prune: bool = False,
        tenant_id: str = "default",
    ) -> Outcome:
        if dry_run:
            return await self.configuration.preview(tenant_id, document, prune=prune)
        async with self.database.tenant(tenant_id) as tx:
            return await self.configuration.apply(tx, tenant_id, document, prune=prune)

    async def export(self, tenant_id: str = "default") -> dict[str, Any]:
        async with self.database.tenant(tenant_id) as tx:
            return await self.configuration.export(tx)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def told(outcome: Outcome) -> list[str]:
    return [f"{one.action} {one.kind} {one.name}" for one in outcome.changes]


async def test_a_file_is_applied_once_and_then_changes_nothing(world: World) -> None:
    first = await world.apply(DOCUMENT)
    assert told(first) == [
        "create providers local",
        "create aliases fast",
        "create agents scout",
        "create keys ci",
        "create budgets everything",
        "create budgets scouting",
        "create budgets the pipeline",
    ]
    again = await world.apply(DOCUMENT)
    assert again.applied
    assert (again.changes, again.created_keys) == ((), ())


async def test_a_new_keys_secret_works_and_is_shown_once(world: World) -> None:
    outcome = await world.apply(DOCUMENT)
    (created,) = outcome.created_keys
    assert created.secret not in repr(outcome)
    authenticator = Authenticator(world.database, SilentNews(), SystemClock())
    caller = await authenticator.authenticate(created.secret)
    assert caller.key_id == created.id
    assert caller.models == ("fast",)
    assert caller.agent_id is not None


async def test_what_is_exported_changes_nothing_when_applied(world: World) -> None:
    await world.apply(DOCUMENT)
    exported = await world.export()
    assert exported == DOCUMENT | {
        "aliases": {"fast": "llama-3"},
        "agents": {"scout": {"budget_cents": 500, "budget_alert_threshold": 0.8}},
    }
    assert (await world.apply(exported, prune=True)).changes == ()


async def test_a_budget_follows_the_file_and_keeps_what_is_spent(world: World) -> None:
    await world.apply(DOCUMENT)
    lower = {"scope": "GLOBAL", "period": "MONTHLY", "limit_usd": "40"}
    budgets = {**DOCUMENT["budgets"], "everything": lower}
    (change,) = (await world.apply({**DOCUMENT, "budgets": budgets})).changes
    assert change.fields == {"limit_usd": ("50.00", "40.00")}
    await world.budgets.refresh()
    assert len(world.budgets.book) == 5, "three of the file, the agent's own and the key's own"


async def test_a_budget_of_nobody_is_refused(world: World) -> None:
    nobody = {**DOCUMENT["budgets"]["scouting"], "scope_value": "nobody"}
    with pytest.raises(UnknownSubject):
        await world.apply({**DOCUMENT, "budgets": {"x": nobody}})


async def test_a_dry_run_tells_all_and_does_nothing(world: World) -> None:
    outcome = await world.apply(DOCUMENT, dry_run=True)
    assert len(outcome.changes) == 7
    assert not outcome.applied
    assert outcome.created_keys == ()
    assert await world.export() == {"version": 1}


async def test_a_change_keeps_the_thing_and_alters_the_field(world: World) -> None:
    await world.apply(DOCUMENT)
    changed = {
        **DOCUMENT,
        "agents": {"scout": {"budget_cents": 700}},
        "keys": {"ci": {"models": ["gpt-4o"], "budget": {"limit_usd": "6"}}},
        "aliases": {"fast": "gpt-4o-mini"},
    }
    outcome = await world.apply(changed)
    assert told(outcome) == ["update aliases fast", "update agents scout", "update keys ci"]
    assert outcome.created_keys == ()
    by_name = {change.name: change.fields for change in outcome.changes}
    assert by_name["scout"] == {"budget_cents": (500, 700)}
    assert set(by_name["ci"]) == {"agent", "models", "budget"}
    exported = await world.export()
    assert exported["agents"]["scout"]["budget_cents"] == 700
    assert exported["keys"]["ci"] == {"models": ["gpt-4o"], "budget": {"limit_usd": "6.00"}}
    without = {**changed, "keys": {"ci": {"models": ["gpt-4o"]}}}
    await world.apply(without)
    assert (await world.export())["keys"]["ci"] == {"models": ["gpt-4o"]}


async def test_pruning_takes_away_what_an_apply_made_and_nothing_else(world: World) -> None:
    await world.apply(DOCUMENT)
    async with world.database.tenant("default") as tx:
        await world.agents.create(tx, "default", name="by hand")
        await world.keys.create(tx, "default", KeyTerms(name="by hand"))
    kept = await world.apply({"version": 1})
    assert kept.changes == ()
    outcome = await world.apply({"version": 1}, prune=True)
    assert told(outcome) == [
        "delete budgets the pipeline",
        "delete budgets scouting",
        "delete budgets everything",
        "delete keys ci",
        "delete agents scout",
        "delete aliases fast",
        "delete providers local",
    ]
    left = await world.export()
    assert set(left) == {"version", "agents", "keys"}
    assert set(left["agents"]) == set(left["keys"]) == {"by hand"}
    async with world.database.tenant("default") as tx:
        archived = await world.agents.list(tx, limit=10, status=AgentStatus.ARCHIVED)
    assert [agent.name for agent in archived] == ["scout"]
    assert (await world.apply({"version": 1}, prune=True)).changes == ()


async def test_naming_a_thing_takes_it_over(world: World) -> None:
    async with world.database.tenant("default") as tx:
        agent = await world.agents.create(tx, "default", name="by hand")
    named = {"version": 1, "agents": {"by hand": {}}}
    assert (await world.apply(named)).changes == ()
    outcome = await world.apply({"version": 1}, prune=True)
    assert told(outcome) == ["delete agents by hand"]
    async with world.database.tenant("default") as tx:
        assert (await world.agents.get(tx, agent.id)).status is AgentStatus.ARCHIVED


async def test_one_mistake_and_nothing_is_applied(world: World) -> None:
    broken = {**DOCUMENT, "aliases": {"a": "b", "b": "gpt-4o"}}
    with pytest.raises(InvalidRoute, match="is an alias itself"):
        await world.apply(broken)
    with pytest.raises(InvalidRoute):
        await world.apply(broken, dry_run=True)
    with pytest.raises(InvalidConfig):
        await world.apply({**DOCUMENT, "budgets": {"x": {}}})
    assert await world.export() == {"version": 1}


async def test_the_order_of_aliases_within_one_apply_does_not_matter(world: World) -> None:
    await world.apply({"version": 1, "aliases": {"a": "gpt-4o", "b": "gpt-4o-mini"}})
    swapped = {"version": 1, "aliases": {"c": "a", "a2": "b"}}
    with pytest.raises(InvalidRoute):
        await world.apply(swapped)
    assert (await world.apply(swapped, prune=True)).applied


async def test_another_tenant_declares_no_providers(world: World, tenants: Tenants) -> None:
    with pytest.raises(ProvidersForbidden):
        await world.apply(DOCUMENT, tenant_id="ten_1")
    others = {"version": 1, "aliases": {"fast": "gpt-4o"}}
    await world.apply(others, tenant_id="ten_1")
    assert await world.export() == {"version": 1}
    assert await world.export("ten_1") == others


async def test_two_applies_at_once_make_each_thing_once(world: World) -> None:
    outcomes = await asyncio.gather(*(world.apply(DOCUMENT) for _ in range(4)))
    assert sorted(len(one.changes) for one in outcomes) == [0, 0, 0, 7]


async def test_the_gateways_snapshot_sees_what_was_applied(world: World) -> None:
    await world.apply(DOCUMENT)
    book = RouteBook(world.database)
    await book.load()
    assert book.of("default").providers_of == {"llama-3": ("local",)}


async def book_of(database: Database) -> PriceBook:
    catalog = Catalog(database)
    await catalog.refresh()
    return catalog.book


async def test_declared_prices_bill_from_the_apply_on(world: World) -> None:
    await world.apply(DOCUMENT)
    now = SystemClock().now()

    async def input_price(tenant_id: str = "default") -> int | None:
        book = await book_of(world.database)
        price = book.find_pricing("local", "llama-3", SystemClock().now(), tenant_id)
        return None if price is None else price.rates[PriceUnit.INPUT].base

    assert await input_price() == 50_000
    assert await input_price("ten_other") is None
    model = {"context_window": 8192, "price": {"input": "0.06", "output": "0.08"}}
    dearer = {**DOCUMENT["providers"]["local"], "models": {"llama-3": model}}
    await world.apply({**DOCUMENT, "providers": {"local": dearer}})
    assert await input_price() == 60_000
    await world.apply({**DOCUMENT, "providers": {}}, prune=True)
    assert await input_price() is None
    book = await book_of(world.database)
    assert book.find_pricing("local", "llama-3", now, "default") is not None


async def test_a_price_of_an_unknown_kind_is_refused(world: World) -> None:
    local = {**DOCUMENT["providers"]["local"], "models": {"x": {"price": {"inptu": "1"}}}}
    with pytest.raises(InvalidPrice, match="inptu"):
        await world.apply({**DOCUMENT, "providers": {"local": local}})


@pytest.fixture
async def tenants(database: Database) -> Tenants:
    tenants = Tenants(database)
    await tenants.ensure("ten_1", "one")
    return tenants
