"""`/api/v1/usage/calls`: the tenant's own calls, and nobody else's."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from aos.control.access.api import ReadCaller, Services
from aos.control.errors import InvalidCursor
from aos.control.paging.api import PageRequest, Paging
from aos.control.paging.rules import cut, encode_cursor
from aos.control.schemas import InstantInput, Label, Page
from aos.control.usage.schemas import CallItem, CallStory
from aos.usage import (
    CallCursor,
    CallFilter,
    CallNotFound,
    CallRow,
    CallStatus,
    find_call,
    find_content,
    list_attempts,
    list_calls,
)

router = APIRouter(prefix="/api/v1/usage", tags=["usage"])


@router.get("/calls")
async def list_usage_calls(  # noqa: PLR0913 - the filters of the query string
    caller: ReadCaller,
    services: Services,
    paging: Paging,
    *,
    since: Annotated[InstantInput | None, Query(description="Included.")] = None,
    until: Annotated[InstantInput | None, Query(description="Not included.")] = None,
    agent_id: Label | None = None,
    key_id: Label | None = None,
    user_id: Label | None = None,
    run_id: Label | None = None,
    model: Annotated[Label | None, Query(description="Asked for, or served.")] = None,
    status: CallStatus | None = None,
    tag: Annotated[Label | None, Query(description="`name` or `name=value`.")] = None,
) -> Page[CallItem]:
    """Newest first. A call is listed once it has ended, at the instant when it began."""
    wanted = CallFilter(
        since=since,
        until=until,
        agent_id=agent_id,
        key_id=key_id,
        user_id=user_id,
        run_id=run_id,
        model=model,
        status=status,
        tag=None if tag is None else _tag(tag),
    )
    async with services.database.tenant(caller.tenant_id) as tx:
        found = await list_calls(tx, wanted, _after(paging), paging.limit + 1)
    rows, next_cursor = cut(found, paging.limit, _cursor)
    return Page(items=[CallItem.of(row) for row in rows], next_cursor=next_cursor)


@router.get("/calls/{call_id}")
async def get_usage_call(call_id: Label, caller: ReadCaller, services: Services) -> CallStory:
    """One call's whole story. `call_id` is what `x-aos-request-id` said."""
    async with services.database.tenant(caller.tenant_id) as tx:
        row = await find_call(tx, call_id)
        if row is None:
            raise CallNotFound(f"there is no call {call_id} in this tenant, or it has not ended")
        attempts = await list_attempts(tx, call_id)
        entries = await services.ledger.entries(tx, [attempt.id for attempt in attempts])
        content = await find_content(tx, call_id, row.created_at)
    return CallStory.tell(row, attempts, entries, content)


def _tag(text: str) -> tuple[str, str | None]:
    name, equals, value = text.partition("=")
    return name, value if equals else None


def _cursor(row: CallRow) -> str:
    return encode_cursor(row.created_at.isoformat(), row.id)


def _after(paging: PageRequest) -> CallCursor | None:
    parts = paging.parts(2)
    if parts is None:
        return None
    try:
        return CallCursor(datetime.fromisoformat(parts[0]), parts[1])
    except ValueError:
        raise InvalidCursor("this cursor did not come from this list") from None
