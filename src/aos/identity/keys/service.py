"""The verbs of keys. Every verb works in the caller's tenant transaction and never commits.

After the commit the edge calls `Authenticator.forget_keys` and `OwnBudgets.refresh`, so that the
next call of its own process sees the change at once; other processes hear of it.
"""

import secrets
from dataclasses import replace
from datetime import timedelta

from aos.identity.agents.store import select_agent
from aos.identity.errors import (
    AgentArchived,
    AgentNotFound,
    KeyEnded,
    KeyManagedElsewhere,
    KeyNotFound,
)
from aos.identity.keys.store import (
    insert_key,
    replace_secret,
    revoke_key,
    select_key,
    select_key_named,
    select_keys,
    update_key,
)
from aos.identity.model import (
    AgentStatus,
    ApiKey,
    KeyOrigin,
    KeyTerms,
    NewSecret,
    OwnBudget,
    OwnBudgets,
    Owner,
    OwnerKind,
)
from aos.identity.rules import check_terms, digest_of, new_secret, shown_prefix
from aos.infra.postgres import Transaction
from aos.kit.clock import Clock
from aos.kit.ids import new


class Keys:
    def __init__(self, own_budgets: OwnBudgets, clock: Clock) -> None:
        self._own_budgets = own_budgets
        self._clock = clock

    async def create(
        self, tx: Transaction, tenant_id: str, terms: KeyTerms, budget: OwnBudget | None = None
    ) -> NewSecret:
        """A new key; its secret is in the answer and nowhere else.

        Raises NameTaken, AgentNotFound, AgentArchived, InvalidExpiry, InvalidLabel.
        """
        now = self._clock.now()
        check_terms(terms, now)
        await _check_agent(tx, terms)
        secret = new_secret(secrets.token_bytes)
        key = ApiKey(
            id=new("key", now),
            tenant_id=tenant_id,
            prefix=shown_prefix(secret),
            origin=KeyOrigin.API,
            terms=terms,
            created_at=now,
        )
        key = await insert_key(tx, key, digest_of(secret))
        if budget is not None:
            await self.set_budget(tx, key, budget)
        return NewSecret(key, secret)

    async def get(self, tx: Transaction, key_id: str, *, for_change: bool = False) -> ApiKey:
        """Raises KeyNotFound, and KeyEnded where it is to be changed and was revoked."""
        key = await select_key(tx, key_id, for_change=for_change)
        if key is None:
            raise _not_found(key_id)
        if for_change and key.revoked_at is not None:
            raise KeyEnded(f"key {key_id} was revoked and can no longer be changed")
        return key

    async def find_named(self, tx: Transaction, name: str) -> ApiKey | None:
        """The live key of this name: for config as code."""
        return await select_key_named(tx, name)

    async def list(
        self,
        tx: Transaction,
        *,
        before_id: str | None = None,
        limit: int,
        agent_id: str | None = None,
        revoked: bool = False,
    ) -> list[ApiKey]:
        """Newest first, those older than `before_id`; the revoked ones too when asked for."""
        return await select_keys(tx, before_id, limit, agent_id, revoked=revoked)

    async def update(self, tx: Transaction, key: ApiKey, terms: KeyTerms) -> ApiKey:
        """Give a key that was got `for_change` other terms.

        Raises NameTaken, AgentNotFound, AgentArchived, InvalidExpiry, InvalidLabel.
        """
        if terms.expires_at != key.terms.expires_at or terms.tags != key.terms.tags:
            check_terms(terms, self._clock.now())
        if terms.agent_id != key.terms.agent_id:
            await _check_agent(tx, terms)
        return await update_key(tx, replace(key, terms=terms))

    async def set_budget(self, tx: Transaction, key: ApiKey, budget: OwnBudget | None) -> None:
        """Make, change or (None) end the key's own budget. Raises InvalidInput."""
        await self._own_budgets.set_own(tx, key.tenant_id, Owner(OwnerKind.KEY, key.id), budget)

    async def revoke(self, tx: Transaction, key_id: str) -> ApiKey:
        """Live → revoked, for good; its own budget ends. Repeating is harmless.

        Raises KeyNotFound.
        """
        key = await self.get(tx, key_id)
        if key.revoked_at is not None:
            return key
        revoked = await revoke_key(tx, key_id, self._clock.now())
        if revoked is None:
            raise _not_found(key_id)
        await self.set_budget(tx, revoked, None)
        return revoked

    async def rotate(self, tx: Transaction, key_id: str, *, grace_seconds: int) -> NewSecret:
        """A new secret for the same key; the old one works for `grace_seconds` more.

        Raises KeyNotFound, KeyEnded, KeyManagedElsewhere.
        """
        key = await self.get(tx, key_id, for_change=True)
        if key.origin is KeyOrigin.ENVIRONMENT:
            raise KeyManagedElsewhere("the secret of this key is AOS_API_KEY; change it there")
        secret = new_secret(secrets.token_bytes)
        old_until = self._clock.now() + timedelta(seconds=grace_seconds)
        changed = await replace_secret(tx, key, digest_of(secret), shown_prefix(secret), old_until)
        return NewSecret(changed, secret)


async def _check_agent(tx: Transaction, terms: KeyTerms) -> None:
    if terms.agent_id is None:
        return
    agent = await select_agent(tx, terms.agent_id)
    if agent is None:
        raise AgentNotFound(f"there is no agent {terms.agent_id} in this tenant")
    if agent.status is AgentStatus.ARCHIVED:
        raise AgentArchived(f"agent {terms.agent_id} is archived and takes no new keys")


def _not_found(key_id: str) -> KeyNotFound:
    return KeyNotFound(f"there is no key {key_id} in this tenant")
