"""Names the ports as they are wired, for `aos doctor` and `/health`."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from aos.app.model import Core
from aos.identity import OPERATOR_TENANT
from aos.infra.door import Door
from aos.infra.postgres import Database, PrivateServer
from aos.infra.settings import Settings
from aos.infra.telemetry import METRICS, PROMETHEUS_AVAILABLE
from aos.infra.wiring import Health, Port, Probe, port
from aos.ledger import Ledger
from aos.providers import Registry, Upstreams, build_providers


def ports_here(settings: Settings) -> list[Port]:
    """The ports of a process that started here and now."""
    return ports_of(settings, build_providers(settings.providers, environment=os.environ))


def ports_of_core(core: Core) -> list[Port]:
    """The ports of this process. What the operator declares in aos.yaml is a provider too."""
    return ports_of(core.settings, core.registry, core.directory.declares(OPERATOR_TENANT))


def ports_of(settings: Settings, registry: Registry, declared: Sequence[str] = ()) -> list[Port]:
    """Every port, what stands behind it, and which variable chose that.

    `declared` are ids of upstreams that aos.yaml declares.
    """
    database = Database if settings.database.url is not None else PrivateServer
    return [
        port("database", database, env_var="DATABASE_URL"),
        port("ledger", Ledger, env_var="DATABASE_URL"),
        port("http", Upstreams, env_var="DISABLE_EXTERNAL_CALLS"),
        port("door", Door, env_var="AOS_HOST"),
        _providers(registry, declared),
        port(
            "metrics",
            METRICS,
            real=PROMETHEUS_AVAILABLE,
            fix="install prometheus-client",
        ),
    ]


def health_of(core: Core) -> Health:
    """Asks what can be away: the database and the providers."""

    async def ask_database() -> Mapping[str, Any] | None:
        await core.database.call("SELECT 1 AS up", ())
        return None

    async def ask_providers() -> Mapping[str, Any] | None:
        return {"configured": [provider.config.id for provider in core.registry.configured()]}

    async def ask_changes() -> Mapping[str, Any] | None:
        return {"heard_seconds_ago": round(core.changes.stale_seconds("keys"), 1)}

    ports = {each.name: each for each in ports_of(core.settings, core.registry)}
    return Health(
        [
            Probe(ports["database"], ask_database, essential=True),
            Probe(ports["providers"], ask_providers),
            Probe(port("changes", core.changes), ask_changes),
            Probe(ports["metrics"], _nothing),
        ]
    )


async def _nothing() -> Mapping[str, Any] | None:
    """In this process: it works when the process does."""
    return None


def _providers(registry: Registry, declared: Sequence[str]) -> Port:
    shipped = [] if registry.is_stub else registry.configured()
    named = port(
        "providers",
        registry.configured()[0],
        real=bool(shipped or declared),
        env_var="OPENAI_API_KEY, ANTHROPIC_API_KEY, …",
        fix="set OPENAI_API_KEY or ANTHROPIC_API_KEY, or declare a provider in aos.yaml",
    )
    if not named.real:
        return named
    ids = ", ".join([*(provider.config.id for provider in shipped), *declared])
    return Port(named.name, ids, named.real, named.env_var, named.file)
