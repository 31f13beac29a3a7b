"""Calls of this process that wait for room in an account, first come first served.

One line a full account: who waits for its agent's budget stands in nobody else's way. Order holds
within a process; across processes it is approximate, since each one's first in line tries at once.
"""

from aos.budgets.queues.service import Line, LinesFull, Queues, Waiter

__all__ = ["Line", "LinesFull", "Queues", "Waiter"]
