"""Lines before full accounts. Knows nothing of budgets: accounts, amounts and turns."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from aos.budgets.queues.limits import RETRY_SECONDS, WAITERS_MAX
from aos.kit.money import Nanousd
from aos.ledger import Balance


class LinesFull(Exception):
    """As many calls of this process wait as may."""


@dataclass(eq=False, slots=True)
class Waiter:
    """A place in the line of one account, for `amount`, or at the least for `least`."""

    account_id: int
    amount: Nanousd
    least: Nanousd
    turn: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False, slots=True)
class Line:
    """Who waits for one account, and how it stood when somebody last looked."""

    balance: Balance
    # Kept in order of arrival; a dict because most leave from somewhere else than the end.
    waiters: dict[Waiter, None] = field(default_factory=dict)

    def first(self) -> Waiter | None:
        return next(iter(self.waiters), None)


class Queues:
    """Every line of this process."""

    def __init__(self, waiters_max: int = WAITERS_MAX) -> None:
        self._lines: dict[int, Line] = {}
        self._waiters_max = waiters_max
        self.waiting = 0
        """How many calls wait."""

    def line(self, account_id: int) -> Line | None:
        """The line before this account, if anybody stands in it."""
        return self._lines.get(account_id)

    def join(self, balance: Balance, amount: Nanousd, least: Nanousd) -> Waiter:
        """Stand at the end of the account's line. Raises LinesFull."""
        if self.waiting >= self._waiters_max:
            raise LinesFull
        line = self._lines.setdefault(balance.account_id, Line(balance))
        line.balance = balance
        waiter = Waiter(balance.account_id, amount, least)
        line.waiters[waiter] = None
        self.waiting += 1
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Granted, refused or gone: whoever is first now has its turn."""
        line = self._lines[waiter.account_id]
        was_first = line.first() is waiter
        del line.waiters[waiter]
        self.waiting -= 1
        first = line.first()
        if first is None:
            del self._lines[waiter.account_id]
        elif was_first:
            first.turn.set()

    async def turn(self, waiter: Waiter, seconds: float) -> bool:
        """Wait until it is worth trying; False when that did not come within `seconds`.

        What is announced while the waiter tries is not lost: its next turn comes at once.
        """
        first = self._lines[waiter.account_id].first() is waiter
        try:
            async with asyncio.timeout(min(seconds, RETRY_SECONDS) if first else seconds):
                await waiter.turn.wait()
        except TimeoutError:
            return first and seconds > RETRY_SECONDS
        waiter.turn.clear()
        return True

    def seen(self, balances: Iterable[Balance]) -> None:
        """These accounts stand so now: give a turn to all who fit, and to all who never will."""
        for balance in balances:
            line = self._lines.get(balance.account_id)
            if line is not None:
                line.balance = balance
                _give_turns(line)

    def nudge(self, account_ids: Iterable[int]) -> None:
        """Something changed in these accounts: the first in each line tries."""
        for account_id in account_ids:
            line = self._lines.get(account_id)
            first = None if line is None else line.first()
            if first is not None:
                first.turn.set()

    def nudge_all(self) -> None:
        """Limits or periods may have changed: everybody tries, for the lines may be others now."""
        for line in self._lines.values():
            for waiter in line.waiters:
                waiter.turn.set()


def _give_turns(line: Line) -> None:
    """Turns for those whose amounts fit together, in order, and for those who wait in vain."""
    balance = line.balance
    left = balance.available
    behind = False
    for waiter in line.waiters:
        in_vain = balance.limit is not None and balance.posted + waiter.least > balance.limit
        if in_vain or (not behind and (left is None or waiter.least <= left)):
            waiter.turn.set()
            if left is not None and not in_vain:
                left = Nanousd(max(0, left - waiter.amount))
        else:
            behind = True
