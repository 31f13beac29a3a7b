"""Asks every port whether it works. Never longer than HEALTH_SECONDS_MAX, never twice at once."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from aos.infra.limits import HEALTH_KEPT_SECONDS, HEALTH_SECONDS_MAX
from aos.infra.wiring.model import Probe
from aos.kit.errors import AosError


class Health:
    """The answer of `/health`: `ok`, `degraded` (something that is not essential is away), `down`.

    An answer is kept for HEALTH_KEPT_SECONDS: whoever asks often asks us, not the database.
    """

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = probes
        self._lock = asyncio.Lock()
        self._answer: dict[str, Any] = {}
        self._answered_at = -HEALTH_KEPT_SECONDS

    async def ask(self) -> dict[str, Any]:
        """`{"status", "components": {name: {"status", "implementation", "real", …}}}`."""
        async with self._lock:
            if time.monotonic() - self._answered_at >= HEALTH_KEPT_SECONDS:
                components = await asyncio.gather(*(_asked(probe) for probe in self._probes))
                self._answer = {
                    "status": _together(self._probes, components),
                    "components": {
                        probe.port.name: component
                        for probe, component in zip(self._probes, components, strict=True)
                    },
                }
                self._answered_at = time.monotonic()
        return self._answer

    async def ready(self) -> bool:
        """Whether calls can be served: what a balancer asks."""
        return bool((await self.ask())["status"] != "down")


async def _asked(probe: Probe) -> dict[str, Any]:
    component: dict[str, Any] = {
        "status": "ok",
        "implementation": probe.port.implementation,
        "real": probe.port.real,
    }
    try:
        async with asyncio.timeout(HEALTH_SECONDS_MAX):
            component.update(await probe.check() or {})
    except TimeoutError:
        component |= {"status": "down", "error": "no answer in time"}
    except AosError as error:
        component |= {"status": "down", "error": error.code}
    except Exception as error:  # noqa: BLE001 - the edge of a check: its kind is told, nothing else
        component |= {"status": "down", "error": type(error).__name__}
    return component


def _together(probes: Sequence[Probe], components: Sequence[dict[str, Any]]) -> str:
    away = [
        probe
        for probe, component in zip(probes, components, strict=True)
        if component["status"] != "ok"
    ]
    if any(probe.essential for probe in away):
        return "down"
    return "degraded" if away else "ok"
