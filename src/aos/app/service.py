"""The house of one process: every room's services, opened in order, closed in reverse."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from aos.app.api import AsgiApp, Front
from aos.app.model import Core
from aos.app.ports import health_of
from aos.app.rules import declared_config, outbound_policy
from aos.budgets import ROOM_CHANNEL, Admission, BudgetMatch, Budgets, SpendFacts
from aos.catalog import Catalog
from aos.gateway.api import GatewayApp
from aos.gateway.candidates.service import Planner
from aos.gateway.directory.service import Directory
from aos.gateway.free.service import FreeOperations
from aos.gateway.jobs import Reaper
from aos.gateway.model import Door, Habits
from aos.gateway.objects.service import Objects
from aos.gateway.pipeline import Pipeline
from aos.gateway.relay.service import Relay
from aos.gateway.settlement.service import Settler
from aos.identity import OPERATOR_TENANT, Authenticator
from aos.infra.outbound import guarded_connector
from aos.infra.postgres import Changes, Database
from aos.infra.settings import Settings
from aos.infra.telemetry import METRICS
from aos.kit.clock import Clock, SystemClock
from aos.ledger import Lease, Ledger
from aos.providers import (
    KEY_VARIABLES,
    Provider,
    Registry,
    Upstreams,
    build_providers,
    make_provider,
)
from aos.routing import RouteBook, Upstream

log = structlog.get_logger("aos.app")


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
            silence_seconds_max=settings.gateway.upstream_timeout_seconds,
            connector=partial(guarded_connector, outbound_policy(settings, core.registry)),
        ).open()
        stack.push_async_callback(upstreams.close)
        settler = Settler(core.database, core.admission, METRICS)
        stack.push_async_callback(settler.close)
        pipeline = _pipeline(core, upstreams, settler)
        gateway = GatewayApp(
            pipeline,
            FreeOperations(core.directory, upstreams, Objects(core.database)),
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
        yield House(core, settler, pipeline, Front(gateway, make_control(core), health_of(core)))


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

    catalog = Catalog(database)
    registry = build_providers(settings.providers, environment=os.environ)
    return Core(
        settings=settings,
        clock=clock,
        database=database,
        changes=changes,
        lease=lease,
        ledger=ledger,
        authenticator=authenticator,
        catalog=catalog,
        directory=_directory(settings, registry, RouteBook(database), catalog, changes),
        budgets=budgets,
        admission=Admission(ledger, match, clock),
        registry=registry,
    )


def _directory(
    settings: Settings, registry: Registry, routes: RouteBook, catalog: Catalog, changes: Changes
) -> Directory:
    """Names lead anew whenever prices or declarations change."""

    def make(tenant_id: str, upstream: Upstream) -> Provider:
        # Only the operator's own declarations may name variables of this server.
        environment = os.environ if tenant_id == OPERATOR_TENANT else {}
        return make_provider(declared_config(upstream, environment))

    development = settings.server.environment == "development"
    directory = Directory(registry, routes, catalog, make, KEY_VARIABLES, stub_allowed=development)

    changes.subscribe("prices", directory.refresh_prices)
    changes.subscribe("config", directory.refresh_routes)
    return directory


def _pipeline(core: Core, upstreams: Upstreams, settler: Settler) -> Pipeline:
    planner = Planner(
        core.catalog,
        core.directory,
        core.budgets,
        core.authenticator,
        Objects(core.database),
        core.settings.budgets,
    )
    return Pipeline(
        planner,
        core.admission,
        Relay(upstreams, core.clock),
        settler,
        core.clock,
        Habits(
            drain=core.settings.gateway.on_caller_gone == "drain",
            keep_contents=core.settings.gateway.store_prompts,
        ),
    )


def _door(settings: Settings) -> Door:
    return Door(
        body_bytes_max=settings.gateway.body_bytes_max,
        tenant_required=settings.server.tenancy_enforced,
        scopes_enforced=settings.server.rbac_enforce,
    )


def _stopper(work: Coroutine[Any, Any, None]) -> Callable[[], Awaitable[None]]:
    task = asyncio.create_task(work)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return stop
