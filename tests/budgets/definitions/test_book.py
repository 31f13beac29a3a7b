"""Which budgets bind a call."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aos.budgets import BudgetBook, BudgetPeriod, BudgetScope
from tests.budgets.definitions.samples import budget, facts


@pytest.mark.parametrize(
    ("definition", "call", "subject"),
    [
        ({}, {}, ""),
        ({"tenant_id": "ten_2"}, {}, None),
        ({"scope": "PER_AGENT"}, {"agent_id": "agt_1"}, "agt_1"),
        ({"scope": "PER_AGENT"}, {}, None),
        ({"scope": "PER_AGENT", "scope_value": "agt_1"}, {"agent_id": "agt_1"}, ""),
        ({"scope": "PER_AGENT", "scope_value": "agt_1"}, {"agent_id": "agt_2"}, None),
        ({"scope": "PER_AGENT", "scope_value": "agt_1"}, {}, None),
        ({"scope": "PER_KEY"}, {}, "key_1"),
        ({"scope": "PER_KEY", "scope_value": "key_1"}, {}, ""),
        ({"scope": "PER_KEY", "scope_value": "key_2"}, {}, None),
        ({"scope": "PER_MODEL"}, {}, "gpt-4o-mini"),
        ({"scope": "PER_MODEL", "scope_value": "gpt-4o"}, {}, ""),
        ({"scope": "PER_MODEL", "scope_value": "gpt-4o-mini-2"}, {}, None),
        ({"scope": "PER_USER"}, {"user_id": "usr_1"}, "usr_1"),
        ({"scope": "PER_USER", "scope_value": "usr_1"}, {"user_id": "usr_1"}, ""),
        ({"scope": "PER_USER"}, {}, None),
        ({"scope": "PER_TEAM"}, {"team_id": "tea_1"}, "tea_1"),
        # A workflow binds where the key fixes it, never by what the caller says.
        ({"scope": "PER_WORKFLOW", "scope_value": "w"}, {"workflow": "w"}, None),
        ({"scope": "PER_WORKFLOW", "scope_value": "w"}, {"fixed_tags": {"workflow": "w"}}, ""),
        ({"scope": "PER_WORKFLOW"}, {"fixed_tags": {"workflow": "w"}, "workflow": "x"}, "w"),
    ],
)
def test_scopes(definition: dict[str, Any], call: dict[str, Any], subject: str | None) -> None:
    scope = BudgetScope(definition.get("scope", "GLOBAL"))
    matches = BudgetBook([budget(**definition | {"scope": scope})]).match(facts(**call))
    assert [match.account.subject for match in matches] == ([] if subject is None else [subject])


def test_every_budget_that_binds_is_found_in_order_of_id() -> None:
    book = BudgetBook(
        [
            budget(id="bgt_4", scope=BudgetScope.PER_AGENT, scope_value="agt_1"),
            budget(id="bgt_3", scope=BudgetScope.PER_AGENT),
            budget(id="bgt_2", period=BudgetPeriod.TOTAL),
            budget(id="bgt_1"),
            budget(id="bgt_5", scope=BudgetScope.PER_AGENT, scope_value="agt_2"),
        ]
    )
    matches = book.match(facts(agent_id="agt_1"))
    assert [match.budget.id for match in matches] == ["bgt_1", "bgt_2", "bgt_3", "bgt_4"]


def test_a_remembered_answer_ends_with_its_period() -> None:
    book = BudgetBook([budget(), budget(id="bgt_2", period=BudgetPeriod.MONTHLY)])
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    first = book.match(facts(at=noon))
    assert book.match(facts(at=noon + timedelta(hours=11))) is first
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    following = book.match(facts(at=midnight))
    assert following[0].account.period_start == midnight
    assert following[1].account == first[1].account
    assert book.match(facts(at=noon)) == first


def test_two_callers_share_no_remembered_answer() -> None:
    book = BudgetBook([budget(scope=BudgetScope.PER_AGENT)])
    assert book.match(facts(agent_id="agt_1"))[0].account.subject == "agt_1"
    assert book.match(facts(agent_id="agt_2"))[0].account.subject == "agt_2"
    assert book.match(facts()) == ()
