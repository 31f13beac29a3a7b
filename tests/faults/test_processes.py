"""Real processes: killed and interrupted with calls in flight."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from aos.infra.postgres import Database
from tests.answers import CHAT_COST, every_dialect
from tests.conftest import rows_as_owner
from tests.houses import ADMIN_KEY, until
from tests.processes import Server, serving
from tests.upstreams import FakeProvider, fake_provider, hangs

pytestmark = pytest.mark.slow

AUTHORIZED = {"authorization": f"Bearer {ADMIN_KEY}"}
CHAT: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
}
SHORT_LEASES = {"AOS_LEASE_BEAT_SECONDS": "0.2", "AOS_LEASE_DEAD_SECONDS": "1"}
CALLS = 100


@asynccontextmanager
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=AUTHORIZED, connector=connector) as session:
        yield session


async def ask(session: aiohttp.ClientSession, server: Server, *, stream: bool) -> int:
    """The status, once the answer is whole; 0 where it broke off."""
    url = f"{server.url}/v1/chat/completions"
    try:
        async with session.post(url, json={**CHAT, "stream": stream}) as answer:
            await answer.read()
            return answer.status
    except aiohttp.ClientError:
        return 0


async def budget(session: aiohttp.ClientSession, server: Server) -> str:
    body = {"name": "all", "scope": "GLOBAL", "period": "TOTAL", "limit_usd": "5.00"}
    async with session.post(f"{server.url}/api/v1/budgets", json=body) as answer:
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["id"])


async def standing(
    session: aiohttp.ClientSession, server: Server, budget_id: str
) -> tuple[str, str]:
    async with session.get(f"{server.url}/api/v1/budgets/{budget_id}/status") as answer:
        told = await answer.json()
        return told["current_spend_usd"], told["pending_usd"]


async def attempts(database: Database) -> list[dict[str, Any]]:
    rows = await rows_as_owner(
        database, "SELECT status, estimated, hold_nanousd, cost_nanousd FROM aos.call_attempts"
    )
    return [dict(row) for row in rows]


async def test_kill_nine_with_a_hundred_calls_in_flight(priced_url: str, tmp_path: Path) -> None:
    database = await Database(priced_url).open()
    async with fake_provider(hangs()) as provider, client() as session:
        async with serving(priced_url, provider.url, tmp_path, **SHORT_LEASES) as first:
            budget_id = await budget(session, first)
            calls = [
                asyncio.create_task(ask(session, first, stream=bool(number % 2)))
                for number in range(CALLS)
            ]
            await until(lambda: len(provider.received) == CALLS, 20)
            await first.kill()
            assert set(await asyncio.gather(*calls)) == {0}
        provider.handler = every_dialect
        async with serving(priced_url, provider.url, tmp_path, **SHORT_LEASES) as second:
            # It serves at once, and soon has put the dead one's calls on the books.
            assert await ask(session, second, stream=False) == 200
            async with asyncio.timeout(20):
                while (await standing(session, second, budget_id))[1] != "0.000000000":  # noqa: ASYNC110 - another process is waited for
                    await asyncio.sleep(0.1)
            rows = await attempts(database)
            lost = [row for row in rows if row["status"] == "lost"]
            assert (len(lost), len(rows)) == (CALLS, CALLS + 1)
            assert all(row["estimated"] for row in lost)
            assert all(row["cost_nanousd"] == row["hold_nanousd"] > 0 for row in lost)
            spent = sum(row["cost_nanousd"] for row in rows)
            assert (await standing(session, second, budget_id))[0] == f"0.{spent:09d}"
            code, printed = await second.aos("ledger", "verify")
            assert code == 0, printed
    await database.close()


@asynccontextmanager
async def fifty_under_way(
    provider: FakeProvider, server: Server, release: asyncio.Event
) -> AsyncIterator[list[asyncio.Task[int]]]:
    async def held_back(request: web.Request, body: bytes) -> web.StreamResponse:
        await release.wait()
        return await every_dialect(request, body)

    provider.handler = held_back
    async with client() as session:
        calls = [
            asyncio.create_task(ask(session, server, stream=bool(number % 2)))
            for number in range(50)
        ]
        await until(lambda: len(provider.received) == 50, 20)
        yield calls


async def test_ctrl_c_with_calls_in_flight_serves_and_settles_them(
    priced_url: str, tmp_path: Path
) -> None:
    database = await Database(priced_url).open()
    release = asyncio.Event()
    async with (
        fake_provider() as provider,
        serving(priced_url, provider.url, tmp_path) as server,
        fifty_under_way(provider, server, release) as calls,
    ):
        await server.interrupt()
        await asyncio.sleep(0.5)
        with pytest.raises(ConnectionRefusedError):  # It takes nothing new.
            await asyncio.open_connection(*server.address)
        assert server.process.returncode is None
        release.set()
        assert set(await asyncio.gather(*calls)) == {200}
        assert await asyncio.wait_for(server.process.wait(), 10) == 0
        rows = await attempts(database)
        assert {(row["status"], row["cost_nanousd"]) for row in rows} == {("ok", 8_400)}
        assert len(rows) == 50
        assert CHAT_COST == "0.000008400"
    await database.close()


async def test_a_second_ctrl_c_ends_calls_at_once_and_settles_them(
    priced_url: str, tmp_path: Path
) -> None:
    database = await Database(priced_url).open()
    async with (
        fake_provider() as provider,
        serving(priced_url, provider.url, tmp_path) as server,
        fifty_under_way(provider, server, asyncio.Event()) as calls,
    ):
        await server.interrupt()
        await asyncio.sleep(0.3)
        server.process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(server.process.wait(), 10) == 0
        assert 200 not in await asyncio.gather(*calls)
        rows = await attempts(database)
        assert len(rows) == 50
        assert {(row["status"], row["estimated"]) for row in rows} == {("cancelled", True)}
        assert all(row["cost_nanousd"] == row["hold_nanousd"] for row in rows)
        held = await rows_as_owner(database, "SELECT id FROM aos.holds WHERE state = 'dispatched'")
        assert held == []
        await until(lambda: provider.cut_off == 50)
    await database.close()
