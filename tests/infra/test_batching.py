import asyncio
from collections.abc import Sequence

import pytest

from aos.infra.batching import Batcher
from aos.infra.errors import DatabaseBusy, DatabaseUnavailable


class Work:
    """Doubles numbers; remembers its batches; fails as it is told."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.bad: dict[int, Exception] = {}

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        await self.gate.wait()
        for item in items:
            if item in self.bad:
                raise self.bad[item]
        return [item * 2 for item in items]


async def test_what_waits_goes_together_and_in_order() -> None:
    work = Work()
    batcher = Batcher(work, items_max=4)
    work.gate.clear()
    tasks = [asyncio.create_task(batcher.submit(number)) for number in range(10)]
    await asyncio.sleep(0.01)
    work.gate.set()
    assert await asyncio.gather(*tasks) == [number * 2 for number in range(10)]
    assert [number for batch in work.batches for number in batch] == list(range(10))
    assert max(len(batch) for batch in work.batches) <= 4
    assert len(work.batches) <= 4


async def test_lanes_run_side_by_side() -> None:
    work = Work()
    batcher = Batcher(work, lanes=2, items_max=1)
    work.gate.clear()
    tasks = [asyncio.create_task(batcher.submit(number)) for number in range(3)]
    await asyncio.sleep(0.01)
    assert work.batches == [[0], [1]]
    work.gate.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4]


async def test_a_bad_item_fails_alone() -> None:
    work = Work()
    batcher = Batcher(work)
    work.gate.clear()
    work.bad = {2: ValueError("two"), 4: DatabaseBusy("in the way")}
    tasks = [asyncio.create_task(batcher.submit(number)) for number in range(6)]
    await asyncio.sleep(0.01)
    work.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [r for r in results if isinstance(r, int)] == [0, 2, 6, 10]
    assert isinstance(results[2], ValueError)
    assert isinstance(results[4], DatabaseBusy)


async def test_an_absent_database_is_asked_once_for_all() -> None:
    work = Work()
    batcher = Batcher(work)
    work.gate.clear()
    work.bad = {number: DatabaseUnavailable("away") for number in range(20)}
    tasks = [asyncio.create_task(batcher.submit(number)) for number in range(20)]
    await asyncio.sleep(0.01)
    work.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} == {DatabaseUnavailable}
    assert len(work.batches) <= 3


async def test_a_cancelled_callers_item_still_runs_and_harms_nobody() -> None:
    work = Work()
    batcher = Batcher(work)
    work.gate.clear()
    tasks = [asyncio.create_task(batcher.submit(number)) for number in range(3)]
    await asyncio.sleep(0.01)
    tasks[1].cancel()
    work.gate.set()
    assert await tasks[0] == 0
    assert await tasks[2] == 4
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    await batcher.settle()
    assert sorted(number for batch in work.batches for number in batch) == [0, 1, 2]
