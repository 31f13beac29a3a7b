"""Notices that the caller has left while something is being waited for."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aos.gateway.errors import CallerGone
from aos.gateway.model import Reply


class CallerWatch:
    """Notices that the caller has left, and ends what `guards` with CallerGone.

    One watcher a call, armed only while waiting for something that costs money or time; what
    settles money is never interrupted. Built like `asyncio.timeout()`: a cancellation from
    elsewhere passes through untouched.
    """

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._gone = False
        self._guarded: asyncio.Task[Any] | None = None
        self._unwatch: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        if self._gone:
            raise CallerGone("the caller left")
        if self._unwatch is None:
            self._unwatch = self._reply.tell_when_gone(self._on_gone)
        self._guarded = asyncio.current_task()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        guarded, self._guarded = self._guarded, None
        ours = self._gone and kind is asyncio.CancelledError
        if ours and guarded is not None and guarded.uncancel() <= 0:
            raise CallerGone("the caller left before the answer was complete") from None

    def close(self) -> None:
        if self._unwatch is not None:
            self._unwatch()

    def _on_gone(self) -> None:
        self._gone = True
        if self._guarded is not None:
            self._guarded.cancel()
