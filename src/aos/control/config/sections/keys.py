"""`keys:` — API keys. A new key's secret is in the answer of its apply and nowhere else.

The admin key that a start makes is not the file's: it is neither exported nor taken away.
"""

from dataclasses import replace
from typing import Final

from aos.control.config.model import Made, Standing
from aos.control.config.schemas import KeySpec, OwnBudgetSpec
from aos.control.config.sections.agents import live_agents
from aos.identity import (
    Agents,
    ApiKey,
    KeyOrigin,
    Keys,
    KeyTerms,
    OwnBudget,
    OwnBudgets,
    Owner,
    OwnerKind,
    Scope,
)
from aos.infra.postgres import Transaction
from aos.kit.money import format_usd, parse_usd

PAGE_SIZE: Final = 500


async def live_keys(keys: Keys, tx: Transaction) -> list[ApiKey]:
    """Every key of the tenant that is not revoked."""
    found: list[ApiKey] = []
    while True:
        before = found[-1].id if found else None
        page = await keys.list(tx, before_id=before, limit=PAGE_SIZE)
        found += page
        if len(page) < PAGE_SIZE:
            return found


class KeysSection:
    kind: Final = "keys"

    def __init__(self, keys: Keys, agents: Agents, own_budgets: OwnBudgets) -> None:
        self._keys = keys
        self._agents = agents
        self._own_budgets = own_budgets

    async def read(self, tx: Transaction) -> dict[str, Standing]:
        keys = [key for key in await live_keys(self._keys, tx) if key.origin is KeyOrigin.API]
        names = {agent.id: agent.name for agent in await live_agents(self._agents, tx)}
        owners = [Owner(OwnerKind.KEY, key.id) for key in keys]
        own = await self._own_budgets.find_own(tx, owners)
        return {
            key.terms.name: Standing(key.id, _spec(key.terms, names, own.get(owner)))
            for key, owner in zip(keys, owners, strict=True)
        }

    async def create(self, tx: Transaction, tenant_id: str, name: str, spec: KeySpec) -> Made:
        terms = await self._terms(tx, name, spec)
        made = await self._keys.create(tx, tenant_id, terms, _own_budget(spec))
        return Made(made.key.id, made.secret)

    async def update(
        self,
        tx: Transaction,
        tenant_id: str,  # noqa: ARG002 - the Section's shape
        standing: Standing,
        spec: KeySpec,
    ) -> None:
        key = await self._keys.get(tx, standing.id, for_change=True)
        changed = await self._keys.update(tx, key, await self._terms(tx, key.terms.name, spec))
        owner = Owner(OwnerKind.KEY, key.id)
        before = (await self._own_budgets.find_own(tx, [owner])).get(owner)
        own = _own_budget(spec)
        if own is not None and before is not None:
            own = replace(own, name=before.name)
        if own != before:
            await self._keys.set_budget(tx, changed, own)

    async def delete(self, tx: Transaction, tenant_id: str, standing: Standing) -> None:  # noqa: ARG002 - the Section's shape
        await self._keys.revoke(tx, standing.id)

    async def check(self, tx: Transaction) -> None:
        """Every key makes sense by itself."""

    async def _terms(self, tx: Transaction, name: str, spec: KeySpec) -> KeyTerms:
        agent = None if spec.agent is None else await self._agents.find_named(tx, spec.agent)
        return KeyTerms(
            name=name,
            scopes=frozenset(Scope(scope) for scope in spec.scopes),
            # A name that no live agent has is taken for an id; identity refuses what is neither.
            agent_id=agent.id if agent is not None else spec.agent,
            team_id=spec.team_id,
            user_id=spec.user_id,
            models=tuple(spec.models),
            tags=spec.tags,
            rpm=spec.rpm,
            tpm=spec.tpm,
            max_parallel=spec.max_parallel,
            expires_at=spec.expires_at,
        )


def _spec(terms: KeyTerms, agent_names: dict[str, str], own: OwnBudget | None) -> KeySpec:
    agent = terms.agent_id
    return KeySpec.model_validate(
        {
            "agent": None if agent is None else agent_names.get(agent, agent),
            "scopes": [scope.value for scope in terms.scopes],
            "models": list(terms.models),
            "team_id": terms.team_id,
            "user_id": terms.user_id,
            "tags": terms.tags,
            "rpm": terms.rpm,
            "tpm": terms.tpm,
            "max_parallel": terms.max_parallel,
            "expires_at": terms.expires_at,
            "budget": None if own is None else _own_spec(own),
        }
    )


def _own_spec(own: OwnBudget) -> OwnBudgetSpec:
    return OwnBudgetSpec.model_validate(
        {
            "limit_usd": format_usd(own.limit),
            "period": own.period,
            "timezone": own.timezone,
            "action_on_breach": own.action,
            "downgrade_model": own.downgrade_model,
            "warning_threshold_percent": own.warning_percent,
            "critical_threshold_percent": own.critical_percent,
        }
    )


def _own_budget(spec: KeySpec) -> OwnBudget | None:
    own = spec.budget
    if own is None:
        return None
    return OwnBudget(
        limit=parse_usd(own.limit_usd),
        period=own.period,
        timezone=own.timezone,
        action=own.action_on_breach,
        downgrade_model=own.downgrade_model,
        warning_percent=own.warning_threshold_percent,
        critical_percent=own.critical_threshold_percent,
    )
