import pytest

from aos.budgets import (
    BreachAction,
    BudgetBusy,
    BudgetExceeded,
    Clamp,
    Downgrade,
    UnboundedRequest,
    UnpricedModel,
)
from aos.kit.money import Nanousd
from tests.budgets.admission.conftest import Gate, budget, spend
from tests.conftest import rows_as_owner


async def test_a_call_without_budgets_is_on_the_books(gate: Gate) -> None:
    hold = await gate.hold(500)
    assert hold.remaining is None
    rows = await rows_as_owner(gate.database, "SELECT budget_id, pending_nanousd FROM aos.accounts")
    assert [tuple(row.values()) for row in rows] == [("root", 500)]


async def test_the_tightest_budget_says_what_is_left(gate: Gate) -> None:
    hold = await gate.hold(500, budget(1000), budget(800))
    assert hold.remaining == 300


async def test_what_never_fits_is_refused_and_names_the_budget(gate: Gate) -> None:
    with pytest.raises(BudgetExceeded) as refusal:
        await gate.hold(5_000, budget(1_000, name="tiny"), wait_seconds=5.0)
    assert refusal.value.status == 402
    assert refusal.value.details["budget_name"] == "tiny"
    assert refusal.value.details["limit_usd"] == "0.000001000"
    assert refusal.value.details["reset_at"] is None


async def test_what_would_fit_later_is_told_to_come_back(gate: Gate) -> None:
    of = budget(1000)
    await gate.hold(900, of)
    with pytest.raises(BudgetBusy) as refusal:
        await gate.hold(200, of)
    assert refusal.value.status == 429
    assert refusal.value.retry_after_seconds


async def test_alert_only_never_stands_in_the_way(gate: Gate) -> None:
    hold = await gate.hold(5_000, budget(1_000, action=BreachAction.ALERT_ONLY))
    assert hold.remaining == 0


async def test_a_cheaper_model_is_named_once(gate: Gate) -> None:
    of = budget(1_000, action=BreachAction.DOWNGRADE_MODEL, downgrade_model="small")
    answer = await gate.admission.hold(spend(5_000, of))
    assert isinstance(answer, Downgrade)
    assert answer.model == "small"
    with pytest.raises(BudgetExceeded):
        await gate.hold(5_000, of, downgraded=True)


async def test_the_output_shrinks_to_what_fits(gate: Gate) -> None:
    clamp = Clamp(Nanousd(100), 1_000_000, 1, tokens_max=10, tokens_floor=2)
    hold = await gate.hold(10_100, budget(4_500), clamp=clamp)
    assert hold.clamped_tokens == 4
    assert hold.amount == 4_100
    with pytest.raises(BudgetExceeded):
        await gate.hold(10_100, budget(1_500), clamp=clamp)


async def test_nothing_unbounded_under_a_blocking_budget(gate: Gate) -> None:
    with pytest.raises(UnboundedRequest) as refusal:
        await gate.hold(None, budget(1_000), because="background")
    assert refusal.value.details["field"] == "background"
    with pytest.raises(UnpricedModel):
        await gate.hold(None, budget(1_000), priced=False)
    alert = budget(1_000, action=BreachAction.ALERT_ONLY)
    assert (await gate.hold(None, alert, because="background")).amount == 1_000_000_000
