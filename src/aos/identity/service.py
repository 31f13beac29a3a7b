"""From a secret to who calls. What a process remembers is never more than a second behind.

News of a change makes it forget; where news is not being heard, what it remembers is checked again
after FRESH_SECONDS_MAX. When the database is away that check fails with DatabaseUnavailable (503):
a key is never taken for bad because nobody could look.

A stream that runs when its key is revoked goes on: its hold exists and its cost is bounded. The
next call is refused.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from aos.identity.errors import (
    AgentArchived,
    AgentNotFound,
    InvalidKey,
    KeyExpired,
    KeyMissing,
    KeyRevoked,
    Unauthenticated,
)
from aos.identity.limits import (
    AGENTS_CACHED_MAX,
    FRESH_SECONDS_MAX,
    KEY_BYTES_MAX,
    KEYS_CACHED_MAX,
    LOOKUP_SECONDS_MAX,
    LOOKUPS_AT_ONCE_MAX,
    REFUSAL_SECONDS,
    REFUSALS_CACHED_MAX,
)
from aos.identity.model import Agent, AgentStatus, Caller
from aos.identity.rules import digest_of
from aos.identity.store import KnownSecret, find_agent, find_secret
from aos.infra.errors import DatabaseUnavailable
from aos.infra.postgres import Database
from aos.kit.clock import Clock

KEYS_TOPIC = "keys"
AGENTS_TOPIC = "agents"

Name = TypeVar("Name")
Value = TypeVar("Value")


class News(Protocol):
    """What tells that something changed: `infra`'s Changes."""

    def stale_seconds(self, topic: str) -> float:
        """How long a change of this topic may have gone without being in force here."""
        ...

    def subscribe(self, topic: str, callback: Callable[[], Awaitable[None]]) -> None: ...


class Memory(Generic[Name, Value]):
    """A bounded dict that forgets the longest unused, and on news everything."""

    def __init__(self, size_max: int) -> None:
        self.version = 0
        self._size_max = size_max
        self._entries: OrderedDict[Name, Value] = OrderedDict()

    def get(self, name: Name) -> Value | None:
        entry = self._entries.get(name)
        if entry is not None:
            self._entries.move_to_end(name)
        return entry

    def put(self, name: Name, value: Value, version: int) -> None:
        """Remember it, unless news has come since `version`: then it may be outdated already."""
        if version != self.version:
            return
        self._entries[name] = value
        self._entries.move_to_end(name)
        if len(self._entries) > self._size_max:
            self._entries.popitem(last=False)

    def forget(self) -> None:
        self.version += 1
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    checked_at: float
    ends_at: datetime | None


