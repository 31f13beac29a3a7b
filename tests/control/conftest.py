from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from aos.budgets import Budgets, Standings
from aos.catalog import Catalog, Prices
from aos.control import (
    AccessPolicy,
    AgentsSection,
    AliasesSection,
    Configuration,
    ControlServices,
    KeysSection,
    create_control_app,
)
from aos.identity import Agents, Authenticator, Keys, KeyTerms, Scope, Tenants
from aos.infra.postgres import Database
from aos.kit.clock import SystemClock
from aos.ledger import Ledger
from aos.routing import Routing
from tests.identity.conftest import RememberedBudgets, SilentNews


@pytest.fixture
def budgets() -> RememberedBudgets:
    return RememberedBudgets()


@pytest.fixture
async def services(database: Database, budgets: RememberedBudgets) -> ControlServices:
    """Over a real database with tenants ten_1 and ten_2."""
    clock = SystemClock()
    tenants = Tenants(database)
    await tenants.ensure("ten_1", "one")
    await tenants.ensure("ten_2", "two")
    agents, keys = Agents(budgets, clock, alert_threshold=0.8), Keys(budgets, clock)
    ledger = Ledger(database, "proc_test")
    real = Budgets(database, ledger, clock)
    return ControlServices(
        database=database,
        clock=clock,
        policy=AccessPolicy(),
        authenticator=Authenticator(database, SilentNews(), clock),
        tenants=tenants,
        agents=agents,
        keys=keys,
        own_budgets=budgets,
        spend=budgets,
        configuration=Configuration(
            database,
            (
                AliasesSection(Routing()),
                AgentsSection(agents),
                KeysSection(keys, agents, budgets),
            ),
        ),
        budgets=real,
        standings=Standings(lambda: real.book, clock),
        ledger=ledger,
        catalog=Catalog(database),
        prices=Prices(database),
    )


@pytest.fixture
def control(services: ControlServices) -> FastAPI:
    return create_control_app(services)


async def new_secret(services: ControlServices, tenant_id: str, *scopes: Scope) -> str:
    async with services.database.tenant(tenant_id) as tx:
        terms = KeyTerms(f"{tenant_id} {'+'.join(scopes)}", frozenset(scopes))
        return (await services.keys.create(tx, tenant_id, terms)).secret


@asynccontextmanager
async def client_of(control: FastAPI, secret: str | None) -> AsyncIterator[httpx.AsyncClient]:
    headers = {} if secret is None else {"X-AOS-Key": secret}
    transport = httpx.ASGITransport(control)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://aos", headers=headers
    ) as client:
        yield client


@pytest.fixture
async def admin(control: FastAPI, services: ControlServices) -> AsyncIterator[httpx.AsyncClient]:
    """An administrator of ten_1."""
    secret = await new_secret(services, "ten_1", Scope.ADMIN)
    async with client_of(control, secret) as client:
        yield client


@pytest.fixture
async def stranger(control: FastAPI, services: ControlServices) -> AsyncIterator[httpx.AsyncClient]:
    """An administrator of ten_2."""
    secret = await new_secret(services, "ten_2", Scope.ADMIN)
    async with client_of(control, secret) as client:
        yield client
