"""News that a snapshot in memory is stale.

A room that keeps a snapshot subscribes a callback to its topic; whoever writes the tables behind it
says `SELECT aos.changed('topic')` in the same transaction. Callbacks reload; they get no payload,
for a notice may stand for many. They run after every (re)connect too, for nobody told us what
changed while we were away.

What may not be used when it is old (a revoked key) asks `stale_seconds`: an age that is true even
when the network has silently died.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

import structlog
from psycopg import AsyncConnection, Notify, sql

from aos.infra.errors import DatabaseUnavailable
from aos.infra.limits import (
    CHANGES_ANSWER_SECONDS_MAX,
    CHANGES_ASKED_SECONDS,
    CHANGES_POLL_SECONDS,
    CHANGES_RECONNECT_SECONDS_MAX,
    CHANGES_START_SECONDS_MAX,
    CHANGES_TRIES_A_LINE,
    DATABASE_CONNECT_SECONDS_MAX,
)
from aos.kit.backoff import full_jitter_seconds

CHANNEL: Final = "aos_changes"

Callback = Callable[[], Awaitable[None]]

Hear = Callable[[str], None]
"""Takes the payload of a notice."""

_log = structlog.get_logger(__name__)


class Changes:
    """`url` must not go through a transaction-mode pooler unless `poll` is true."""

    def __init__(self, url: str, *, poll: bool = False) -> None:
        self._url = url
        self._poll = poll
        self._topics: dict[str, _Topic] = {}
        self._channels: dict[str, Hear] = {}
        self._heard_at = -1e9
        self._asked_at = -1e9
        self._task: asyncio.Task[None] | None = None
        self._random = Random()  # noqa: S311 - spreads reconnects; nothing secret

    def subscribe(self, topic: str, callback: Callback) -> None:
        """Run `callback` at the start, when `topic` changes, and after each reconnect.

        A callback that raises is logged and tried again until it succeeds; meanwhile its topic
        is stale. Callbacks of one topic run one after another, those of two topics side by side.
        """
        entry = self._topics.get(topic)
        if entry is None:
            entry = self._topics[topic] = _Topic(topic)
        entry.callbacks.append(callback)
        if self._task is not None:
            entry.mark(time.monotonic())

    def listen(self, channel: str, hear: Hear) -> None:
        """Give `hear` the payload of every notice on another channel, as soon as it comes.

        For hints that may be lost: nothing is repeated after a reconnect, and nothing comes at all
        when polling. Call it before `start`.
        """
        assert self._task is None, "listen before start"
        self._channels[channel] = hear

    def stale_seconds(self, topic: str) -> float:
        """How long a change of this topic may have gone without being in force here.

        Below CHANGES_POLL_SECONDS plus a round trip while somebody asks and all is well. The first
        question after a quiet time gets a large answer: check with the database that once. (An
        idle process asks nothing of the database, so that a serverless one may sleep.)
        """
        now = self._asked_at = time.monotonic()
        dirty_since = self._topics[topic].dirty_since
        fresh_at = self._heard_at if dirty_since is None else min(self._heard_at, dirty_since)
        return now - fresh_at

    async def start(self) -> None:
        """Connect and run every callback once. Raises DatabaseUnavailable."""
        assert self._task is None, "started twice"
        self._task = asyncio.create_task(self._run(), name="changes")
        try:
            async with asyncio.timeout(CHANGES_START_SECONDS_MAX):
                for entry in self._topics.values():
                    await entry.clean.wait()
        except TimeoutError:
            await self.stop()
            raise DatabaseUnavailable(
                "the database did not tell what is in force: see the log for the first failure"
            ) from None

    async def stop(self) -> None:
        tasks = [self._task, *(entry.task for entry in self._topics.values())]
        self._task = None
        under_way = [task for task in tasks if task is not None]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _run(self) -> None:
        attempt = 0
        while True:
            try:
                async with asyncio.timeout(DATABASE_CONNECT_SECONDS_MAX):
                    connection = await AsyncConnection.connect(
                        self._url,
                        autocommit=True,
                        prepare_threshold=None,
                        application_name="aos-changes",
                    )
                async with connection:
                    if attempt:
                        _log.info("changes_heard_again", tries=attempt)
                    attempt = 0
                    await (self._watch(connection) if self._poll else self._listen(connection))
            except Exception as error:  # noqa: BLE001 - a job's edge: a dead listener tells nobody
                if attempt % CHANGES_TRIES_A_LINE == 0:
                    _log.warning("changes_unheard", error=repr(error), tries=attempt)
            await asyncio.sleep(
                full_jitter_seconds(
                    attempt,
                    self._random,
                    base_seconds=0.1,
                    seconds_max=CHANGES_RECONNECT_SECONDS_MAX,
                )
            )
            attempt += 1

    async def _listen(self, connection: AsyncConnection) -> None:
        for channel in (CHANNEL, *self._channels):
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        # Before the callbacks read: what changes from here on is announced.
        self._mark_all()
        self._heard_at = time.monotonic()
        while not connection.closed:
            async for notice in connection.notifies(timeout=CHANGES_POLL_SECONDS):
                self._heard(notice)
            asked_at = time.monotonic()
            if asked_at - self._asked_at > CHANGES_ASKED_SECONDS:
                continue
            # A connection can die without a sound. An answer proves that all earlier notices
            # have come, for they travel the same way.
            async with asyncio.timeout(CHANGES_ANSWER_SECONDS_MAX):
                await connection.execute("SELECT 1")
            async for notice in connection.notifies(timeout=0):
                self._heard(notice)
            self._heard_at = asked_at

    async def _watch(self, connection: AsyncConnection) -> None:
        seen: dict[str, int] | None = None
        while True:
            asked_at = time.monotonic()
            async with asyncio.timeout(CHANGES_ANSWER_SECONDS_MAX):
                cursor = await connection.execute("SELECT topic, version FROM aos.changes")
                versions: dict[str, int] = dict(await cursor.fetchall())
            if seen is None:
                self._mark_all()
            else:
                for topic, version in versions.items():
                    if seen.get(topic) != version:
                        self._mark(topic)
            seen = versions
            self._heard_at = asked_at
            await asyncio.sleep(CHANGES_POLL_SECONDS)

    def _heard(self, notice: Notify) -> None:
        if notice.channel == CHANNEL:
            self._mark(notice.payload)
        else:
            self._channels[notice.channel](notice.payload)

    def _mark(self, topic: str) -> None:
        if entry := self._topics.get(topic):
            entry.mark(time.monotonic())

    def _mark_all(self) -> None:
        for entry in self._topics.values():
            entry.mark(time.monotonic())


class _Topic:
    """The callbacks of one topic, and since when they have something to catch up with."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.callbacks: list[Callback] = []
        self.dirty_since: float | None = None
        self.clean = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._again = False

    def mark(self, now: float) -> None:
        self._again = True
        if self.dirty_since is None:
            self.dirty_since = now
            self.clean.clear()
            self.task = asyncio.create_task(self._catch_up(), name=f"changes-{self.name}")

    async def _catch_up(self) -> None:
        while self._again:
            self._again = False
            try:
                for callback in self.callbacks:
                    await callback()
            except Exception as error:  # noqa: BLE001 - a job's edge: it stays stale and tries again
                _log.warning("changes_not_in_force", topic=self.name, error=repr(error))
                self._again = True
                await asyncio.sleep(CHANGES_POLL_SECONDS)
        self.dirty_since = None
        self.clean.set()
