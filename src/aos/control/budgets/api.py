"""`/api/v1/budgets`. What a write commits binds the next call of this process when it answers."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from aos.budgets import Budget, BudgetFilter, BudgetScope
from aos.budgets.standing.limits import HISTORY_DAYS_MAX
from aos.control.access.api import ReadCaller, Services
from aos.control.budgets.schemas import (
    BudgetAnswer,
    BudgetBody,
    BudgetChanges,
    DayAnswer,
    DeletedAnswer,
    StatusAnswer,
    SummaryAnswer,
)
from aos.control.model import ControlServices
from aos.control.paging.api import Paging
from aos.control.paging.rules import cut, encode_cursor
from aos.control.schemas import Label, Name, Page
from aos.control.writes.api import AdminWrite
from aos.infra.postgres import Transaction

router = APIRouter(prefix="/api/v1/budgets", tags=["budgets"])


@router.post("", status_code=201, response_model=BudgetAnswer)
async def create_budget(body: BudgetBody, write: AdminWrite, services: Services) -> Response:
    """Make a budget. It binds the next call here, and everywhere within a second."""

    async def work(tx: Transaction) -> BudgetAnswer:
        return await _answer(services, tx, await services.budgets.create(tx, body.terms()))

    response = await write.run(work, status=201)
    await services.budgets.refresh()
    return response


@router.get("")
async def list_budgets(
    caller: ReadCaller,
    services: Services,
    paging: Paging,
    scope: BudgetScope | None = None,
    scope_value: Label | None = None,
    name: Name | None = None,
) -> Page[BudgetAnswer]:
    """Live budgets, newest first; those that are fields of agents and keys too."""
    wanted = BudgetFilter(scope, scope_value, name, after=paging.before_id())
    async with services.database.tenant(caller.tenant_id) as tx:
        found = await services.budgets.list(tx, wanted, limit=paging.limit + 1)
        budgets, next_cursor = cut(found, paging.limit, lambda budget: encode_cursor(budget.id))
        standings = await services.standings.of_each(tx, budgets)
    return Page(items=[BudgetAnswer.of(each) for each in standings], next_cursor=next_cursor)


@router.get("/status/summary")
async def summarise_budgets(caller: ReadCaller, services: Services) -> SummaryAnswer:
    """How all live budgets stand, and the thresholds crossed in their running periods."""
    async with services.database.tenant(caller.tenant_id) as tx:
        return SummaryAnswer.of(await services.standings.summary(tx))


@router.get("/{budget_id}")
async def get_budget(budget_id: Label, caller: ReadCaller, services: Services) -> BudgetAnswer:
    """One live budget."""
    async with services.database.tenant(caller.tenant_id) as tx:
        return await _answer(services, tx, await services.budgets.get(tx, budget_id))


@router.put("/{budget_id}", response_model=BudgetAnswer)
async def replace_budget(
    budget_id: Label, body: BudgetBody, write: AdminWrite, services: Services
) -> Response:
    """All new terms. A changed scope, subject, period or time zone begins a new period now."""

    async def work(tx: Transaction) -> BudgetAnswer:
        budget = await services.budgets.replace(tx, budget_id, body.terms())
        return await _answer(services, tx, budget)

    response = await write.run(work)
    await services.budgets.refresh()
    return response


@router.patch("/{budget_id}", response_model=BudgetAnswer)
async def update_budget(
    budget_id: Label, body: BudgetChanges, write: AdminWrite, services: Services
) -> Response:
    """Change what is named in the body. A new limit holds for the running period at once."""

    async def work(tx: Transaction) -> BudgetAnswer:
        budget = await services.budgets.change(tx, budget_id, body.changed())
        return await _answer(services, tx, budget)

    response = await write.run(work)
    await services.budgets.refresh()
    return response


@router.delete("/{budget_id}", response_model=DeletedAnswer)
async def delete_budget(budget_id: Label, write: AdminWrite, services: Services) -> Response:
    """It binds nobody any more; what was spent under it stays on the books."""

    async def work(tx: Transaction) -> DeletedAnswer:
        await services.budgets.delete(tx, budget_id)
        return DeletedAnswer(id=budget_id)

    response = await write.run(work)
    await services.budgets.refresh()
    return response


@router.post("/{budget_id}/reset", response_model=BudgetAnswer)
async def reset_budget(budget_id: Label, write: AdminWrite, services: Services) -> Response:
    """Begin the running period anew; it ends when it would have ended."""

    async def work(tx: Transaction) -> BudgetAnswer:
        return await _answer(services, tx, await services.budgets.reset(tx, budget_id))

    response = await write.run(work)
    await services.budgets.refresh()
    return response


@router.get("/{budget_id}/status")
async def get_budget_status(
    budget_id: Label, caller: ReadCaller, services: Services
) -> StatusAnswer:
    """What is spent, held and left, subject by subject, and when it resets."""
    async with services.database.tenant(caller.tenant_id) as tx:
        budget = await services.budgets.get(tx, budget_id)
        return StatusAnswer.of(await services.standings.of(tx, budget))


@router.get("/{budget_id}/history")
async def get_budget_history(
    budget_id: Label,
    caller: ReadCaller,
    services: Services,
    days: Annotated[int, Query(ge=1, le=HISTORY_DAYS_MAX)] = 30,
) -> list[DayAnswer]:
    """Day by day, today last: the calls that the budget covers, also before it was made."""
    async with services.database.tenant(caller.tenant_id) as tx:
        budget = await services.budgets.get(tx, budget_id)
        history = await services.standings.history(tx, budget, days=days)
    return [DayAnswer.of(day) for day in history]


async def _answer(services: ControlServices, tx: Transaction, budget: Budget) -> BudgetAnswer:
    [standing] = await services.standings.of_each(tx, [budget])
    return BudgetAnswer.of(standing)
