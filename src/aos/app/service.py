"""The house of one process: every room's services, opened in order, closed in reverse."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from aos.app.api import AsgiApp, Front
from aos.budgets import ROOM_CHANNEL, Admission, BudgetMatch, Budgets, SpendFacts
from aos.catalog import Catalog
from aos.gateway.api import GatewayApp
from aos.gateway.candidates.service import Planner
from aos.gateway.directory.service import Directory
from aos.gateway.free.service import FreeOperations
from aos.gateway.jobs import Reaper
from aos.gateway.model import Door
from aos.gateway.pipeline import Pipeline
from aos.gateway.relay.service import Relay
from aos.gateway.settlement.service import Settler
from aos.identity import Authenticator
from aos.infra.postgres import Changes, Database
from aos.infra.settings import Settings
from aos.kit.clock import Clock, SystemClock
from aos.ledger import Lease, Ledger
from aos.providers import Provider, Registry, Upstreams, build_providers
from aos.routing import RouteBook, Upstream

log = structlog.get_logger("aos.app")


@dataclass(frozen=True)
class Core:
    """What both planes stand on."""

    settings: Settings
    clock: Clock
    database: Database
    changes: Changes
    lease: Lease
    ledger: Ledger
    authenticator: Authenticator
    catalog: Catalog
    routes: RouteBook
    budgets: Budgets
    admission: Admission
    registry: Registry


@dataclass(frozen=True)
class House:
    """One process, open for business."""

    core: Core
    settler: Settler
    pipeline: Pipeline
    asgi: AsgiApp


@asynccontextmanager
async def open_house(
    settings: Settings,
    database_url: str,
    make_control: Callable[[Core], AsgiApp],
    clock: Clock | None = None,
) -> AsyncIterator[House]:
    """Open every room on a migrated database. Leaving waits for what is under way."""
    async with AsyncExitStack() as stack:
        core = await _open_core(stack, settings, database_url, clock or SystemClock())
        upstreams = await Upstreams(
            silence_seconds_max=settings.gateway.upstream_timeout_seconds
        ).open()
        stack.push_async_callback(upstreams.close)
        directory = _directory(core)
        settler = Settler(core.database, core.ledger, core.admission)
        stack.push_async_callback(settler.close)
        pipeline = _pipeline(core, directory, upstreams, settler)
        gateway = GatewayApp(
            pipeline,
            FreeOperations(directory, upstreams, core.database),
            core.authenticator,
            core.clock,
            _door(settings),
        )
        core.changes.subscribe("budgets", core.admission.budgets_changed)
        core.changes.listen(ROOM_CHANNEL, core.admission.heard)
        await core.changes.start()
        stack.push_async_callback(core.changes.stop)
        reaper = Reaper(core.database, core.ledger, core.lease, settings.leases)
        stack.push_async_callback(_stopper(reaper.run()))
        yield House(core, settler, pipeline, Front(gateway, make_control(core)))


async def _open_core(
    stack: AsyncExitStack, settings: Settings, database_url: str, clock: Clock
) -> Core:
    pooler = settings.database.pooler or settings.database.direct_url is not None
    direct = settings.database.direct_url
    database = await Database(
        database_url, pooler=pooler, connections_max=settings.database.connections_max
    ).open()
    stack.push_async_callback(database.close)
    lease = Lease(database, settings.leases, clock)
    await lease.start()
    stack.push_async_callback(lease.stop)
    changes = Changes(
        direct.get_secret_value() if direct else database_url, poll=pooler and direct is None
    )
    ledger = Ledger(database, lease.process_id, clock)
    authenticator = Authenticator(database, changes, clock)
    authenticator.listen()
    budgets = Budgets(database, ledger, clock, changes)
    budgets.listen()

    def match(facts: SpendFacts) -> tuple[BudgetMatch, ...]:
        return budgets.book.match(facts)

    return Core(
        settings=settings,
        clock=clock,
        database=database,
        changes=changes,
        lease=lease,
        ledger=ledger,
        authenticator=authenticator,
        catalog=Catalog(database),
        routes=RouteBook(database),
        budgets=budgets,
        admission=Admission(ledger, match, clock),
        registry=build_providers(settings.providers, environment=os.environ),
    )


def _directory(core: Core) -> Directory:
    """Names lead anew whenever prices or declarations change."""

    def make_provider(_tenant_id: str, upstream: Upstream) -> Provider:
        return core.registry.by_id(upstream.id)

    directory = Directory(core.registry, core.routes, core.catalog, make_provider, {})
    core.changes.subscribe("prices", _then(core.catalog.refresh, directory.forget))
    core.changes.subscribe("config", _then(core.routes.load, directory.forget))
    return directory


def _pipeline(core: Core, directory: Directory, upstreams: Upstreams, settler: Settler) -> Pipeline:
    planner = Planner(
        core.catalog, directory, core.budgets, core.authenticator, core.settings.budgets
    )
    return Pipeline(
        planner,
        core.admission,
        Relay(upstreams, core.clock),
        settler,
        core.clock,
        drain=core.settings.gateway.on_caller_gone == "drain",
    )


def _door(settings: Settings) -> Door:
    enforced = settings.server.enforce_tenancy
    if enforced is None:
        enforced = settings.server.environment == "production"
    return Door(
        body_bytes_max=settings.gateway.body_bytes_max,
        tenant_required=enforced,
        scopes_enforced=settings.server.rbac_enforce,
    )


def _then(load: Callable[[], Awaitable[None]], forget: Callable[[], None]) -> Any:
    async def run() -> None:
        await load()
        forget()

    return run


def _stopper(work: Coroutine[Any, Any, None]) -> Callable[[], Awaitable[None]]:
    task = asyncio.create_task(work)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return stop
