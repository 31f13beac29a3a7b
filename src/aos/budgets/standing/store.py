"""Reads the ledger's accounts for people. The ledger alone writes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aos.budgets.standing.model import AccountStatus, Crossing
from aos.infra.postgres import Transaction
from aos.kit.money import Nanousd
from aos.ledger import AccountKey


@dataclass(frozen=True, slots=True)
class Running:
    """The accounts of one budget that began at one instant."""

    budget_id: str
    period_start: datetime


@dataclass(frozen=True, slots=True)
class Accounts:
    """The fullest accounts of a running period, and how many there are."""

    fullest: tuple[AccountStatus, ...] = ()
    count: int = 0


async def read_accounts(
    tx: Transaction, running: Sequence[Running], accounts_max: int
) -> dict[str, Accounts]:
    """By budget, the fullest accounts of these periods. Periods without an account are absent."""
    cursor = await tx.execute(
        """
        SELECT r.budget_id, a.*, (
          SELECT json_agg(json_build_object('percent', c.percent, 'at', c.crossed_at)
            ORDER BY c.percent)
          FROM aos.threshold_crossings c WHERE c.account_id = a.id) AS crossings
        FROM unnest(%s::text[], %s::timestamptz[]) AS r (budget_id, period_start)
        CROSS JOIN LATERAL (
          SELECT id, subject, posted_nanousd, pending_nanousd, count(*) OVER () AS accounts
          FROM aos.accounts
          WHERE tenant_id = aos.current_tenant() AND budget_id = r.budget_id
            AND period_start = r.period_start
          ORDER BY posted_nanousd + pending_nanousd DESC, subject LIMIT %s) AS a
        ORDER BY r.budget_id, a.posted_nanousd + a.pending_nanousd DESC, a.subject
        """,
        (
            [period.budget_id for period in running],
            [period.period_start for period in running],
            accounts_max,
        ),
    )
    found: dict[str, Accounts] = {}
    for row in await cursor.fetchall():
        known = found.get(row["budget_id"], Accounts())
        found[row["budget_id"]] = Accounts((*known.fullest, _account(row)), row["accounts"])
    return found


async def read_crossings(
    tx: Transaction, running: Sequence[Running], percents: Sequence[tuple[int, int]], rows_max: int
) -> list[tuple[str, str, Crossing]]:
    """Budget, subject and crossing of these periods, where it is one of that budget's two
    `percents`; the newest first.
    """
    cursor = await tx.execute(
        """
        SELECT r.budget_id, a.subject, c.percent, c.crossed_at
        FROM ROWS FROM (unnest(%s::text[]), unnest(%s::timestamptz[]), unnest(%s::smallint[]),
          unnest(%s::smallint[])) AS r (budget_id, period_start, warning, critical)
        JOIN aos.accounts a ON a.tenant_id = aos.current_tenant() AND a.budget_id = r.budget_id
          AND a.period_start = r.period_start
        JOIN aos.threshold_crossings c ON c.account_id = a.id
        WHERE c.percent IN (r.warning, r.critical)
        ORDER BY c.crossed_at DESC, c.percent DESC LIMIT %s
        """,
        (
            [period.budget_id for period in running],
            [period.period_start for period in running],
            [warning for warning, _ in percents],
            [critical for _, critical in percents],
            rows_max,
        ),
    )
    return [
        (
            row["budget_id"],
            row["subject"],
            Crossing(row["percent"], row["crossed_at"].astimezone(UTC)),
        )
        for row in await cursor.fetchall()
    ]


async def read_subjects(
    tx: Transaction, keys: Sequence[AccountKey]
) -> dict[AccountKey, AccountStatus]:
    """These accounts; those that were not opened yet are absent."""
    cursor = await tx.execute(
        """
        SELECT k.number, a.subject, a.posted_nanousd, a.pending_nanousd, NULL AS crossings
        FROM ROWS FROM (unnest(%s::text[]), unnest(%s::text[]), unnest(%s::timestamptz[]))
          WITH ORDINALITY AS k (budget_id, subject, period_start, number)
        JOIN aos.accounts a ON a.tenant_id = aos.current_tenant() AND a.budget_id = k.budget_id
          AND a.subject = k.subject AND a.period_start = k.period_start
        """,
        (
            [key.budget_id for key in keys],
            [key.subject for key in keys],
            [key.period_start for key in keys],
        ),
    )
    return {keys[row["number"] - 1]: _account(row) for row in await cursor.fetchall()}


async def read_posted(tx: Transaction, budget_ids: Sequence[str]) -> dict[str, Nanousd]:
    """By budget, what was posted in all of its periods; absent = nothing."""
    cursor = await tx.execute(
        """
        SELECT budget_id, sum(posted_nanousd)::bigint AS posted FROM aos.accounts
        WHERE tenant_id = aos.current_tenant() AND budget_id = ANY (%s) GROUP BY budget_id
        """,
        (list(budget_ids),),
    )
    return {row["budget_id"]: Nanousd(row["posted"]) for row in await cursor.fetchall()}


def _account(row: Mapping[str, Any]) -> AccountStatus:
    return AccountStatus(
        subject=row["subject"],
        posted=Nanousd(row["posted_nanousd"]),
        pending=Nanousd(row["pending_nanousd"]),
        crossings=tuple(
            Crossing(crossing["percent"], datetime.fromisoformat(crossing["at"]).astimezone(UTC))
            for crossing in row["crossings"] or ()
        ),
    )
