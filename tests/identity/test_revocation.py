"""Another process refuses a revoked key within a second, whatever becomes of its news."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
import pytest

from aos.identity import AgentArchived, Agents, Authenticator, KeyRevoked, Keys, KeyTerms, Tenants
from aos.infra.postgres import Changes, Database
from aos.kit.clock import SystemClock

SECONDS_MAX = 1.0


@asynccontextmanager
async def another_process(url: str, *, poll: bool) -> AsyncIterator[Authenticator]:
    """What a second process has: a pool, a listener and a memory of its own."""
    database = await Database(url).open()
    changes = Changes(url, poll=poll)
    authenticator = Authenticator(database, changes, SystemClock())
    authenticator.listen()
    await changes.start()
    yield authenticator
    await changes.stop()
    await database.close()


async def seconds_until_refused(
    ask: Callable[[], Awaitable[object]], refusal: type[Exception]
) -> float:
    start = time.monotonic()
    while time.monotonic() - start < 5:
        try:
            await ask()
        except refusal:
            return time.monotonic() - start
        await asyncio.sleep(0.01)
    raise AssertionError("never refused")


@pytest.mark.usefixtures("tenants")
@pytest.mark.parametrize("poll", [False, True])
async def test_a_revocation_is_in_force_everywhere_within_a_second(
    database: Database, database_url: str, keys: Keys, poll: bool
) -> None:
    async with another_process(database_url, poll=poll) as other:
        async with database.tenant("ten_1") as tx:
            new = await keys.create(tx, "ten_1", KeyTerms("k"))
        await other.authenticate(new.secret)
        async with database.tenant("ten_1") as tx:
            await keys.revoke(tx, new.key.id)
        waited = await seconds_until_refused(lambda: other.authenticate(new.secret), KeyRevoked)
    assert waited < SECONDS_MAX


@pytest.mark.usefixtures("tenants")
async def test_a_lost_listener_does_not_prolong_a_key(
    database: Database, database_url: str, keys: Keys
) -> None:
    async with another_process(database_url, poll=False) as other:
        async with database.tenant("ten_1") as tx:
            new = await keys.create(tx, "ten_1", KeyTerms("k"))
        await other.authenticate(new.secret)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("RESET ROLE")
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'aos-changes' AND datname = current_database()"
            )
        async with database.tenant("ten_1") as tx:
            await keys.revoke(tx, new.key.id)
        waited = await seconds_until_refused(lambda: other.authenticate(new.secret), KeyRevoked)
    assert waited < SECONDS_MAX


async def test_an_archived_agent_is_refused_everywhere_within_a_second(
    database: Database, database_url: str, agents: Agents, tenants: Tenants
) -> None:
    async with another_process(database_url, poll=False) as other:
        async with database.tenant("ten_1") as tx:
            agent = await agents.create(tx, "ten_1", name="a")
        await other.agent("ten_1", agent.id)
        async with database.tenant("ten_1") as tx:
            await agents.archive(tx, agent.id)
        waited = await seconds_until_refused(lambda: other.agent("ten_1", agent.id), AgentArchived)
    assert waited < SECONDS_MAX
