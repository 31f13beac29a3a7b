"""What may be a budget."""

from typing import Any

import pytest

from aos.budgets import BreachAction, InvalidBudget
from aos.budgets.definitions.rules import check_terms, thresholds_of
from aos.kit.money import Nanousd
from tests.budgets.definitions.samples import terms


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"limit": Nanousd(0)}, "limit_usd"),
        ({"limit": Nanousd(10**18 + 1)}, "limit_usd"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"timezone": "localtime"}, "timezone"),
        ({"scope_value": "x"}, "scope_value"),
        ({"warning_percent": 0}, "warning_threshold_percent"),
        ({"critical_percent": 101}, "warning_threshold_percent"),
        ({"warning_percent": 90, "critical_percent": 80}, "warning_threshold_percent"),
        ({"action": BreachAction.DOWNGRADE_MODEL}, "downgrade_model"),
        ({"downgrade_model": "m"}, "downgrade_model"),
    ],
)
def test_what_means_nothing_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidBudget) as refusal:
        check_terms(terms(**changes))
    assert refusal.value.details["field"] == field


def test_what_means_something_is_accepted() -> None:
    check_terms(terms())
    check_terms(terms(limit=Nanousd(1), warning_percent=1, critical_percent=1))
    check_terms(terms(action=BreachAction.DOWNGRADE_MODEL, downgrade_model="m"))


def test_thresholds_are_the_usual_ones_and_the_budgets_own() -> None:
    assert thresholds_of(terms()) == (50, 75, 80, 90, 100)
    assert thresholds_of(terms(warning_percent=33, critical_percent=34)) == (
        33,
        34,
        50,
        75,
        90,
        100,
    )
