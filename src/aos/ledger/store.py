"""The ledger's SQL. Money moves in the procedures of the migration `0004_ledger`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import orjson
import psycopg
from psycopg_pool import PoolTimeout

from aos.infra.errors import DatabaseUnavailable
from aos.infra.postgres import Database, Transaction
from aos.kit.errors import Unavailable
from aos.kit.ids import milliseconds_of
from aos.kit.money import Nanousd
from aos.ledger.errors import ClockSkewed, LeaseLost, LedgerAborted, LedgerBusy, UnknownHold
from aos.ledger.limits import CLOCK_SKEW_SECONDS_MAX
from aos.ledger.model import (
    AccountOpening,
    Balance,
    DeadHold,
    Entry,
    HoldOutcome,
    HoldRequest,
    HoldResult,
    Mismatch,
    Settlement,
    SettlementResult,
)

_SETTLED, _CORRECTED, _REPEATED, _UNKNOWN = range(4)
"""What `aos.ledger_settle` says of each settlement."""

_LOCKED: Final = ("55P03", "57014")
"""SQLSTATEs of a lock or a statement that took too long."""

_ABORTED: Final = "40"
"""SQLSTATEs of deadlocks and the like begin so."""


async def open_accounts(database: Database, openings: Sequence[AccountOpening]) -> list[int]:
    """Find these accounts or open them; their ids, in order."""
    rows = await database.call(
        "SELECT aos.ledger_open(%s::json) AS ids",
        (
            _text(
                [
                    {
                        "tenant_id": opening.key.tenant_id,
                        "budget_id": opening.key.budget_id,
                        "subject": opening.key.subject,
                        "period_start": opening.key.period_start,
                        "period_end": opening.key.period_end,
                        "limit_nanousd": opening.limit,
                        "thresholds": opening.thresholds,
                    }
                    for opening in openings
                ]
            ),
        ),
    )
    ids: list[int] = orjson.loads(rows[0]["ids"])
    return ids


async def take_holds(
    database: Database, process_id: str, at: datetime, requests: Sequence[HoldRequest]
) -> list[HoldResult]:
    """Take a batch of holds (nothing → dispatched), each all or none, in one round trip."""
    account_ids = sorted({claim.account_id for request in requests for claim in request.claims})
    position = {account_id: number for number, account_id in enumerate(account_ids, 1)}
    elements: list[dict[str, Any]] = []
    for request in requests:
        claims = sorted((position[claim.account_id], claim.enforced) for claim in request.claims)
        elements.append(
            {
                "id": request.id,
                "call_id": request.call_id,
                "tenant_id": request.tenant_id,
                "amount": request.amount,
                "least": request.amount if request.amount_least is None else request.amount_least,
                "at": milliseconds_of(request.id),
                "claims": [number for number, _ in claims],
                "enforced": [enforced for _, enforced in claims],
                "wait": request.wait_seconds,
                "call": orjson.Fragment(request.call),
            }
        )
    with _named_failures():
        rows = await database.call(
            "SELECT aos.ledger_hold(%s, %s, %s, %s::bigint[], %s::json) AS answer",
            (process_id, at, CLOCK_SKEW_SECONDS_MAX, _array(account_ids), _text(elements)),
        )
    answer = orjson.loads(rows[0]["answer"])
    if "skew" in answer:
        raise ClockSkewed(
            f"this machine's clock is {answer['skew']:.1f} s behind the database's: synchronise it"
        )
    if "unleased" in answer:
        raise LeaseLost("this process has no lease (any more): it renews it and goes on")
    balances = _balances(account_ids, answer)
    results = []
    for element, outcome, refuser in zip(elements, answer["o"], answer["f"], strict=True):
        claimed = tuple([balances[number - 1] for number in element["claims"]])
        full = None if refuser is None else balances[refuser - 1]
        results.append(HoldResult(element["id"], HoldOutcome(outcome), claimed, full))
    return results


async def end_holds(tx: Transaction, settlements: Sequence[Settlement]) -> list[SettlementResult]:
    """End holds (dispatched → posted, voided or expired; expired → posted or voided)."""
    elements = [
        {
            "id": settlement.hold_id,
            "tenant_id": settlement.tenant_id,
            "at": milliseconds_of(settlement.hold_id),
            "kind": settlement.kind,
            "cost": settlement.cost,
            "estimated": settlement.estimated,
        }
        for settlement in settlements
    ]
    with _named_failures():
        cursor = await tx.execute(
            "SELECT aos.ledger_settle(%s::json) AS answer", (_text(elements),)
        )
        row = await cursor.fetchone()
    assert row is not None
    answer = orjson.loads(row["answer"])
    account_ids = answer["i"] or []
    balances = dict(zip(account_ids, _balances(account_ids, answer), strict=True))
    results = []
    for settlement, outcome, overrun, accounts in zip(
        settlements, answer["o"], answer["x"], answer["a"], strict=True
    ):
        if outcome == _UNKNOWN:
            raise UnknownHold(f"there is no hold {settlement.hold_id} to settle")
        results.append(
            SettlementResult(
                settlement.hold_id,
                tuple([balances[int(number)] for number in accounts.split(",") if number]),
                Nanousd(overrun),
                corrected=outcome == _CORRECTED,
                repeated=outcome == _REPEATED,
            )
        )
    return results


async def cancel_hold(database: Database, hold_id: str, tenant_id: str) -> None:
    """Take back a hold that may or may not have been committed (dispatched → voided)."""
    await database.call(
        "SELECT aos.ledger_cancel(%s, %s, %s)", (hold_id, tenant_id, milliseconds_of(hold_id))
    )


async def set_terms(
    tx: Transaction, budget_id: str, limit: Nanousd | None, thresholds: Sequence[int]
) -> None:
    """Change what a budget of this transaction's tenant allows, in its open periods and later."""
    await tx.execute(
        "SELECT aos.ledger_set_terms(%s, %s, %s::smallint[])",
        (budget_id, limit, _array(thresholds)),
    )


