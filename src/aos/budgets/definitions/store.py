"""The SQL of budget definitions. Tenant transactions, but for the snapshot of every tenant."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from psycopg import errors as postgres

from aos.budgets.definitions.errors import BudgetNameTaken, UnknownSubject
from aos.budgets.definitions.model import (
    BreachAction,
    Budget,
    BudgetPeriod,
    BudgetScope,
    BudgetTerms,
)
from aos.infra.postgres import Database, Transaction
from aos.kit.money import Nanousd

TOPIC: Final = "budgets"


@dataclass(frozen=True, slots=True)
class BudgetFilter:
    """What a list asks for. `after` is the id of the last one seen."""

    scope: BudgetScope | None = None
    scope_value: str | None = None
    name: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class OwnRow:
    """Where the budget that is a field of `owner` is kept; `created_at` is the owner's."""

    id: str
    tenant_id: str
    owner: str
    created_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """What a snapshot has seen: every transaction before `transaction`, and so many changes."""

    transaction: int
    version: int


async def read_since(database: Database, mark: Mark | None) -> tuple[Mark, list[Budget]]:
    """Every tenant's budgets written since `mark`, the deleted ones too (not active); without a
    mark, or where transactions count from anew (a restored database), all the live ones.
    """
    async with database.system() as tx:
        cursor = await tx.execute(
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS transaction"
        )
        transaction = int(_one(await cursor.fetchall())["transaction"])
        version = await read_version(tx)
        since = None if mark is None or transaction < mark.transaction else str(mark.transaction)
        cursor = await tx.execute("SELECT * FROM aos.budgets_since(%s::text::xid8)", (since,))
        return Mark(transaction, version), [_budget(row) for row in await cursor.fetchall()]


async def read_version(tx: Transaction) -> int:
    """How often budgets have changed."""
    cursor = await tx.execute("SELECT version FROM aos.changes WHERE topic = %s", (TOPIC,))
    row = await cursor.fetchone()
    return 0 if row is None else int(row["version"])


async def announce(tx: Transaction) -> None:
    """Say that the snapshots are stale. Last in a transaction: writers queue behind it."""
    await tx.execute("SELECT aos.changed(%s)", (TOPIC,))


async def insert(tx: Transaction, budget_id: str, at: datetime, terms: BudgetTerms) -> Budget:
    """A new budget. Raises BudgetNameTaken, UnknownSubject."""
    with _named_failures(terms):
        cursor = await tx.execute(
            """
            INSERT INTO aos.budgets (id, tenant_id, created_at, name, scope, period, limit_nanousd,
              scope_value, timezone, action, downgrade_model, warning_percent, critical_percent)
            VALUES (%s, aos.current_tenant(), %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            RETURNING *
            """,
            (budget_id, at, *astuple(terms)),
        )
        return _budget(_one(await cursor.fetchall()))


async def update(
    tx: Transaction, budget_id: str, terms: BudgetTerms, reset_at: datetime | None
) -> Budget:
    """New terms for a live budget; `reset_at` None leaves its last reset as it is.

    Raises BudgetNameTaken, UnknownSubject.
    """
    with _named_failures(terms):
        cursor = await tx.execute(
            """
            UPDATE aos.budgets SET name = %s, scope = %s, period = %s, limit_nanousd = %s,
              scope_value = %s, timezone = %s, action = %s, downgrade_model = %s,
              warning_percent = %s, critical_percent = %s,
              reset_at_last = coalesce(%s, reset_at_last), updated_at = now()
            WHERE id = %s AND deleted_at IS NULL RETURNING *
            """,
            (*astuple(terms), reset_at, budget_id),
        )
        return _budget(_one(await cursor.fetchall()))


async def upsert_own(tx: Transaction, row: OwnRow, terms: BudgetTerms) -> None:
    """The budget that is a field of `owner`: made, changed, or brought back.

    Another period or zone begins anew, so that it shares no account with the former one.
    """
    with _named_failures(terms):
        cursor = await tx.execute(
            """
            INSERT INTO aos.budgets AS old (id, tenant_id, managed_by, created_at, name, scope,
              period, limit_nanousd, scope_value, timezone, action, downgrade_model,
              warning_percent, critical_percent)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (id) DO UPDATE SET
              name = excluded.name, period = excluded.period, timezone = excluded.timezone,
              limit_nanousd = excluded.limit_nanousd, action = excluded.action,
              downgrade_model = excluded.downgrade_model,
              warning_percent = excluded.warning_percent,
              critical_percent = excluded.critical_percent, updated_at = now(), deleted_at = NULL,
              reset_at_last = CASE
                WHEN (old.period, old.timezone) = (excluded.period, excluded.timezone)
                THEN old.reset_at_last ELSE %s END
            RETURNING id
            """,
            (row.id, row.tenant_id, row.owner, row.created_at, *astuple(terms), row.now),
        )
        _one(await cursor.fetchall())


