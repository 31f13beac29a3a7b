"""The SQL of agents. `tx` is a tenant's transaction: row security picks the rows."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

import psycopg.errors

from aos.identity.errors import NameTaken
from aos.identity.model import Agent, AgentStatus
from aos.infra.postgres import Transaction


async def insert_agent(tx: Transaction, agent: Agent) -> Agent:
    """→ active. Raises NameTaken."""
    try:
        cursor = await tx.execute(
            """INSERT INTO aos.agents (id, tenant_id, name, budget_cents, budget_alert_threshold)
               VALUES (%s, %s, %s, %s, %s) RETURNING *""",
            (
                agent.id,
                agent.tenant_id,
                agent.name,
                agent.budget_cents,
                agent.budget_alert_threshold,
            ),
        )
        return agent_from(await cursor.fetchone() or {})
    except psycopg.errors.UniqueViolation as error:
        raise _name_taken(agent) from error


async def select_agent(tx: Transaction, agent_id: str, *, for_change: bool = False) -> Agent | None:
    """One agent, archived or not; locked until the end of `tx` when it is to be changed."""
    cursor = await tx.execute(
        """SELECT * FROM aos.agents WHERE id = %s FOR NO KEY UPDATE"""
        if for_change
        else """SELECT * FROM aos.agents WHERE id = %s""",
        (agent_id,),
    )
    row = await cursor.fetchone()
    return agent_from(row) if row else None


async def select_agent_named(tx: Transaction, name: str) -> Agent | None:
    """The live agent of this name."""
    cursor = await tx.execute(
        "SELECT * FROM aos.agents WHERE name = %s AND status = 'active'", (name,)
    )
    row = await cursor.fetchone()
    return agent_from(row) if row else None


async def select_agents(
    tx: Transaction, before_id: str | None, limit: int, status: AgentStatus | None
) -> list[Agent]:
    """Newest first, those older than `before_id`."""
    cursor = await tx.execute(
        """SELECT * FROM aos.agents
           WHERE (%(before)s::text IS NULL OR id < %(before)s)
             AND (%(status)s::text IS NULL OR status = %(status)s)
           ORDER BY id DESC LIMIT %(limit)s""",
        {"before": before_id, "status": status, "limit": limit},
    )
    return [agent_from(row) for row in await cursor.fetchall()]


async def update_agent(tx: Transaction, agent: Agent) -> Agent:
    """What can be changed of an agent; archiving is active → archived. Raises NameTaken."""
    try:
        cursor = await tx.execute(
            """UPDATE aos.agents SET name = %s, budget_cents = %s, budget_alert_threshold = %s,
                                     status = %s
               WHERE id = %s RETURNING *""",
            (
                agent.name,
                agent.budget_cents,
                agent.budget_alert_threshold,
                agent.status,
                agent.id,
            ),
        )
        changed = agent_from(await cursor.fetchone() or {})
    except psycopg.errors.UniqueViolation as error:
        raise _name_taken(agent) from error
    await tx.execute("SELECT aos.changed('agents')")
    return changed


def agent_from(row: Mapping[str, Any]) -> Agent:
    return Agent(
        id=row["id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        budget_cents=row["budget_cents"],
        budget_alert_threshold=row["budget_alert_threshold"],
        status=AgentStatus(row["status"]),
        created_at=row["created_at"].astimezone(UTC),
    )


def _name_taken(agent: Agent) -> NameTaken:
    return NameTaken(f"there is a live agent named {agent.name!r} already", name=agent.name)
