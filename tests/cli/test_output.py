"""What people and programs read."""

import json

import pytest

from aos.cli.output import field, money, print_facts, print_json, print_table


@pytest.mark.parametrize(
    ("exact", "shown"),
    [
        ("0.009900000", "$0.0099"),
        ("0.000000000", "$0.0000"),
        ("0.000450000", "$0.00045"),
        ("0.000000001", "$0.000000001"),
        ("1.000000000", "$1.00"),
        ("12.340000000", "$12.34"),
        ("1234.567800000", "$1234.5678"),
        ("-0.010000000", "-$0.0100"),
        (None, "unpriced"),
    ],
)
def test_money_is_readable_and_never_rounded(exact: str | None, shown: str) -> None:
    assert money(exact) == shown


def test_json_keeps_the_exact_string(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"cost_usd": "0.009900000", "name": "Zoë"})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"cost_usd": "0.009900000", "name": "Zoë"}
    assert '"0.009900000"' in printed
    assert "Zoë" in printed


def test_a_table_shows_money_lists_and_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"name": "[red]x[/]", "limit_usd": "5.000000000", "models": ["a", "b"], "gone": None}]
    print_table(rows, [field("name"), field("limit_usd"), field("models"), field("gone")])
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split() == ["name", "limit_usd", "models", "gone"]
    assert line.split() == ["[red]x[/]", "$5.00", "a,", "b", "-"]


def test_a_name_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([{"name": "x\x1b[2Jy"}], [field("name")])
    assert "\x1b" not in capsys.readouterr().out


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([], [field("name")])
    assert capsys.readouterr().out == "none\n"


def test_facts_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts({"id": "agt_1", "spent_usd": "0.100000000", "archived": False})
    assert capsys.readouterr().out.splitlines() == [
        "id:        agt_1",
        "spent_usd: $0.1000",
        "archived:  no",
    ]


def test_a_list_of_things_is_readable(capsys: pytest.CaptureFixture[str]) -> None:
    accounts = [{"subject": "a", "spent_usd": "0.010000000"}, {"subject": "b", "spent_usd": None}]
    print_facts({"accounts": accounts})
    assert capsys.readouterr().out == (
        "accounts: subject=a, spent_usd=$0.0100; subject=b, spent_usd=-\n"
    )
