"""The verbs of agents. Every verb works in the caller's tenant transaction and never commits.

After the commit the edge calls `Authenticator.forget_agents` and `OwnBudgets.refresh`, so that the
next call of its own process sees the change at once; other processes hear of it.
"""

from dataclasses import replace

from aos.identity.agents.store import (
    insert_agent,
    select_agent,
    select_agent_named,
    select_agents,
    update_agent,
)
from aos.identity.errors import AgentArchived, AgentNotFound
from aos.identity.model import Agent, AgentStatus, OwnBudget, OwnBudgets, Owner, OwnerKind
from aos.infra.postgres import Transaction
from aos.kit.clock import Clock
from aos.kit.ids import new
from aos.kit.money import from_cents


class Agents:
    def __init__(self, own_budgets: OwnBudgets, clock: Clock, *, alert_threshold: float) -> None:
        """`alert_threshold` is BUDGET_ALERT_THRESHOLD: a share of the budget."""
        self._own_budgets = own_budgets
        self._clock = clock
        self._alert_threshold = alert_threshold

    async def create(
        self,
        tx: Transaction,
        tenant_id: str,
        *,
        name: str,
        budget_cents: int | None = None,
        alert_threshold: float | None = None,
    ) -> Agent:
        """A new agent with its lifetime budget, if it has one. Raises NameTaken."""
        now = self._clock.now()
        agent = await insert_agent(
            tx,
            Agent(
                id=new("agt", now),
                tenant_id=tenant_id,
                name=name,
                budget_cents=budget_cents,
                budget_alert_threshold=alert_threshold or self._alert_threshold,
                status=AgentStatus.ACTIVE,
                created_at=now,
            ),
        )
        if agent.budget_cents:
            await self._set_budget(tx, agent)
        return agent

    async def get(self, tx: Transaction, agent_id: str, *, for_change: bool = False) -> Agent:
        """Raises AgentNotFound, and AgentArchived where it is to be changed and cannot."""
        agent = await select_agent(tx, agent_id, for_change=for_change)
        if agent is None:
            raise AgentNotFound(f"there is no agent {agent_id} in this tenant")
        if for_change and agent.status is AgentStatus.ARCHIVED:
            raise AgentArchived(f"agent {agent_id} is archived and can no longer be changed")
        return agent

    async def find_named(self, tx: Transaction, name: str) -> Agent | None:
        """The live agent of this name: for config as code."""
        return await select_agent_named(tx, name)

    async def list(
        self,
        tx: Transaction,
        *,
        before_id: str | None = None,
        limit: int,
        status: AgentStatus | None = None,
    ) -> list[Agent]:
        """Newest first, those older than `before_id`."""
        return await select_agents(tx, before_id, limit, status)

    async def update(self, tx: Transaction, agent: Agent) -> Agent:
        """Store an agent got `for_change` and replaced in name, budget or threshold.

        Raises NameTaken.
        """
        changed = await update_agent(tx, agent)
        await self._set_budget(tx, changed)
        return changed

    async def archive(self, tx: Transaction, agent_id: str) -> Agent:
        """Active → archived: its budget ends, its keys can no longer spend. Repeating is harmless.

        Raises AgentNotFound.
        """
        agent = await select_agent(tx, agent_id, for_change=True)
        if agent is None:
            raise AgentNotFound(f"there is no agent {agent_id} in this tenant")
        if agent.status is AgentStatus.ARCHIVED:
            return agent
        archived = await update_agent(tx, replace(agent, status=AgentStatus.ARCHIVED))
        await self._own_budgets.set_own(tx, agent.tenant_id, _owner(agent), None)
        return archived

    async def _set_budget(self, tx: Transaction, agent: Agent) -> None:
        own = _own_budget(agent) if agent.budget_cents else None
        await self._own_budgets.set_own(tx, agent.tenant_id, _owner(agent), own)


def _owner(agent: Agent) -> Owner:
    return Owner(OwnerKind.AGENT, agent.id)


def _own_budget(agent: Agent) -> OwnBudget:
    """`budget_cents` as a budget: for its whole life, and blocking."""
    return OwnBudget(
        limit=from_cents(agent.budget_cents or 0),
        warning_percent=max(1, round(agent.budget_alert_threshold * 100)),
    )
