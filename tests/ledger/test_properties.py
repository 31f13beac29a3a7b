"""Any sequence of holds and settlements against a model that fits on one screen."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from aos.infra.postgres import Database
from aos.infra.settings import LeaseSettings
from aos.kit import ids
from aos.kit.money import Nanousd
from aos.ledger import (
    Claim,
    HoldOutcome,
    HoldRequest,
    Lease,
    Ledger,
    Settlement,
    SettlementKind,
)
from tests.ledger.conftest import Bench

AMOUNTS = st.integers(min_value=0, max_value=60)
CLAIMS = st.dictionaries(st.integers(0, 3), st.booleans(), min_size=1)
"""Account number → enforced."""
KINDS = st.sampled_from(SettlementKind)


@dataclass
class ModelAccount:
    limit: int | None
    pending: int = 0
    posted: int = 0


@dataclass
class ModelHold:
    amount: int
    claims: dict[int, bool]
    state: str = "dispatched"
    cost: int = 0


@dataclass
class Model:
    accounts: list[ModelAccount] = field(default_factory=list)
    holds: dict[str, ModelHold] = field(default_factory=dict)

    def hold(self, hold_id: str, amount: int, claims: dict[int, bool]) -> HoldOutcome:
        known = self.holds.get(hold_id)
        if known is not None:
            if known.amount != amount:
                return HoldOutcome.CONFLICT
            alive = known.state == "dispatched"
            return HoldOutcome.GRANTED_BEFORE if alive else HoldOutcome.ENDED
        for number, enforced in claims.items():
            account = self.accounts[number]
            limit = account.limit if enforced else None
            if limit is not None and account.pending + account.posted + amount > limit:
                return HoldOutcome.FULL
        self.holds[hold_id] = ModelHold(amount, claims)
        for number in claims:
            self.accounts[number].pending += amount
        return HoldOutcome.GRANTED

    def end(self, settlement: Settlement) -> str:
        hold = self.holds[settlement.hold_id]
        late = hold.state == "expired" and settlement.kind is not SettlementKind.EXPIRE
        if hold.state != "dispatched" and not late:
            return "repeated"
        for number in hold.claims:
            account = self.accounts[number]
            account.pending -= 0 if late else hold.amount
            account.posted += settlement.cost - hold.cost
        hold.cost = settlement.cost
        hold.state = "expired" if settlement.kind is SettlementKind.EXPIRE else "ended"
        return "corrected" if late else "settled"


class Money(RuleBasedStateMachine):
    """One tenant an example. Concurrent holds go in order, as one batch or two."""

    url: str
    holds = Bundle("holds")

    @initialize(limits=st.lists(st.none() | st.integers(0, 200), min_size=4, max_size=4))
    def open(self, limits: list[int | None]) -> None:
        self.runner = asyncio.Runner()
        self.model = Model([ModelAccount(limit) for limit in limits])
        self.tenant_id = ids.new("ten")
        self.bench = self.run(self._open())
        self.account_ids = [
            self.run(self.bench.open(f"bgt_{number}", limit, tenant_id=self.tenant_id))
            for number, limit in enumerate(limits)
        ]

    async def _open(self) -> Bench:
        database = await Database(self.url).open()
        lease = Lease(database, LeaseSettings())
        await lease.start()
        return Bench(database, Ledger(database, lease.process_id, lanes=1), lease)

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def request(self, hold_id: str, amount: int, claims: dict[int, bool]) -> HoldRequest:
        claimed = tuple(Claim(self.account_ids[n], enforced) for n, enforced in claims.items())
        return HoldRequest(hold_id, "call_1", self.tenant_id, Nanousd(amount), claimed, b"{}")

    @rule(target=holds, wanted=st.lists(st.tuples(AMOUNTS, CLAIMS), min_size=1, max_size=6))
    def take(self, wanted: list[tuple[int, dict[int, bool]]]) -> Any:
        asked = [(ids.new("hold"), amount, claims) for amount, claims in wanted]

        async def together() -> list[HoldOutcome]:
            requests = (self.request(*each) for each in asked)
            results = await asyncio.gather(*map(self.bench.ledger.hold, requests))
            return [result.outcome for result in results]

        outcomes = self.run(together())
        assert outcomes == [self.model.hold(*each) for each in asked]
        return multiple(*(each[0] for each in asked if each[0] in self.model.holds))

    @rule(hold_id=holds, more=st.integers(0, 1))
    def take_again(self, hold_id: str, more: int) -> None:
        hold = self.model.holds[hold_id]
        again = (hold_id, hold.amount + more, hold.claims)
        result = self.run(self.bench.ledger.hold(self.request(*again)))
        assert result.outcome == self.model.hold(*again)

    @rule(ends=st.lists(st.tuples(holds, KINDS, st.integers(0, 90)), min_size=1, max_size=6))
    def end(self, ends: list[tuple[str, SettlementKind, int]]) -> None:
        settlements = [
            Settlement(hold_id, self.tenant_id, kind, Nanousd(self.cost(hold_id, kind, cost)))
            for hold_id, kind, cost in ends
        ]
        results = self.run(self.bench.settle(settlements))
        for settlement, result in zip(settlements, results, strict=True):
            told = "repeated" if result.repeated else "corrected" if result.corrected else "settled"
            assert told == self.model.end(settlement)
            if told != "repeated":
                hold = self.model.holds[settlement.hold_id]
                assert result.overrun == max(0, settlement.cost - hold.amount)

    def cost(self, hold_id: str, kind: SettlementKind, cost: int) -> int:
        if kind is SettlementKind.POST:
            return cost
        return self.model.holds[hold_id].amount if kind is SettlementKind.EXPIRE else 0

    @rule(number=st.integers(0, 3), limit=st.none() | st.integers(0, 200))
    def change_limit(self, number: int, limit: int | None) -> None:
        async def change() -> None:
            async with self.bench.database.tenant(self.tenant_id) as tx:
                new = None if limit is None else Nanousd(limit)
                await self.bench.ledger.set_terms(tx, f"bgt_{number}", new, ())

        self.run(change())
        self.model.accounts[number].limit = limit

    @invariant()
    def balances_are_the_models(self) -> None:
        for account_id, account in zip(self.account_ids, self.model.accounts, strict=True):
            balance = self.run(self.bench.balance(account_id))
            assert (balance.limit, balance.pending, balance.posted) == (
                account.limit,
                account.pending,
                account.posted,
            )

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            assert self.run(self.bench.ledger.verify()) == []
            self.run(self.bench.lease.stop())
            self.run(self.bench.database.close())
            self.runner.close()


def test_money_moves_as_in_the_model(database_url: str) -> None:
    machine = type("MoneyHere", (Money,), {"url": database_url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
