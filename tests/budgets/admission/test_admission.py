import pytest

from aos.budgets import (
    Admission,
    BreachAction,
    BudgetBusy,
    BudgetExceeded,
    Clamp,
    Downgrade,
    Hold,
    UnboundedRequest,
    UnpricedModel,
)
from aos.infra.postgres import Database
from aos.kit.money import Nanousd
from aos.ledger import Ledger, Settlement, SettlementKind
from tests.budgets.admission.conftest import budget, spend
from tests.conftest import rows_as_owner


@pytest.fixture
def admission(database: Database) -> Admission:
    return Admission(Ledger(database, "proc_test"))


async def held(admission: Admission, *args: object, **fields: object) -> Hold:
    answer = await admission.hold(spend(*args, **fields))  # type: ignore[arg-type]
    assert isinstance(answer, Hold)
    return answer


async def test_a_call_without_budgets_is_on_the_books(
    admission: Admission, database: Database
) -> None:
    hold = await held(admission, 500)
    assert hold.remaining is None
    rows = await rows_as_owner(database, "SELECT budget_id, pending_nanousd FROM aos.accounts")
    assert [tuple(row.values()) for row in rows] == [("root", 500)]


async def test_the_tightest_budget_says_what_is_left(admission: Admission) -> None:
    hold = await held(admission, 500, budget(1000), budget(800))
    assert hold.remaining == 300


async def test_what_never_fits_is_refused_and_names_the_budget(admission: Admission) -> None:
    with pytest.raises(BudgetExceeded) as refusal:
        await held(admission, 5_000, budget(1_000, name="tiny"))
    assert refusal.value.status == 402
    assert refusal.value.details["budget_name"] == "tiny"
    assert refusal.value.details["limit_usd"] == "0.000001000"
    assert refusal.value.details["reset_at"] is None


async def test_what_would_fit_later_is_told_to_come_back(admission: Admission) -> None:
    of = budget(1000)
    await held(admission, 900, of)
    with pytest.raises(BudgetBusy) as refusal:
        await held(admission, 200, of)
    assert refusal.value.status == 429
    assert refusal.value.retry_after_seconds


async def test_a_waiting_call_gets_what_another_returns(
    admission: Admission, database: Database
) -> None:
    of = budget(1000)
    first = await held(admission, 900, of)
    async with database.system() as tx:
        settlement = Settlement(first.id, "ten_a", SettlementKind.POST, Nanousd(100))
        await Ledger(database, "proc_test").settle(tx, [settlement])
    second = await held(admission, 900, of, wait_seconds=2.0)
    assert second.remaining == 0


async def test_alert_only_never_stands_in_the_way(admission: Admission) -> None:
    hold = await held(admission, 5_000, budget(1_000, action=BreachAction.ALERT_ONLY))
    assert hold.remaining == 0


async def test_a_cheaper_model_is_named_once(admission: Admission) -> None:
    of = budget(1_000, action=BreachAction.DOWNGRADE_MODEL, downgrade_model="small")
    answer = await admission.hold(spend(5_000, of))
    assert isinstance(answer, Downgrade)
    assert answer.model == "small"
    with pytest.raises(BudgetExceeded):
        await held(admission, 5_000, of, downgraded=True)


async def test_the_output_shrinks_to_what_fits(admission: Admission) -> None:
    clamp = Clamp(Nanousd(100), 1_000_000, 1, tokens_max=10, tokens_floor=2)
    hold = await held(admission, 10_100, budget(4_500), clamp=clamp)
    assert hold.clamped_tokens == 4
    assert hold.amount == 4_100
    with pytest.raises(BudgetExceeded):
        await held(admission, 10_100, budget(1_500), clamp=clamp)


async def test_nothing_unbounded_under_a_blocking_budget(admission: Admission) -> None:
    with pytest.raises(UnboundedRequest) as refusal:
        await held(admission, None, budget(1_000), because="background")
    assert refusal.value.details["field"] == "background"
    with pytest.raises(UnpricedModel):
        await held(admission, None, budget(1_000), priced=False)
    alert = budget(1_000, action=BreachAction.ALERT_ONLY)
    assert (await held(admission, None, alert, because="background")).amount == 1_000_000_000
