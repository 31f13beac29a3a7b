"""A ledger over the test's own database, and short words for what it is asked."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from aos.infra.postgres import Database
from aos.infra.settings import LeaseSettings
from aos.kit import ids
from aos.kit.money import Nanousd
from aos.ledger import (
    AccountKey,
    AccountOpening,
    Balance,
    Claim,
    HoldRequest,
    HoldResult,
    Lease,
    Ledger,
    Settlement,
    SettlementKind,
    SettlementResult,
)
from tests.conftest import rows_as_owner

START = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass
class Bench:
    """A ledger with the verbs of the tests."""

    database: Database
    ledger: Ledger
    lease: Lease

    async def open(
        self,
        budget_id: str,
        limit: int | None,
        *,
        tenant_id: str = "ten_a",
        subject: str = "",
        period: tuple[datetime, datetime | None] = (START, None),
        thresholds: tuple[int, ...] = (),
    ) -> int:
        key = AccountKey(tenant_id, budget_id, subject, *period)
        opening = AccountOpening(key, None if limit is None else Nanousd(limit), thresholds)
        return (await self.ledger.open_accounts([opening]))[0]

    async def hold(self, amount: int, *account_ids: int, **fields: object) -> HoldResult:
        return await self.ledger.hold(request(amount, *account_ids, **fields))

    async def end(
        self,
        hold_id: str,
        cost: int,
        kind: SettlementKind = SettlementKind.POST,
        tenant_id: str = "ten_a",
    ) -> SettlementResult:
        return (await self.settle([Settlement(hold_id, tenant_id, kind, Nanousd(cost))]))[0]

    async def settle(self, settlements: Sequence[Settlement]) -> list[SettlementResult]:
        async with self.database.system() as tx:
            return await self.ledger.settle(tx, settlements)

    async def balance(self, account_id: int) -> Balance:
        rows = await rows_as_owner(
            self.database,
            "SELECT limit_nanousd, pending_nanousd, posted_nanousd FROM aos.accounts WHERE id = %s",
            (account_id,),
        )
        return Balance(account_id, *rows[0].values())


def request(amount: int, *account_ids: int, **fields: object) -> HoldRequest:
    values: dict[str, object] = {
        "id": ids.new("hold"),
        "call_id": "call_1",
        "tenant_id": "ten_a",
        "amount": Nanousd(amount),
        "claims": tuple(Claim(account_id, enforced=True) for account_id in account_ids),
        "call": b'{"model":"m"}',
    }
    return HoldRequest(**(values | fields))  # type: ignore[arg-type]


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    lease = Lease(database, LeaseSettings())
    await lease.start()
    yield Bench(database, Ledger(database, lease.process_id), lease)
    await lease.stop()
