"""The ledger's SQL. Money moves in the procedures of the migration `0004_ledger`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

import orjson
import psycopg
from psycopg_pool import PoolTimeout

from aos.infra.errors import DatabaseUnavailable
from aos.infra.postgres import Database, Transaction
from aos.kit.errors import Unavailable
from aos.kit.ids import time_of
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

_account_of = attrgetter("account_id")

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
    account_ids, columns = _columns_of_holds(requests)
    with named_failures():
        rows = await database.call(
            "SELECT aos.ledger_hold(%s, %s, %s, %s::bigint[], %s::json) AS answer",
            (process_id, at, CLOCK_SKEW_SECONDS_MAX, _array(account_ids), _text(columns)),
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
    for n, request in enumerate(requests):
        refuser = answer["f"][n]
        claimed = columns["position"][columns["from"][n] - 1 : columns["to"][n]]
        results.append(
            HoldResult(
                request.id,
                HoldOutcome(answer["o"][n]),
                tuple([balances[position - 1] for position in claimed]),
                None if refuser is None else balances[refuser - 1],
            )
        )
    return results


class SettlementBatch:
    """Settlements as `aos.ledger_settle` takes them, and its answer as results in their order.

    For whoever settles inside a larger statement; everybody else calls `Ledger.settle`.
    """

    def __init__(self, settlements: Sequence[Settlement]) -> None:
        self._settlements = settlements
        self._ordered = sorted(range(len(settlements)), key=lambda n: settlements[n].hold_id)
        times = [time_of(settlement.hold_id) for settlement in settlements]
        ordered = [settlements[n] for n in self._ordered]
        self.text = _text(
            {
                "id": [one.hold_id for one in ordered],
                "tenant_id": [one.tenant_id for one in ordered],
                "kind": [one.kind for one in ordered],
                "cost": [one.cost for one in ordered],
                "estimated": [one.estimated for one in ordered],
                "earliest": min(times),
                "latest": max(times),
            }
        )

    def results(self, answer_text: str) -> list[SettlementResult]:
        """Raises UnknownHold."""
        answer = orjson.loads(answer_text)
        account_ids = answer["i"] or []
        balances = dict(zip(account_ids, _balances(account_ids, answer), strict=True))
        results: dict[int, SettlementResult] = {}
        for place, n in enumerate(self._ordered):
            hold_id, outcome = self._settlements[n].hold_id, answer["o"][place]
            if outcome == _UNKNOWN:
                raise UnknownHold(f"there is no hold {hold_id} to settle")
            numbers = answer["a"][place]
            results[n] = SettlementResult(
                hold_id,
                tuple([balances[int(number)] for number in numbers.split(",")]) if numbers else (),
                Nanousd(answer["x"][place]),
                corrected=outcome == _CORRECTED,
                repeated=outcome == _REPEATED,
            )
        return [results[n] for n in range(len(self._settlements))]


async def end_holds(tx: Transaction, settlements: Sequence[Settlement]) -> list[SettlementResult]:
    """End holds, each once (dispatched → posted, voided or expired; expired → posted or voided)."""
    batch = SettlementBatch(settlements)
    with named_failures():
        cursor = await tx.execute("SELECT aos.ledger_settle(%s::json) AS answer", (batch.text,))
        row = await cursor.fetchone()
    assert row is not None
    return batch.results(row["answer"])


async def cancel_hold(database: Database, hold_id: str, tenant_id: str) -> None:
    """Take back a hold that may or may not have been committed (dispatched → voided)."""
    await database.call(
        "SELECT aos.ledger_cancel(%s, %s, %s)", (hold_id, tenant_id, time_of(hold_id))
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


async def read_entries(tx: Transaction, hold_ids: Sequence[str]) -> list[Entry]:
    """The journal's lines of these holds of this transaction's tenant, oldest first."""
    times = [time_of(hold_id) for hold_id in hold_ids]
    cursor = await tx.execute(
        "SELECT t.hold_id, t.kind, t.account_id, a.budget_id, a.subject, t.booked_at,"
        " t.available_delta AS available, t.pending_delta AS pending, t.posted_delta AS posted"
        " FROM aos.transfers t JOIN aos.accounts a ON a.id = t.account_id"
        " WHERE t.hold_id = ANY (%s) AND t.created_at BETWEEN %s AND %s"
        " ORDER BY t.booked_at, t.hold_id, t.account_id",
        (list(hold_ids), min(times), max(times)),
    )
    return [Entry(**row) for row in await cursor.fetchall()]


def certainly_refused(error: Unavailable) -> bool:
    """The statement did not reach the database, or the database refused it and said so."""
    if isinstance(error, ClockSkewed | LeaseLost | LedgerBusy | LedgerAborted):
        return True
    return isinstance(error.__cause__, PoolTimeout)


@contextmanager
def named_failures() -> Iterator[None]:
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


def _columns_of_holds(requests: Sequence[HoldRequest]) -> tuple[list[int], dict[str, Any]]:
    """The accounts of a batch, sorted, and its holds as `aos.ledger_hold` takes them."""
    account_ids = sorted({claim.account_id for request in requests for claim in request.claims})
    place = {account_id: number for number, account_id in enumerate(account_ids, 1)}
    accounts: list[int] = []
    enforced: list[bool] = []
    ends: list[int] = []
    for request in requests:
        for claim in sorted(request.claims, key=_account_of):
            accounts.append(claim.account_id)
            enforced.append(claim.enforced)
        ends.append(len(accounts))
    times = [time_of(request.id) for request in requests]
    return account_ids, {
        "id": [request.id for request in requests],
        "call_id": [request.call_id for request in requests],
        "tenant_id": [request.tenant_id for request in requests],
        "amount": [request.amount for request in requests],
        "least": [
            request.amount if request.amount_least is None else request.amount_least
            for request in requests
        ],
        "wait": [request.wait_seconds for request in requests],
        "at": times,
        "call": [orjson.Fragment(request.call) for request in requests],
        "from": [1, *(end + 1 for end in ends[:-1])],
        "to": ends,
        "account": accounts,
        "position": [place[account_id] for account_id in accounts],
        "enforced": enforced,
        "earliest": min(times),
        "latest": max(times),
    }


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
