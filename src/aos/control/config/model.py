"""What an apply compares, does and answers."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from aos.control.config.schemas import Spec
from aos.infra.postgres import Transaction

SpecT_contra = TypeVar("SpecT_contra", bound=Spec, contravariant=True)


class Action(StrEnum):
    """What an apply does to one thing."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that an apply makes, alters or removes.

    `fields` holds (before, after) of every field that differs; before is None for a new thing.
    """

    kind: str
    name: str
    action: Action
    fields: dict[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A key that an apply made; its secret is shown this once."""

    id: str
    name: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """A thing as it stands: its id, and itself as the file would say it."""

    id: str
    spec: Spec


@dataclass(frozen=True, slots=True)
class Made:
    """A thing that has just been made; `secret` only for a key, this once."""

    id: str
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an apply did, or would do."""

    changes: tuple[Change, ...]
    created_keys: tuple[CreatedKey, ...]
    applied: bool
    warnings: tuple[str, ...] = ()
    """What stands now and cannot work yet, in words."""


class Section(Protocol[SpecT_contra]):
    """One section of the file. Every verb works in the apply's transaction and never commits."""

    @property
    def kind(self) -> str:
        """Its name in the file."""
        ...

    async def read(self, tx: Transaction) -> dict[str, Standing]:
        """What stands now, by name."""
        ...

    async def create(self, tx: Transaction, tenant_id: str, name: str, spec: SpecT_contra) -> Made:
        """Make it."""
        ...

    async def update(
        self, tx: Transaction, tenant_id: str, standing: Standing, spec: SpecT_contra
    ) -> None:
        """Make it what the file says."""
        ...

    async def delete(self, tx: Transaction, tenant_id: str, standing: Standing) -> None:
        """Take it away: revoke a key, archive an agent, end a budget."""
        ...

    async def check(self, tx: Transaction) -> None:
        """When all is done: the section as a whole makes sense, or an error says why not."""
        ...
