"""`budgets:` — limits. Those that are fields of a key or an agent stand there, not here."""

from typing import Final

from aos.budgets import (
    BreachAction,
    Budget,
    BudgetFilter,
    BudgetPeriod,
    Budgets,
    BudgetScope,
    BudgetTerms,
)
from aos.control.config.model import Made, Standing
from aos.control.config.schemas import BudgetSpec
from aos.control.config.sections.agents import live_agents
from aos.control.config.sections.keys import live_keys
from aos.identity import Agents, Keys
from aos.infra.postgres import Transaction
from aos.kit.money import format_usd, parse_usd

PAGE_SIZE: Final = 500


class BudgetsSection:
    kind: Final = "budgets"

    def __init__(self, budgets: Budgets, agents: Agents, keys: Keys) -> None:
        self._budgets = budgets
        self._agents = agents
        self._keys = keys

    async def read(self, tx: Transaction) -> dict[str, Standing]:
        budgets = [one for one in await self._live_budgets(tx) if one.managed_by is None]
        names: dict[str, str] = {}
        if any(one.scope is BudgetScope.PER_AGENT for one in budgets):
            names |= {agent.id: agent.name for agent in await live_agents(self._agents, tx)}
        if any(one.scope is BudgetScope.PER_KEY for one in budgets):
            names |= {key.id: key.terms.name for key in await live_keys(self._keys, tx)}
        return {one.name: Standing(one.id, _spec(one, names)) for one in budgets}

    async def create(
        self,
        tx: Transaction,
        tenant_id: str,  # noqa: ARG002 - the Section's shape
        name: str,
        spec: BudgetSpec,
    ) -> Made:
        budget = await self._budgets.create(tx, await self._terms(tx, name, spec))
        return Made(budget.id)

    async def update(
        self,
        tx: Transaction,
        tenant_id: str,  # noqa: ARG002 - the Section's shape
        standing: Standing,
        spec: BudgetSpec,
    ) -> None:
        budget = await self._budgets.get(tx, standing.id)
        await self._budgets.replace(tx, budget.id, await self._terms(tx, budget.name, spec))

    async def delete(self, tx: Transaction, tenant_id: str, standing: Standing) -> None:  # noqa: ARG002 - the Section's shape
        await self._budgets.delete(tx, standing.id)

    async def check(self, tx: Transaction) -> None:
        """Every budget makes sense by itself."""

    async def _live_budgets(self, tx: Transaction) -> list[Budget]:
        found: list[Budget] = []
        while True:
            wanted = BudgetFilter(after=found[-1].id if found else None)
            page = await self._budgets.list(tx, wanted, limit=PAGE_SIZE)
            found += page
            if len(page) < PAGE_SIZE:
                return found

    async def _terms(self, tx: Transaction, name: str, spec: BudgetSpec) -> BudgetTerms:
        return BudgetTerms(
            name=name,
            scope=BudgetScope(spec.scope),
            period=BudgetPeriod(spec.period),
            limit=parse_usd(spec.limit_usd),
            scope_value=await self._subject(tx, spec),
            timezone=spec.timezone,
            action=BreachAction(spec.action_on_breach),
            downgrade_model=spec.downgrade_model,
            warning_percent=spec.warning_threshold_percent,
            critical_percent=spec.critical_threshold_percent,
        )

    async def _subject(self, tx: Transaction, spec: BudgetSpec) -> str | None:
        """The id of the agent or key that the file names.

        A name that no live one has is taken for an id; budgets refuses what is neither.
        """
        value = spec.scope_value
        if value is None:
            return None
        if spec.scope == "PER_AGENT":
            agent = await self._agents.find_named(tx, value)
            return value if agent is None else agent.id
        if spec.scope == "PER_KEY":
            key = await self._keys.find_named(tx, value)
            return value if key is None else key.id
        return value


def _spec(budget: Budget, names: dict[str, str]) -> BudgetSpec:
    assert budget.limit is not None, "only synthetic budgets have no limit"
    value = budget.scope_value
    return BudgetSpec.model_validate(
        {
            "scope": budget.scope.value,
            "scope_value": None if value is None else names.get(value, value),
            "period": budget.period.value,
            "limit_usd": format_usd(budget.limit),
            "timezone": budget.timezone,
            "action_on_breach": budget.action.value,
            "downgrade_model": budget.downgrade_model,
            "warning_threshold_percent": budget.warning_percent,
            "critical_threshold_percent": budget.critical_percent,
        }
    )
