"""`?limit=&cursor=` as a dependency."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

from aos.control.limits import PAGE_SIZE, PAGE_SIZE_MAX
from aos.control.paging.rules import decode_cursor


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Ask the store for `limit + 1` rows: the last one only tells that there are more."""

    limit: int
    cursor: str | None

    def parts(self, count: int) -> list[str] | None:
        """What the cursor holds; None on the first page. Raises InvalidCursor."""
        return None if self.cursor is None else decode_cursor(self.cursor, count)

    def before_id(self) -> str | None:
        """For lists that are sorted by id. Raises InvalidCursor."""
        parts = self.parts(1)
        return None if parts is None else parts[0]


def page_request(
    limit: Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX)] = PAGE_SIZE,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
) -> PageRequest:
    return PageRequest(limit, cursor)


Paging = Annotated[PageRequest, Depends(page_request)]
