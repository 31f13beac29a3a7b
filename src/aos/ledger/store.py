"""The ledger's SQL. Money moves in the procedures of the migration `0004_ledger`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import orjson
from psycopg import errors as postgres
from psycopg_pool import PoolTimeout

from aos.infra.errors import DatabaseUnavailable
from aos.infra.postgres import Database, Transaction
from aos.kit.ids import milliseconds_of
from aos.kit.money import Nanousd
from aos.ledger.errors import ClockSkewed, LedgerAborted, LedgerBusy, UnknownHold
from aos.ledger.limits import CLOCK_SKEW_SECONDS_MAX
from aos.ledger.model import (
    AccountOpening,
    Balance,
    DeadHold,
    HoldOutcome,
    HoldRequest,
    HoldResult,
    Settlement,
    SettlementResult,
)

_SETTLED, _CORRECTED, _REPEATED, _UNKNOWN = range(4)


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


def never_sent(error: DatabaseUnavailable) -> bool:
    """No connection was to be had, so the statement did not reach the database."""
    return isinstance(error.__cause__, PoolTimeout)


@contextmanager
def _named_failures() -> Iterator[None]:
    try:
        yield
    except (postgres.LockNotAvailable, postgres.QueryCanceled) as error:
        raise LedgerBusy("the budgets' accounts are locked; try again") from error
    except (postgres.DeadlockDetected, postgres.SerializationFailure) as error:
        raise LedgerAborted("the database rolled this back; try again") from error


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
