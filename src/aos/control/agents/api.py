"""`/agents`, and the same under `/api/v1/agents`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from fastapi import APIRouter
from starlette.responses import Response

from aos.control.access.api import ReadCaller, Services
from aos.control.agents.schemas import AgentAnswer, AgentBody, AgentChanges
from aos.control.model import ControlServices
from aos.control.paging.api import Paging
from aos.control.paging.rules import cut, encode_cursor
from aos.control.schemas import Label, Page
from aos.control.writes.api import AdminWrite
from aos.identity import Agent, AgentStatus, Owner, OwnerKind
from aos.infra.postgres import Transaction
from aos.kit.money import Nanousd

router = APIRouter(prefix="/agents", tags=["agents"])


@router.post("", status_code=201, response_model=AgentAnswer)
async def create_agent(body: AgentBody, write: AdminWrite, services: Services) -> Response:
    """Make an agent, with a blocking lifetime budget when `budget_cents` is given."""

    async def work(tx: Transaction) -> AgentAnswer:
        agent = await services.agents.create(
            tx,
            write.caller.tenant_id,
            name=body.name,
            budget_cents=body.budget_cents,
            alert_threshold=body.budget_alert_threshold,
        )
        return AgentAnswer.of(agent, Nanousd(0))

    response = await write.run(work, status=201)
    await services.own_budgets.refresh()
    return response


@router.get("")
async def list_agents(
    caller: ReadCaller,
    services: Services,
    paging: Paging,
    status: Literal["active", "archived", "all"] = "active",
) -> Page[AgentAnswer]:
    """Newest first."""
    async with services.database.tenant(caller.tenant_id) as tx:
        found = await services.agents.list(
            tx,
            before_id=paging.before_id(),
            limit=paging.limit + 1,
            status=None if status == "all" else AgentStatus(status),
        )
        agents, next_cursor = cut(found, paging.limit, lambda agent: encode_cursor(agent.id))
        items = await _answers(services, tx, agents)
    return Page(items=items, next_cursor=next_cursor)


@router.get("/{agent_id}")
async def get_agent(agent_id: Label, caller: ReadCaller, services: Services) -> AgentAnswer:
    """One agent, archived or not."""
    async with services.database.tenant(caller.tenant_id) as tx:
        agent = await services.agents.get(tx, agent_id)
        return (await _answers(services, tx, [agent]))[0]


@router.patch("/{agent_id}", response_model=AgentAnswer)
async def update_agent(
    agent_id: Label, body: AgentChanges, write: AdminWrite, services: Services
) -> Response:
    """Change what is named in the body. A changed budget binds the next call."""

    async def work(tx: Transaction) -> AgentAnswer:
        agent = await services.agents.get(tx, agent_id, for_change=True)
        changed = replace(agent, **body.model_dump(exclude_unset=True))
        stored = await services.agents.update(tx, changed)
        return (await _answers(services, tx, [stored]))[0]

    response = await write.run(work)
    await _renew(services)
    return response


@router.delete("/{agent_id}", response_model=AgentAnswer)
async def archive_agent(agent_id: Label, write: AdminWrite, services: Services) -> Response:
    """Archive it: its rows stay, its name is free, and it can no longer be charged."""

    async def work(tx: Transaction) -> AgentAnswer:
        agent = await services.agents.archive(tx, agent_id)
        return (await _answers(services, tx, [agent]))[0]

    response = await write.run(work)
    await _renew(services)
    return response


async def _answers(
    services: ControlServices, tx: Transaction, agents: Sequence[Agent]
) -> list[AgentAnswer]:
    owners = [Owner(OwnerKind.AGENT, agent.id) for agent in agents]
    spent = await services.spend.spent(tx, owners)
    return [
        AgentAnswer.of(agent, spent.get(owner, Nanousd(0)))
        for agent, owner in zip(agents, owners, strict=True)
    ]


async def _renew(services: ControlServices) -> None:
    """What was committed binds the next call of this process; others hear of it."""
    await services.authenticator.forget_agents()
    await services.own_budgets.refresh()
