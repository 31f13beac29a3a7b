"""`/api/v1/keys`. Only administrators make and change keys; any key may read itself."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from aos.control.access.api import AnyCaller, ReadCaller, Services
from aos.control.keys.schemas import (
    BindingBudgetAnswer,
    KeyAnswer,
    KeyBody,
    KeyChanges,
    NewKeyAnswer,
    OwnKeyAnswer,
    RotateBody,
    key_fields,
)
from aos.control.model import ControlServices
from aos.control.paging.api import Paging
from aos.control.paging.rules import cut, encode_cursor
from aos.control.schemas import Label, Page
from aos.control.writes.api import AdminWrite
from aos.identity import ApiKey, Owner, OwnerKind
from aos.infra.postgres import Transaction
from aos.kit.money import Nanousd

router = APIRouter(prefix="/api/v1/keys", tags=["keys"])


@router.post("", status_code=201, response_model=NewKeyAnswer)
async def create_key(body: KeyBody, write: AdminWrite, services: Services) -> Response:
    """Make a key. Its secret, `key`, is shown in this answer and never again."""

    async def work(tx: Transaction) -> NewKeyAnswer:
        budget = None if body.budget is None else body.budget.own()
        new = await services.keys.create(tx, write.caller.tenant_id, body.terms(), budget)
        return NewKeyAnswer(key=new.secret, **await _fields(services, tx, new.key))

    response = await write.run(work, status=201)
    await _renew(services, budget=body.budget is not None)
    return response


@router.get("")
async def list_keys(
    caller: ReadCaller,
    services: Services,
    paging: Paging,
    agent_id: Label | None = None,
    revoked: Annotated[bool, Query(description="The revoked ones too.")] = False,  # noqa: FBT002
) -> Page[KeyAnswer]:
    """Newest first."""
    async with services.database.tenant(caller.tenant_id) as tx:
        found = await services.keys.list(
            tx,
            before_id=paging.before_id(),
            limit=paging.limit + 1,
            agent_id=agent_id,
            revoked=revoked,
        )
        keys, next_cursor = cut(found, paging.limit, lambda key: encode_cursor(key.id))
        fields = await _all_fields(services, tx, keys)
    return Page(items=[KeyAnswer(**each) for each in fields], next_cursor=next_cursor)


@router.get("/self")
async def get_own_key(caller: AnyCaller, services: Services) -> OwnKeyAnswer:
    """What the key of this request may do, what it has spent, and when its budgets reset."""
    async with services.database.tenant(caller.tenant_id) as tx:
        key = await services.keys.get(tx, caller.key_id)
        fields = await _fields(services, tx, key)
        binding = await services.spend.binding(tx, caller)
    return OwnKeyAnswer(
        tenant_id=caller.tenant_id,
        budgets=[BindingBudgetAnswer.of(budget) for budget in binding],
        **fields,
    )


@router.get("/{key_id}")
async def get_key(key_id: Label, caller: ReadCaller, services: Services) -> KeyAnswer:
    """One key, revoked or not."""
    async with services.database.tenant(caller.tenant_id) as tx:
        key = await services.keys.get(tx, key_id)
        return KeyAnswer(**await _fields(services, tx, key))


@router.patch("/{key_id}", response_model=KeyAnswer)
async def update_key(
    key_id: Label, body: KeyChanges, write: AdminWrite, services: Services
) -> Response:
    """Change what is named in the body. In force for the next call."""

    async def work(tx: Transaction) -> KeyAnswer:
        key = await services.keys.get(tx, key_id, for_change=True)
        changed = body.changed()
        if changed:
            key = await services.keys.update(tx, key, replace(key.terms, **changed))  # type: ignore[arg-type]  # fields of KeyTerms, validated
        if "budget" in body.model_fields_set:
            own = None if body.budget is None else body.budget.own()
            await services.keys.set_budget(tx, key, own)
        return KeyAnswer(**await _fields(services, tx, key))

    response = await write.run(work)
    await _renew(services, budget="budget" in body.model_fields_set)
    return response


@router.delete("/{key_id}", response_model=KeyAnswer)
async def revoke_key(key_id: Label, write: AdminWrite, services: Services) -> Response:
    """Revoke it for good: refused here at once, by every process within a second.

    A stream that is running goes on to its end; its cost is already held.
    """

    async def work(tx: Transaction) -> KeyAnswer:
        key = await services.keys.revoke(tx, key_id)
        return KeyAnswer(**await _fields(services, tx, key))

    response = await write.run(work)
    await _renew(services, budget=True)
    return response


@router.post("/{key_id}/rotate", response_model=NewKeyAnswer)
async def rotate_key(
    key_id: Label, write: AdminWrite, services: Services, body: RotateBody | None = None
) -> Response:
    """A new secret for the same key. The old one works for `grace_seconds` more."""
    grace_seconds = 0 if body is None else body.grace_seconds

    async def work(tx: Transaction) -> NewKeyAnswer:
        new = await services.keys.rotate(tx, key_id, grace_seconds=grace_seconds)
        return NewKeyAnswer(key=new.secret, **await _fields(services, tx, new.key))

    response = await write.run(work)
    await _renew(services, budget=False)
    return response


async def _fields(services: ControlServices, tx: Transaction, key: ApiKey) -> dict[str, Any]:
    return (await _all_fields(services, tx, [key]))[0]


async def _all_fields(
    services: ControlServices, tx: Transaction, keys: Sequence[ApiKey]
) -> list[dict[str, Any]]:
    owners = [Owner(OwnerKind.KEY, key.id) for key in keys]
    own = await services.own_budgets.find_own(tx, owners)
    spent = await services.spend.spent(tx, owners)
    now = services.clock.now()
    return [
        key_fields(key, own.get(owner), spent.get(owner, Nanousd(0)), now)
        for key, owner in zip(keys, owners, strict=True)
    ]


async def _renew(services: ControlServices, *, budget: bool) -> None:
    """What was committed binds the next call of this process; others hear of it."""
    await services.authenticator.forget_keys()
    if budget:
        await services.own_budgets.refresh()
