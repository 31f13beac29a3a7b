"""Config as code: make what stands be what the file says, in one transaction, and write it out."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from aos.control.config import store
from aos.control.config.limits import APPLY_SECONDS_MAX
from aos.control.config.model import Action, Change, CreatedKey, Outcome, Section, Standing
from aos.control.config.rules import changes_of, read_document, write_document
from aos.control.config.schemas import Spec
from aos.infra.postgres import Database, Transaction


class _Undo(Exception):
    """Leaves a transaction without a commit: a dry run has seen what it came to see."""


def _undo() -> NoReturn:
    raise _Undo


class Configuration:
    """Applies, previews and exports a tenant's configuration."""

    def __init__(
        self,
        database: Database,
        sections: Sequence[Section[Any]],
        after_commit: Sequence[Callable[[], Awaitable[None]]] = (),
        warn: Callable[[Transaction], Awaitable[Sequence[str]]] | None = None,
    ) -> None:
        """`sections` in the order in which things are made; they are taken away in the opposite.

        `after_commit` makes the change bind the next call of this process. `warn` says what of the
        tenant's configuration cannot work yet.
        """
        self._database = database
        self._sections = sections
        self._after_commit = after_commit
        self._warn = warn

    async def apply(
        self, tx: Transaction, tenant_id: str, document: Mapping[str, Any], *, prune: bool
    ) -> Outcome:
        """Make what stands be what the document says. `refresh` after the commit.

        Raises InvalidConfig, ProvidersForbidden, and what the rooms say of a value they refuse.
        """
        wanted = read_document(document)
        async with asyncio.timeout(APPLY_SECONDS_MAX):
            await store.lock(tx, tenant_id)
            apply = _Apply(tx, tenant_id, prune=prune)
            for section in self._sections:
                await apply.settle(section, getattr(wanted, section.kind))
            await apply.prune_all()
            for section in self._sections:
                await section.check(tx)
            warnings = () if self._warn is None else tuple(await self._warn(tx))
        return Outcome(tuple(apply.changes), tuple(apply.keys), applied=True, warnings=warnings)

    async def preview(self, tenant_id: str, document: Mapping[str, Any], *, prune: bool) -> Outcome:
        """What `apply` would do. It is done and rolled back, so it refuses what that would."""
        outcome = Outcome((), (), applied=False)
        try:
            async with self._database.tenant(tenant_id) as tx:
                outcome = await self.apply(tx, tenant_id, document, prune=prune)
                _undo()
        except _Undo:
            return replace(outcome, created_keys=(), applied=False)

    async def refresh(self) -> None:
        """After the commit of an apply: it binds the next call of this process."""
        for refresh in self._after_commit:
            await refresh()

    async def export(self, tx: Transaction) -> dict[str, Any]:
        """What stands, as a document that changes nothing when it is applied here."""
        return write_document({one.kind: await one.read(tx) for one in self._sections})


class _Apply:
    """One apply under way."""

    def __init__(self, tx: Transaction, tenant_id: str, *, prune: bool) -> None:
        self.changes: list[Change] = []
        self.keys: list[CreatedKey] = []
        self._tx = tx
        self._tenant_id = tenant_id
        self._prune = prune
        self._doomed: list[tuple[Section[Any], Change, Standing]] = []

    async def settle(self, section: Section[Any], wanted: Mapping[str, Spec]) -> None:
        """Make and alter what this section asks for; note what is to go."""
        standing = await section.read(self._tx)
        prunable = await store.applied(self._tx, section.kind) if self._prune else set()
        owned = [standing[name].id for name in wanted if name in standing]
        for change in changes_of(section.kind, standing, wanted, prunable):
            if change.action is Action.DELETE:
                self._doomed.append((section, change, standing[change.name]))
                continue
            self.changes.append(change)
            if change.action is Action.CREATE:
                owned.append(await self._create(section, change.name, wanted[change.name]))
            else:
                before = standing[change.name]
                await section.update(self._tx, self._tenant_id, before, wanted[change.name])
        await store.mark(self._tx, self._tenant_id, section.kind, owned)

    async def _create(self, section: Section[Any], name: str, spec: Spec) -> str:
        made = await section.create(self._tx, self._tenant_id, name, spec)
        if made.secret is not None:
            self.keys.append(CreatedKey(made.id, name, made.secret))
        return made.id

    async def prune_all(self) -> None:
        """Take away last, and in the opposite order: a key goes before its agent."""
        for section, change, standing in reversed(self._doomed):
            self.changes.append(change)
            await section.delete(self._tx, self._tenant_id, standing)
            await store.unmark(self._tx, section.kind, standing.id)