class Authenticator:
    """Knows callers by their secrets. One a process; `listen` before `Changes.start`."""

    def __init__(self, database: Database, news: News, clock: Clock) -> None:
        self._database = database
        self._news = news
        self._clock = clock
        self._known: Memory[bytes, _Known] = Memory(KEYS_CACHED_MAX)
        self._refused: Memory[bytes, tuple[float, Unauthenticated]] = Memory(REFUSALS_CACHED_MAX)
        self._agents: Memory[tuple[str, str], tuple[float, Agent]] = Memory(AGENTS_CACHED_MAX)
        self._lookups = asyncio.Semaphore(LOOKUPS_AT_ONCE_MAX)

    def listen(self) -> None:
        """Hear of changes to keys and agents from now on."""
        self._news.subscribe(KEYS_TOPIC, self.forget_keys)
        self._news.subscribe(AGENTS_TOPIC, self.forget_agents)

    async def forget_keys(self) -> None:
        """Look every key up again: one of them changed, or news was lost."""
        self._known.forget()
        self._refused.forget()

    async def forget_agents(self) -> None:
        """Look every agent up again."""
        self._agents.forget()

    def cached(self, key_text: str) -> Caller | None:
        """Who has this secret, if that is known and certain; None: ask `authenticate`."""
        return self._cached(digest_of(key_text))

    async def authenticate(self, key_text: str | None) -> Caller:
        """Who has this secret.

        Raises KeyMissing, InvalidKey, KeyExpired, KeyRevoked (401), and DatabaseUnavailable (503)
        where it cannot be found out.
        """
        if not key_text:
            raise KeyMissing("send a key as X-AOS-Key, x-api-key or Authorization: Bearer")
        if len(key_text) > KEY_BYTES_MAX:
            raise InvalidKey("this key is not known here")
        digest = digest_of(key_text)
        caller = self._cached(digest)
        if caller is not None:
            return caller
        refused = self._refused.get(digest)
        if refused is not None and self._clock.monotonic() < refused[0]:
            raise type(refused[1])(refused[1].message)
        return await self._bounded(lambda: self._look_up(digest))

    async def agent(self, tenant_id: str, agent_id: str) -> Agent:
        """The agent that a call is charged to.

        Raises AgentNotFound (404; another tenant's too), AgentArchived (403), DatabaseUnavailable.
        """
        agent = self.cached_agent(tenant_id, agent_id)
        if agent is None:
            agent = await self._bounded(lambda: self._look_up_agent(tenant_id, agent_id))
        if agent.status is AgentStatus.ARCHIVED:
            raise AgentArchived(f"agent {agent_id} is archived and can no longer be charged")
        return agent

    def cached_agent(self, tenant_id: str, agent_id: str) -> Agent | None:
        """The agent, archived or not, if it is known and certain; None: ask `agent`."""
        entry = self._agents.get((tenant_id, agent_id))
        return entry[1] if entry is not None and self._fresh(AGENTS_TOPIC, entry[0]) else None

    def _cached(self, digest: bytes) -> Caller | None:
        entry = self._known.get(digest)
        if entry is None or not self._fresh(KEYS_TOPIC, entry.checked_at):
            return None
        if entry.ends_at is not None and entry.ends_at <= self._clock.now():
            return None
        return entry.caller

    def _fresh(self, topic: str, checked_at: float) -> bool:
        return (
            self._news.stale_seconds(topic) <= FRESH_SECONDS_MAX
            or self._clock.monotonic() - checked_at <= FRESH_SECONDS_MAX
        )

    async def _bounded(self, look_up: Callable[[], Awaitable[Value]]) -> Value:
        try:
            async with asyncio.timeout(LOOKUP_SECONDS_MAX), self._lookups:
                return await look_up()
        except TimeoutError as error:
            raise DatabaseUnavailable("the database did not answer in time") from error

    async def _look_up(self, digest: bytes) -> Caller:
        caller = self._cached(digest)
        if caller is not None:  # Another caller's look-up has just answered.
            return caller
        version, checked_at = self._known.version, self._clock.monotonic()
        found = await find_secret(self._database, digest)
        refusal = _refusal(found, self._clock.now())
        if refusal is not None:
            self._refused.put(digest, (checked_at + REFUSAL_SECONDS, refusal), version)
            raise refusal
        assert found is not None
        ends = [end for end in (found.caller.expires_at, found.valid_until) if end is not None]
        self._known.put(digest, _Known(found.caller, checked_at, min(ends, default=None)), version)
        return found.caller

    async def _look_up_agent(self, tenant_id: str, agent_id: str) -> Agent:
        version, checked_at = self._agents.version, self._clock.monotonic()
        agent = await find_agent(self._database, tenant_id, agent_id)
        if agent is None:
            raise AgentNotFound(f"there is no agent {agent_id} in this tenant")
        self._agents.put((tenant_id, agent_id), (checked_at, agent), version)
        return agent


def _refusal(found: KnownSecret | None, now: datetime) -> Unauthenticated | None:
    if found is None:
        return InvalidKey("this key is not known here")
    if found.revoked_at is not None:
        return KeyRevoked("this key was revoked; ask an administrator for another")
    if found.valid_until is not None and found.valid_until <= now:
        return KeyRevoked("this key was rotated and its grace is over; use the new one")
    if found.caller.expires_at is not None and found.caller.expires_at <= now:
        return KeyExpired("this key has expired; ask an administrator for another")
    return None
