"""A whole gateway in the test's own process, behind a real socket."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn

from aos.app.control import control_of
from aos.app.service import House, open_house
from aos.identity import ensure_admin_key
from aos.infra.door import DoorProtocol
from aos.infra.settings import Settings
from aos.kit import ids
from aos.kit.clock import Clock
from tests.conftest import rows_as_owner

ADMIN_KEY = "aos-admin-key-for-tests-0123456789"
PROVIDER_VARIABLES = (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
)


@dataclass
class Gate:
    """A running house: `call` speaks to the gateway, `api` to the control plane."""

    url: str
    house: House
    session: aiohttp.ClientSession

    async def call(
        self, body: dict[str, Any], path: str = "/v1/chat/completions", **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers in lower case, JSON (or bytes for a stream)."""
        sent = {"authorization": f"Bearer {ADMIN_KEY}", **headers}
        async with self.session.post(self.url + path, json=body, headers=sent) as answer:
            got = {name.lower(): value for name, value in answer.headers.items()}
            if answer.content_type == "text/event-stream":
                return answer.status, got, await answer.read()
            return answer.status, got, await answer.json(content_type=None)

    async def api(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        sent = {"authorization": f"Bearer {ADMIN_KEY}", **headers}
        async with self.session.request(method, self.url + path, json=body, headers=sent) as answer:
            content = await answer.json(content_type=None)
            assert answer.status < 400, content
            return content

    async def calls(self, key: "Key | None" = None) -> list[dict[str, Any]]:
        """Rows, the newest first; only those of `key`, if given."""
        of = f"?key_id={key.id}" if key else ""
        return list((await self.api("GET", f"/api/v1/usage/calls{of}"))["items"])

    async def ended(self, key: "Key", count: int = 1) -> list[dict[str, Any]]:
        """The same, once there are `count` of them: a call that nobody waits for takes a moment."""
        async with asyncio.timeout(5):
            while len(rows := await self.calls(key)) < count:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.02)
        assert len(rows) == count
        return rows

    async def story(self, headers: Mapping[str, str]) -> dict[str, Any]:
        """All that is kept of the call whose answer had these headers."""
        path = f"/api/v1/usage/calls/{headers['x-aos-request-id']}"
        return dict(await self.api("GET", path))

    async def key(self, limit_usd: str | None = None, **terms: Any) -> "Key":
        """A fresh key, with a blocking lifetime budget of its own if `limit_usd` says so."""
        body = {"name": ids.new("test"), **terms}
        if limit_usd is not None:
            body["budget"] = {"limit_usd": limit_usd}
        made = await self.api("POST", "/api/v1/keys", body)
        return Key(made["id"], made["key"])

    async def budget(self, limit_usd: str, scope: str = "GLOBAL", **terms: Any) -> str:
        """Id of a fresh budget."""
        body = {"name": ids.new("test"), "scope": scope, "period": "TOTAL", "limit_usd": limit_usd}
        return str((await self.api("POST", "/api/v1/budgets", {**body, **terms}))["id"])

    async def spent(self, budget_id: str) -> tuple[str, str]:
        """(posted, pending) of a budget, in dollars."""
        status = await self.api("GET", f"/api/v1/budgets/{budget_id}/status")
        return status["current_spend_usd"], status["pending_usd"]

    async def at_rest(self) -> None:
        """Every hold has ended, and the books add up. To be true after every test."""
        core = self.house.core
        await self.house.settler.close()
        await core.ledger.repair()
        held = await rows_as_owner(
            core.database, "SELECT id, call FROM aos.holds WHERE state = 'dispatched'"
        )
        assert held == []
        assert await core.ledger.verify() == []


@dataclass(frozen=True)
class Key:
    """A key of a caller."""

    id: str
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}"}


async def until(condition: Callable[[], object], seconds_max: float = 5) -> None:
    """Wait for what has no event of its own. Raises TimeoutError."""
    async with asyncio.timeout(seconds_max):
        while not condition():  # noqa: ASYNC110 - what is waited for is not ours to tell
            await asyncio.sleep(0.01)


@asynccontextmanager
async def open_gate(
    database_url: str,
    upstream_url: str | None,
    *,
    clock: Clock | None = None,
    **variables: str,
) -> AsyncIterator[Gate]:
    """A gateway on this database whose providers are all at `upstream_url` (None: the stub)."""
    if upstream_url is not None:
        variables = {
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": f"{upstream_url}/v1",
            "ANTHROPIC_API_KEY": "sk-ant-test",
            "ANTHROPIC_BASE_URL": upstream_url,
            **variables,
        }
    with pytest.MonkeyPatch.context() as patch:
        for name in PROVIDER_VARIABLES:
            patch.delenv(name, raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        settings = Settings()
        async with open_house(settings, database_url, control_of, clock) as house:
            await ensure_admin_key(house.core.database, Path("/nonexistent"), ADMIN_KEY)
            async with served(house) as url, aiohttp.ClientSession() as session:
                yield Gate(url, house, session)


@asynccontextmanager
async def served(house: House) -> AsyncIterator[str]:
    """The house behind a real socket; yields its address."""
    config = uvicorn.Config(
        house.asgi,
        host="127.0.0.1",
        port=0,
        http=DoorProtocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        loop="none",
        timeout_keep_alive=75,
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
        if task.done():
            task.result()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
