import asyncio
from typing import Any

import pytest

from aos.infra.errors import DatabaseUnavailable, StubsInProduction
from aos.infra.postgres import Database
from aos.infra.telemetry import METRICS
from aos.infra.wiring import Health, Probe, port, report, require_real

DATABASE = port("database", Database, env_var="DATABASE_URL")
STUB = port("metrics", METRICS, real=False, env_var="X", fix="set X")


def test_a_row_names_what_is_wired_and_how_to_fix_a_stub() -> None:
    assert report([DATABASE, STUB]) == [
        {
            "name": "metrics",
            "mock": True,
            "file": "aos/infra/telemetry/metrics.py",
            "wired": "Metrics",
            "env_var": "X",
            "fix": "set X",
        },
        {
            "name": "database",
            "mock": False,
            "file": "aos/infra/postgres/pool.py",
            "wired": "Database",
            "env_var": "DATABASE_URL",
            "fix": None,
        },
    ]


def test_production_refuses_stubs_by_name() -> None:
    require_real([DATABASE])
    with pytest.raises(StubsInProduction, match="metrics is Metrics: set X"):
        require_real([DATABASE, STUB])


async def fine() -> dict[str, Any]:
    return {"connections": 3}


async def away() -> None:
    raise DatabaseUnavailable("away")


async def broken() -> None:
    raise RuntimeError("secret detail")


async def silent() -> None:
    await asyncio.sleep(60)


async def test_health_names_each_component(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aos.infra.wiring.service.HEALTH_SECONDS_MAX", 0.05)
    answer = await Health(
        [
            Probe(DATABASE, fine, essential=True),
            Probe(STUB, broken),
            Probe(port("redis", Health), silent),
        ]
    ).ask()
    assert answer == {
        "status": "degraded",
        "components": {
            "database": {
                "status": "ok",
                "implementation": "Database",
                "real": True,
                "connections": 3,
            },
            "metrics": {
                "status": "down",
                "implementation": "Metrics",
                "real": False,
                "error": "RuntimeError",
            },
            "redis": {
                "status": "down",
                "implementation": "Health",
                "real": True,
                "error": "no answer in time",
            },
        },
    }


async def test_without_what_is_essential_it_is_down_and_not_ready() -> None:
    health = Health([Probe(DATABASE, away, essential=True), Probe(STUB, fine)])
    assert (await health.ask())["status"] == "down"
    assert not await health.ready()
    assert await Health([Probe(DATABASE, fine, essential=True)]).ready()


async def test_many_askers_are_one_question() -> None:
    asked = 0

    async def count() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)

    health = Health([Probe(DATABASE, count, essential=True)])
    await asyncio.gather(*(health.ask() for _ in range(50)))
    assert asked == 1
