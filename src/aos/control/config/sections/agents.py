"""`agents:` — owners of keys and budgets. Taking one away archives it."""

from dataclasses import replace
from typing import Final

from aos.control.config.model import Made, Standing
from aos.control.config.schemas import AgentSpec
from aos.identity import Agent, Agents, AgentStatus
from aos.infra.postgres import Transaction

PAGE_SIZE: Final = 500


async def live_agents(agents: Agents, tx: Transaction) -> list[Agent]:
    """Every agent of the tenant that is not archived."""
    found: list[Agent] = []
    while True:
        before = found[-1].id if found else None
        page = await agents.list(tx, before_id=before, limit=PAGE_SIZE, status=AgentStatus.ACTIVE)
        found += page
        if len(page) < PAGE_SIZE:
            return found


class AgentsSection:
    kind: Final = "agents"

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def read(self, tx: Transaction) -> dict[str, Standing]:
        return {
            agent.name: Standing(
                agent.id,
                AgentSpec(
                    # 0 and absent both mean no lifetime budget.
                    budget_cents=agent.budget_cents or None,
                    budget_alert_threshold=agent.budget_alert_threshold,
                ),
            )
            for agent in await live_agents(self._agents, tx)
        }

    async def create(self, tx: Transaction, tenant_id: str, name: str, spec: AgentSpec) -> Made:
        agent = await self._agents.create(
            tx,
            tenant_id,
            name=name,
            budget_cents=spec.budget_cents,
            alert_threshold=spec.budget_alert_threshold,
        )
        return Made(agent.id)

    async def update(
        self,
        tx: Transaction,
        tenant_id: str,  # noqa: ARG002 - the Section's shape
        standing: Standing,
        spec: AgentSpec,
    ) -> None:
        agent = await self._agents.get(tx, standing.id, for_change=True)
        threshold = spec.budget_alert_threshold or agent.budget_alert_threshold
        changed = replace(agent, budget_cents=spec.budget_cents, budget_alert_threshold=threshold)
        await self._agents.update(tx, changed)

    async def delete(self, tx: Transaction, tenant_id: str, standing: Standing) -> None:  # noqa: ARG002 - the Section's shape
        await self._agents.archive(tx, standing.id)

    async def check(self, tx: Transaction) -> None:
        """Every agent makes sense by itself."""
