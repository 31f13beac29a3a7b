"""What happens next, case by case. Pure: no database."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aos.budgets import BreachAction, BudgetBusy, BudgetExceeded, Clamp
from aos.budgets.admission import rules
from aos.kit.money import Nanousd
from aos.ledger import Balance
from tests.budgets.admission.conftest import budget, match, spend

SHRINKING = Clamp(Nanousd(10), 1_000, 1, tokens_max=1_000, tokens_floor=50)


def balance(limit: int, *, pending: int = 0, posted: int = 0, account_id: int = 1) -> Balance:
    return Balance(account_id, Nanousd(limit), Nanousd(pending), Nanousd(posted))


def step(of: Balance, *others: Balance, patient: bool = True, **fields: Any) -> rules.Step:
    action = fields.pop("action", BreachAction.BLOCK)
    model = "small" if action is BreachAction.DOWNGRADE_MODEL else None
    found = match(budget(1, action=action, downgrade_model=model))
    request = spend(fields.pop("bound", 100), **fields)
    return rules.next_step(request, (found, of), (of, *others), patient=patient)


def refusal(taken: rules.Step) -> type[Exception]:
    assert isinstance(taken, rules.Refuse)
    return type(taken.error)


def test_room_that_will_come_back_is_waited_for() -> None:
    assert isinstance(step(balance(100, pending=50)), rules.Wait)


def test_whoever_cannot_wait_is_told_to_come_back_and_not_to_pay() -> None:
    assert refusal(step(balance(100, pending=50), patient=False)) is BudgetBusy


def test_waiting_comes_before_a_cheaper_model_and_a_shorter_answer() -> None:
    of = balance(100, pending=50)
    assert isinstance(step(of, action=BreachAction.DOWNGRADE_MODEL), rules.Wait)
    assert isinstance(step(of, clamp=SHRINKING), rules.Wait)


def test_one_budget_that_never_fits_ends_the_waiting() -> None:
    assert refusal(step(balance(100, pending=50), balance(100, posted=1))) is BudgetExceeded


def test_a_cheaper_model_comes_before_a_shorter_answer() -> None:
    taken = step(balance(99), action=BreachAction.DOWNGRADE_MODEL, clamp=SHRINKING)
    assert isinstance(taken, rules.Swap)
    assert taken.model == "small"


def test_a_model_is_swapped_once() -> None:
    taken = step(balance(99), action=BreachAction.DOWNGRADE_MODEL, downgraded=True)
    assert refusal(taken) is BudgetExceeded


def test_the_answer_is_shortened_to_what_the_tightest_budget_has() -> None:
    taken = step(balance(99), balance(200, posted=120), clamp=SHRINKING)
    assert taken == rules.Shrink(70, Nanousd(80))


def test_the_answer_is_not_shortened_below_its_floor() -> None:
    assert refusal(step(balance(59), clamp=SHRINKING)) is BudgetExceeded


def test_the_least_that_will_fit_later_is_waited_for() -> None:
    of = balance(99, pending=60)
    assert isinstance(step(of, clamp=SHRINKING), rules.Wait)
    assert refusal(step(of, clamp=SHRINKING, patient=False)) is BudgetBusy


def test_alert_only_and_unlimited_budgets_are_not_enforced() -> None:
    assert rules.enforced(match(budget(1)))
    assert not rules.enforced(match(budget(1, action=BreachAction.ALERT_ONLY)))
    assert not rules.enforced(match(budget(None)))


@pytest.mark.parametrize(("posted", "left"), [(0, "0.000001000"), (5_000, "0.000000000")])
def test_a_refusal_says_what_is_left(posted: int, left: str) -> None:
    taken = step(balance(1_000, posted=posted), bound=2_000)
    assert isinstance(taken, rules.Refuse)
    assert taken.error.details["remaining_usd"] == left
    assert left in taken.error.message


@given(
    st.builds(
        Clamp,
        fixed=st.integers(0, 10**9).map(Nanousd),
        pico_per_output_token=st.integers(0, 10**9),
        choices=st.integers(1, 8),
        tokens_max=st.integers(1, 10**6),
        tokens_floor=st.integers(0, 10**5),
    ),
    st.integers(0, 10**13),
)
def test_a_clamp_never_costs_more_than_there_is(clamp: Clamp, available: int) -> None:
    tokens = rules.tokens_affordable(clamp, available)
    if tokens is None:
        least = max(1, clamp.tokens_floor)
        assert clamp.tokens_max < least or clamp.amount(least) > available
        return
    assert max(1, clamp.tokens_floor) <= tokens <= clamp.tokens_max
    assert clamp.amount(tokens) <= available
    if tokens < clamp.tokens_max:
        assert clamp.amount(tokens + 1) > available
