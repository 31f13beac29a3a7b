from datetime import UTC, datetime, timedelta

import pytest

from aos.identity import (
    AgentArchived,
    AgentNotFound,
    Agents,
    Authenticator,
    InvalidKey,
    KeyExpired,
    KeyMissing,
    KeyRevoked,
    Keys,
    KeyTerms,
    Scope,
    Tenants,
)
from aos.identity.limits import KEYS_CACHED_MAX
from aos.identity.service import Memory
from aos.infra.errors import DatabaseUnavailable
from aos.infra.postgres import Database
from aos.kit.clock import ManualClock, SystemClock
from tests.identity.conftest import SilentNews

pytestmark = pytest.mark.usefixtures("tenants")
NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def make_key(database: Database, keys: Keys, **terms: object) -> tuple[str, str]:
    """(id, secret) of a new key of ten_1."""
    async with database.tenant("ten_1") as tx:
        new = await keys.create(tx, "ten_1", KeyTerms(**{"name": "k", **terms}))  # type: ignore[arg-type]
    return new.key.id, new.secret


async def test_a_secret_tells_who_calls(
    database: Database, keys: Keys, agents: Agents, authenticator: Authenticator
) -> None:
    async with database.tenant("ten_1") as tx:
        agent = await agents.create(tx, "ten_1", name="a")
    key_id, secret = await make_key(
        database,
        keys,
        scopes=frozenset({Scope.INVOKE, Scope.READ}),
        agent_id=agent.id,
        team_id="red",
        user_id="u",
        models=("gpt-*",),
        tags={"a": "b"},
    )
    assert authenticator.cached(secret) is None
    caller = await authenticator.authenticate(secret)
    assert caller is authenticator.cached(secret)
    assert (caller.tenant_id, caller.key_id, caller.agent_id) == ("ten_1", key_id, agent.id)
    assert (caller.team_id, caller.user_id, caller.models) == ("red", "u", ("gpt-*",))
    assert caller.tags == {"a": "b"}
    assert caller.may(Scope.READ)
    assert not caller.may(Scope.ADMIN)


async def test_an_unknown_secret_is_401(authenticator: Authenticator) -> None:
    for secret in ("aos_sk_unknown", "x" * 10_000, "schlüssel", "\x00", "\ud800"):
        for _ in range(2):
            with pytest.raises(InvalidKey) as caught:
                await authenticator.authenticate(secret)
            assert caught.value.status == 401
        assert authenticator.cached(secret) is None


async def test_no_secret_is_401_and_says_what_to_send(authenticator: Authenticator) -> None:
    for secret in (None, ""):
        with pytest.raises(KeyMissing, match="X-AOS-Key"):
            await authenticator.authenticate(secret)


async def test_a_key_ends_at_its_time_even_when_remembered(database: Database, keys: Keys) -> None:
    clock = ManualClock(datetime.now(UTC))  # noqa: TID251
    authenticator = Authenticator(database, SilentNews(), clock)
    _, secret = await make_key(database, keys, expires_at=clock.now() + timedelta(hours=1))
    await authenticator.authenticate(secret)
    clock.advance(3599)
    assert authenticator.cached(secret)
    clock.advance(2)
    assert authenticator.cached(secret) is None
    with pytest.raises(KeyExpired):
        await authenticator.authenticate(secret)


async def test_a_rotated_secret_works_through_its_grace(database: Database, keys: Keys) -> None:
    clock = ManualClock(datetime.now(UTC))  # noqa: TID251
    authenticator = Authenticator(database, SilentNews(), clock)
    key_id, first = await make_key(database, keys)
    async with database.tenant("ten_1") as tx:
        second = (await Keys(keys._own_budgets, clock).rotate(tx, key_id, grace_seconds=60)).secret
    assert (await authenticator.authenticate(first)).key_id == key_id
    assert (await authenticator.authenticate(second)).key_id == key_id
    clock.advance(61)
    assert authenticator.cached(second)
    with pytest.raises(KeyRevoked, match="rotated"):
        await authenticator.authenticate(first)


