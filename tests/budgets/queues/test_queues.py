"""Turns in a line. No database."""

import asyncio

import pytest

from aos.budgets.queues import LinesFull, Queues, Waiter
from aos.kit.money import Nanousd
from aos.ledger import Balance


def balance(available: int, *, posted: int = 0, account_id: int = 1) -> Balance:
    return Balance(account_id, Nanousd(available + posted), Nanousd(0), Nanousd(posted))


def join(queues: Queues, *amounts: int) -> list[Waiter]:
    return [queues.join(balance(0), Nanousd(each), Nanousd(each)) for each in amounts]


def woken(waiters: list[Waiter]) -> list[bool]:
    return [waiter.turn.is_set() for waiter in waiters]


def test_room_goes_to_as_many_as_fit_together_in_order() -> None:
    queues = Queues()
    waiters = join(queues, 40, 50, 20, 5)
    queues.seen([balance(100)])
    assert woken(waiters) == [True, True, False, False]


def test_nobody_behind_the_first_that_does_not_fit() -> None:
    queues = Queues()
    waiters = join(queues, 200, 5)
    queues.seen([Balance(1, Nanousd(300), Nanousd(200), Nanousd(0))])
    assert woken(waiters) == [False, False]


def test_whoever_waits_in_vain_hears_it_wherever_it_stands() -> None:
    queues = Queues()
    waiters = join(queues, 50, 500, 60)
    queues.seen([Balance(1, Nanousd(100), Nanousd(70), Nanousd(20))])
    assert woken(waiters) == [False, True, False]


def test_the_next_one_is_first_when_the_first_leaves() -> None:
    queues = Queues()
    waiters = join(queues, 1, 2, 3)
    queues.leave(waiters[1])
    assert woken(waiters) == [False, False, False]
    queues.leave(waiters[0])
    assert woken(waiters) == [False, False, True]
    queues.leave(waiters[2])
    assert queues.waiting == 0
    assert queues.line(1) is None


def test_news_of_an_account_reaches_the_first_of_its_line_only() -> None:
    queues = Queues()
    here = join(queues, 1, 2)
    there = queues.join(balance(0, account_id=2), Nanousd(1), Nanousd(1))
    queues.nudge([1, 7])
    assert woken([*here, there]) == [True, False, False]
    queues.nudge_all()
    assert woken([*here, there]) == [True, True, True]


def test_a_process_has_room_for_so_many() -> None:
    queues = Queues(waiters_max=2)
    join(queues, 1, 1)
    with pytest.raises(LinesFull):
        join(queues, 1)


async def test_the_first_tries_again_without_news_and_the_others_do_not() -> None:
    queues = Queues()
    first, second = join(queues, 1, 1)
    assert await queues.turn(first, 10)
    assert not await queues.turn(second, 0.3)


async def test_news_that_comes_while_somebody_tries_is_not_lost() -> None:
    queues = Queues()
    (waiter,) = join(queues, 1)
    queues.nudge([1])
    assert await queues.turn(waiter, 5)
    queues.nudge([1])  # It tries at this moment.
    async with asyncio.timeout(0.1):
        assert await queues.turn(waiter, 5)
