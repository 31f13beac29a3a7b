"""Micro-batches: what arrives while one batch is under way goes together in the next.

Alone, an item goes at once: batching adds no wait, it only shares round trips and commits.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from aos.infra.errors import DatabaseUnavailable
from aos.infra.limits import BATCH_ITEMS_MAX

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Runs `run` over batches, in order, at most `lanes` at a time.

    `run` returns one result an item, in order. When a batch raises, its items are tried one by
    one, so that a single bad item fails alone. Not when the database is away: each item would wait
    for it in turn, so all of them hear it at once.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        lanes: int = 1,
        items_max: int = BATCH_ITEMS_MAX,
    ) -> None:
        self._run = run
        self._lanes_free = lanes
        self._items_max = items_max
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Result:
        """Raises whatever `run` raised for this item. A cancelled caller's item still runs."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._lanes_free:
            self._lanes_free -= 1
            task = asyncio.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def settle(self, seconds_max: float | None = None) -> bool:
        """Wait until nothing is under way. For an orderly stop.

        After `seconds_max` what is still under way is given up: then False.
        """
        try:
            async with asyncio.timeout(seconds_max):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
            return False
        return True

    async def _drain(self) -> None:
        try:
            while self._waiting:
                size = min(self._items_max, len(self._waiting))
                await self._run_batch([self._waiting.popleft() for _ in range(size)])
                if size > 1:
                    # Whoever became ready meanwhile joins: under load a turn of the loop costs
                    # nobody time, and larger batches cost everybody less.
                    await asyncio.sleep(0)
        finally:
            self._lanes_free += 1

    async def _run_batch(self, batch: list[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        try:
            results = await self._run([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - the edge of a batch: the error goes to callers
            if len(batch) == 1 or type(error) is DatabaseUnavailable:
                for _, future in batch:
                    _fail(future, error)
                return
            for pair in batch:
                await self._run_batch([pair])
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


def _fail(future: "asyncio.Future[Result]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