async def retire(tx: Transaction, budget_id: str) -> None:
    """A budget of this transaction's tenant binds no longer; its accounts stay on the books."""
    await tx.execute("SELECT aos.ledger_retire(%s)", (budget_id,))


async def lock_dead_holds(tx: Transaction, dead_seconds: float, rows_max: int) -> list[DeadHold]:
    """Holds whose process has not beaten for so long; each is locked for this transaction."""
    cursor = await tx.execute(
        "SELECT id, tenant_id, call_id, amount, call FROM aos.ledger_dead_holds(%s, %s)",
        (dead_seconds, rows_max),
    )
    return [DeadHold(**row) for row in await cursor.fetchall()]


async def beat(database: Database, process_id: str, host: str, pid: int) -> None:
    """Say on database time that this process lives; registers it where it is not known."""
    await database.call(
        "INSERT INTO aos.processes (id, host, pid) VALUES (%s, %s, %s)"
        " ON CONFLICT (id) DO UPDATE SET beaten_at = clock_timestamp() RETURNING id",
        (process_id, host, pid),
    )


async def unregister(database: Database, process_id: str) -> None:
    """Give the lease back: what this process still holds counts as left behind."""
    await database.call("DELETE FROM aos.processes WHERE id = %s RETURNING id", (process_id,))


async def forget_processes(tx: Transaction, dead_seconds: float) -> None:
    """Delete the rows of processes long dead that hold nothing."""
    await tx.execute("SELECT aos.ledger_forget_processes(%s)", (dead_seconds,))


async def mismatches(tx: Transaction, rows_max: int, seconds_max: int) -> list[Mismatch]:
    """Everything that must be true of the books and is not, in one snapshot."""
    await tx.execute("SELECT set_config('statement_timeout', %s, true)", (f"{seconds_max}s",))
    cursor = await tx.execute(
        "SELECT problem, tenant_id, account_id, hold_id, expected, found"
        " FROM aos.ledger_verify(%s)",
        (rows_max,),
    )
    return [Mismatch(**row) for row in await cursor.fetchall()]


async def read_entries(tx: Transaction, call_id: str, since: datetime) -> list[Entry]:
    """The journal's lines of a call of this transaction's tenant, oldest first."""
    cursor = await tx.execute(
        "SELECT t.hold_id, t.kind, t.account_id, a.budget_id, a.subject, t.booked_at,"
        " t.available_delta AS available, t.pending_delta AS pending, t.posted_delta AS posted"
        " FROM aos.holds h"
        " JOIN aos.transfers t ON t.hold_id = h.id AND t.created_at = h.created_at"
        " JOIN aos.accounts a ON a.id = t.account_id"
        " WHERE h.call_id = %(call_id)s AND h.created_at >= %(since)s"
        " AND t.created_at >= %(since)s ORDER BY t.booked_at, t.hold_id, t.account_id",
        {"call_id": call_id, "since": since},
    )
    return [Entry(**row) for row in await cursor.fetchall()]


def certainly_refused(error: Unavailable) -> bool:
    """The statement did not reach the database, or the database rolled it back and said so."""
    cause = error.__cause__
    return not isinstance(error, DatabaseUnavailable) or isinstance(cause, PoolTimeout)


@contextmanager
def _named_failures() -> Iterator[None]:
    try:
        yield
    except (DatabaseUnavailable, psycopg.Error) as error:
        cause = error if isinstance(error, psycopg.Error) else error.__cause__
        state = (cause.sqlstate if isinstance(cause, psycopg.Error) else None) or ""
        if state in _LOCKED:
            raise LedgerBusy("the budgets' accounts are locked; try again") from error
        if state.startswith(_ABORTED):
            raise LedgerAborted("the database rolled this back; try again") from error
        raise


def _balances(account_ids: Sequence[int], answer: dict[str, list[int]]) -> list[Balance]:
    if not account_ids:
        return []
    rows = zip(account_ids, answer["l"], answer["p"], answer["s"], strict=True)
    return [
        Balance(account_id, limit, Nanousd(pending or 0), Nanousd(posted or 0))  # type: ignore[arg-type]
        for account_id, limit, pending, posted in rows
    ]


def _array(numbers: Sequence[int]) -> str:
    # As text: a list's type in the prepared statement would vary with its largest number.
    return f"{{{','.join(map(str, numbers))}}}"


def _text(value: object) -> str:
    return orjson.dumps(value).decode()
