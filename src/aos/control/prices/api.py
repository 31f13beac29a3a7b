"""`/api/v1/prices`, `/api/v1/models`. Everybody reads; administrators set their tenant's own."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from aos.catalog import Model, PriceBook, PriceFilter, read_table
from aos.control.access.api import AdminCaller, ReadCaller, Services
from aos.control.errors import OperatorOnly
from aos.control.paging.api import Paging
from aos.control.paging.rules import cut, encode_cursor
from aos.control.prices.schemas import (
    EndedAnswer,
    ImportAnswer,
    ModelAnswer,
    PriceAnswer,
    PriceBody,
)
from aos.control.schemas import InstantInput, Label, Page
from aos.control.writes.api import AdminWrite
from aos.identity import OPERATOR_TENANT
from aos.infra.postgres import Transaction

router = APIRouter(prefix="/api/v1", tags=["prices"])


@router.get("/prices")
async def list_prices(
    caller: ReadCaller,
    services: Services,
    paging: Paging,
    provider: Label | None = None,
    model: Annotated[
        Label | None, Query(description="A model's id, or any name it is called by.")
    ] = None,
    at: Annotated[InstantInput | None, Query(description="Only those in force then.")] = None,
) -> Page[PriceAnswer]:
    """The price table's versions and this tenant's own, by provider and model."""
    after = paging.parts(3)
    wanted = PriceFilter(
        limit=paging.limit + 1,
        provider=provider.lower() if provider else None,
        models=_names(services.catalog.book, provider, model),
        at=at,
        after=(after[0], after[1], after[2]) if after else None,
    )
    found = await services.prices.list_prices(caller.tenant_id, wanted)
    prices, next_cursor = cut(
        found, paging.limit, lambda price: encode_cursor(price.provider, price.model, price.id)
    )
    return Page(items=[PriceAnswer.of(price) for price in prices], next_cursor=next_cursor)


@router.post("/prices", status_code=201, response_model=PriceAnswer)
async def set_price(body: PriceBody, write: AdminWrite, services: Services) -> Response:
    """Set a price of this tenant's own. The one in force ends where it begins."""

    async def work(tx: Transaction) -> PriceAnswer:
        return PriceAnswer.of(await services.prices.put(tx, write.caller.tenant_id, body.terms()))

    response = await write.run(work, status=201)
    await services.catalog.refresh()
    return response


@router.delete("/prices/{price_id}", response_model=EndedAnswer)
async def end_price(price_id: Label, write: AdminWrite, services: Services) -> Response:
    """End a price of this tenant's own now; one that has not begun goes."""

    async def work(tx: Transaction) -> EndedAnswer:
        await services.prices.end(tx, price_id)
        return EndedAnswer(id=price_id)

    response = await write.run(work)
    await services.catalog.refresh()
    return response


@router.post("/prices/import")
async def import_prices(
    document: Annotated[dict[str, Any], Body(description="A price table.")],
    caller: AdminCaller,
    services: Services,
) -> ImportAnswer:
    """Take in a price table, for every tenant. What was billed stays as it was billed.

    Only for administrators of the operator's tenant. Repeating it changes nothing.
    """
    if caller.tenant_id != OPERATOR_TENANT:
        raise OperatorOnly(f"price tables are everybody's: only {OPERATOR_TENANT} may import one")
    # Thousands of models: beside the calls under way, not in front of them.
    table = await asyncio.to_thread(read_table, document)
    changed = await services.prices.import_table(table)
    await services.catalog.refresh()
    return ImportAnswer(
        name=table.name,
        version=table.version,
        providers=len(table.providers),
        models=table.models,
        prices=table.prices,
        changed=changed,
    )


@router.get("/models")
async def list_models(
    caller: ReadCaller, services: Services, paging: Paging, provider: Label | None = None
) -> Page[ModelAnswer]:
    """The catalogue: every model that is known, by provider, with its price of now."""
    book, now = services.catalog.book, services.clock.now()
    after = paging.parts(2)
    models = sorted(book.models(provider.lower() if provider else None), key=_place)
    if after is not None:
        models = [model for model in models if _place(model) > (after[0], after[1])]
    page, next_cursor = cut(
        models[: paging.limit + 1], paging.limit, lambda one: encode_cursor(one.provider, one.id)
    )
    items = [
        ModelAnswer.of(one, book.find_pricing(one.provider, one.id, now, caller.tenant_id))
        for one in page
    ]
    return Page(items=items, next_cursor=next_cursor)


def _place(model: Model) -> tuple[str, str]:
    return model.provider, model.id


def _names(book: PriceBook, provider: str | None, name: str | None) -> tuple[str, ...] | None:
    """The ids under which prices of what is called `name` stand."""
    if name is None:
        return None
    sellers = book.providers_of(name) if provider is None else (provider,)
    found = (book.find_model(seller, name) for seller in sellers)
    return tuple({name, name.lower(), *(model.id for model in found if model is not None)})