async def delete(tx: Transaction, budget_id: str) -> bool:
    """Live → deleted. False where there is no live one."""
    cursor = await tx.execute(
        "UPDATE aos.budgets SET deleted_at = now(), updated_at = now()"
        " WHERE id = %s AND deleted_at IS NULL RETURNING id",
        (budget_id,),
    )
    return bool(await cursor.fetchall())


async def set_reset(tx: Transaction, budget_id: str, at: datetime) -> Budget:
    """The running period begins anew at `at`."""
    cursor = await tx.execute(
        "UPDATE aos.budgets SET reset_at_last = %s, updated_at = now()"
        " WHERE id = %s AND deleted_at IS NULL RETURNING *",
        (at, budget_id),
    )
    return _budget(_one(await cursor.fetchall()))


async def find(tx: Transaction, budget_id: str, *, lock: bool = False) -> Budget | None:
    """A live budget of this tenant; with `lock`, nobody changes it before the transaction ends."""
    if lock:
        statement = "SELECT * FROM aos.budgets WHERE id = %s AND deleted_at IS NULL FOR UPDATE"
    else:
        statement = "SELECT * FROM aos.budgets WHERE id = %s AND deleted_at IS NULL"
    row = await (await tx.execute(statement, (budget_id,))).fetchone()
    return None if row is None else _budget(row)


async def page(tx: Transaction, wanted: BudgetFilter, rows_max: int) -> list[Budget]:
    """Live budgets of this tenant, the newest first."""
    cursor = await tx.execute(
        """
        SELECT * FROM aos.budgets
        WHERE tenant_id = aos.current_tenant() AND deleted_at IS NULL
          AND (%(scope)s::text IS NULL OR scope = %(scope)s)
          AND (%(scope_value)s::text IS NULL OR scope_value = %(scope_value)s)
          AND (%(name)s::text IS NULL OR name = %(name)s)
          AND (%(after)s::text IS NULL OR id < %(after)s)
        ORDER BY id DESC LIMIT %(rows_max)s
        """,
        {
            "scope": wanted.scope,
            "scope_value": wanted.scope_value,
            "name": wanted.name,
            "after": wanted.after,
            "rows_max": rows_max,
        },
    )
    return [_budget(row) for row in await cursor.fetchall()]


async def find_live(tx: Transaction) -> list[Budget]:
    """Every live budget of this tenant."""
    cursor = await tx.execute(
        "SELECT * FROM aos.budgets WHERE tenant_id = aos.current_tenant()"
        " AND deleted_at IS NULL ORDER BY id"
    )
    return [_budget(row) for row in await cursor.fetchall()]


async def count_live(tx: Transaction) -> int:
    """How many live budgets this tenant has."""
    cursor = await tx.execute(
        "SELECT count(*) AS live FROM aos.budgets"
        " WHERE tenant_id = aos.current_tenant() AND deleted_at IS NULL"
    )
    return int(_one(await cursor.fetchall())["live"])


async def find_own(tx: Transaction, owners: Sequence[str]) -> list[Budget]:
    """The live budgets that are fields of these owners."""
    cursor = await tx.execute(
        "SELECT * FROM aos.budgets WHERE tenant_id = aos.current_tenant()"
        " AND deleted_at IS NULL AND managed_by = ANY (%s)",
        (list(owners),),
    )
    return [_budget(row) for row in await cursor.fetchall()]


@contextmanager
def _named_failures(terms: BudgetTerms) -> Iterator[None]:
    try:
        yield
    except postgres.UniqueViolation as error:
        raise BudgetNameTaken(
            f"there is a budget named {terms.name!r} already: change that one, or choose a name"
        ) from error
    except postgres.ForeignKeyViolation as error:
        raise UnknownSubject(
            f"this tenant has no {terms.scope.removeprefix('PER_').lower()} {terms.scope_value!r}"
        ) from error


def _one(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    [row] = rows
    return row


def _budget(row: Mapping[str, Any]) -> Budget:
    reset = row["reset_at_last"]
    return Budget(
        id=row["id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        scope=BudgetScope(row["scope"]),
        scope_value=row["scope_value"],
        period=BudgetPeriod(row["period"]),
        timezone=row["timezone"],
        limit=Nanousd(row["limit_nanousd"]),
        action=BreachAction(row["action"]),
        downgrade_model=row["downgrade_model"],
        warning_percent=row["warning_percent"],
        critical_percent=row["critical_percent"],
        created_at=row["created_at"].astimezone(UTC),
        reset_at_last=None if reset is None else reset.astimezone(UTC),
        active=row["deleted_at"] is None,
        managed_by=row["managed_by"],
    )
