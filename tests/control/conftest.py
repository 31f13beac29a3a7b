from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from aos.control import ControlServices, create_control_app
from aos.identity import KeyTerms, Scope
from aos.infra.postgres import Database
from aos.infra.settings import LeaseSettings
from aos.ledger import Lease
from tests.control.rooms import Till, real_services


@pytest.fixture
async def services(database: Database) -> AsyncIterator[ControlServices]:
    """The real rooms, with tenants ten_1 and ten_2."""
    lease = Lease(database, LeaseSettings())
    await lease.start()
    yield await real_services(database, lease)
    await lease.stop()


@pytest.fixture
def till(services: ControlServices) -> Till:
    return Till(services)


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
