"""What `aos load` concludes from the books."""

import pytest

from aos.cli.load import _first_failure, conclude

NOTHING = {"current_spend_usd": "0.000000000"}


def status(spent: str) -> dict[str, str]:
    return {"current_spend_usd": spent, "limit_usd": "0.010000000"}


def test_it_counts_rows_and_what_the_budget_says() -> None:
    statuses = ["ok"] * 3 + ["refused_budget"] * 2
    found = conclude(statuses, NOTHING, status("0.009900000"), 5)
    assert (found["served"], found["refused"], found["failed"]) == (3, 2, 0)
    assert (found["spent_usd"], found["over_usd"]) == ("0.009900000", "0.000000000")


def test_what_has_no_row_is_a_failure() -> None:
    assert conclude(["ok"], NOTHING, status("0.001000000"), 3)["failed"] == 2


def test_one_nano_dollar_over_is_over() -> None:
    assert conclude(["ok"], NOTHING, status("0.010000001"), 1)["over_usd"] == "0.000000001"


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([(200, "fine"), (402, "full"), (500, "broken")], "500: broken"),
        ([(0, "timed out")], "no answer: timed out"),
        ([(200, "fine")], "the gateway wrote no row for them"),
    ],
)
def test_the_first_failure_is_told(answers: list[tuple[int, str]], told: str) -> None:
    assert _first_failure(answers) == told