async def test_a_second_rotation_never_prolongs_the_first_secret(
    database: Database, keys: Keys, authenticator: Authenticator
) -> None:
    key_id, first = await make_key(database, keys)
    async with database.tenant("ten_1") as tx:
        second = (await keys.rotate(tx, key_id, grace_seconds=0)).secret
    async with database.tenant("ten_1") as tx:
        third = (await keys.rotate(tx, key_id, grace_seconds=3600)).secret
    with pytest.raises(KeyRevoked):
        await authenticator.authenticate(first)
    assert await authenticator.authenticate(second) == await authenticator.authenticate(third)


async def test_news_makes_it_look_again(database: Database, keys: Keys) -> None:
    news = SilentNews()
    authenticator = Authenticator(database, news, SystemClock())
    authenticator.listen()
    key_id, secret = await make_key(database, keys)
    await authenticator.authenticate(secret)
    async with database.tenant("ten_1") as tx:
        await keys.revoke(tx, key_id)
    assert authenticator.cached(secret)  # The news is still on its way.
    await news.callbacks["keys"]()
    assert authenticator.cached(secret) is None
    with pytest.raises(KeyRevoked):
        await authenticator.authenticate(secret)


async def test_without_news_what_is_remembered_is_checked_within_a_second(
    database: Database, keys: Keys
) -> None:
    clock, news = ManualClock(NOW), SilentNews(age_seconds=0.0)
    authenticator = Authenticator(database, news, clock)
    key_id, secret = await make_key(database, keys)
    await authenticator.authenticate(secret)
    clock.advance(3600)
    assert authenticator.cached(secret)
    news.age_seconds = 5.0
    assert authenticator.cached(secret) is None
    await authenticator.authenticate(secret)
    clock.advance(0.8)
    assert authenticator.cached(secret)
    async with database.tenant("ten_1") as tx:
        await keys.revoke(tx, key_id)
    clock.advance(0.2)
    assert authenticator.cached(secret) is None
    with pytest.raises(KeyRevoked):
        await authenticator.authenticate(secret)


async def test_a_database_that_is_away_is_503_never_401(database_url: str) -> None:
    database = await Database(database_url).open()
    authenticator = Authenticator(database, SilentNews(age_seconds=9.0), SystemClock())
    await database.close()
    unreachable = await Database("postgresql:///aos?host=/nonexistent").open(wait=False)
    try:
        away = Authenticator(unreachable, SilentNews(), SystemClock())
        with pytest.raises(DatabaseUnavailable) as caught:
            await away.authenticate("aos_sk_whatever")
        assert caught.value.status == 503
    finally:
        await unreachable.close()
    assert authenticator.cached("aos_sk_whatever") is None


async def test_agents_are_found_in_their_own_tenant_only(
    database: Database, agents: Agents, authenticator: Authenticator
) -> None:
    async with database.tenant("ten_1") as tx:
        agent = await agents.create(tx, "ten_1", name="a")
    assert (await authenticator.agent("ten_1", agent.id)).name == "a"
    assert authenticator.cached_agent("ten_1", agent.id)
    for tenant, name in (("ten_2", agent.id), ("ten_1", "agt_nobody")):
        with pytest.raises(AgentNotFound) as missing:
            await authenticator.agent(tenant, name)
        assert missing.value.status == 404
    async with database.tenant("ten_1") as tx:
        await agents.archive(tx, agent.id)
    await authenticator.forget_agents()
    for _ in range(2):
        with pytest.raises(AgentArchived) as archived:
            await authenticator.agent("ten_1", agent.id)
        assert archived.value.status == 403


async def test_an_answer_that_news_overtook_is_not_remembered(tenants: Tenants) -> None:
    memory: Memory[str, int] = Memory(size_max=2)
    version = memory.version
    memory.forget()
    memory.put("a", 1, version)
    assert memory.get("a") is None
    for number, name in enumerate("abc"):
        memory.put(name, number, memory.version)
    assert memory.get("a") is None
    assert memory.get("b") == 1
    memory.put("d", 3, memory.version)
    assert memory.get("c") is None  # `b` was used later.
    assert len(memory) == 2


async def test_guessers_cannot_fill_the_memory(
    database: Database, authenticator: Authenticator
) -> None:
    for number in range(50):
        with pytest.raises(InvalidKey):
            await authenticator.authenticate(f"guess-{number}")
    assert len(authenticator._known) == 0
    assert len(authenticator._refused) == 50 <= KEYS_CACHED_MAX
