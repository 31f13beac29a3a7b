"""Which budgets bind a call."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aos.budgets import BreachAction, Budget, BudgetBook, BudgetPeriod, BudgetScope
from aos.kit import ids
from aos.kit.money import Nanousd
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
    subjects = [match.account.subject for match in matches if match.budget.limit is not None]
    assert subjects == ([] if subject is None else [subject])


def test_every_budget_that_binds_is_found_in_order_of_id() -> None:
    book = BudgetBook(
        [
            budget(
                id="bgt_4",
                scope=BudgetScope.PER_AGENT,
                scope_value="agt_1",
                managed_by="agent:agt_1",
            ),
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


def test_an_agent_without_a_budget_is_counted_on_the_account_of_a_later_one() -> None:
    created = datetime(2026, 10, 1, tzinfo=UTC)
    agent_id = ids.new("agt", created)
    [counting] = BudgetBook().match(facts(agent_id=agent_id))
    assert counting.budget.limit is None
    assert counting.budget.action is BreachAction.ALERT_ONLY
    own = replace(counting.budget, limit=Nanousd(5), action=BreachAction.BLOCK)
    [limited] = BudgetBook([own]).match(facts(agent_id=agent_id))
    assert limited.budget.limit == 5
    assert limited.account == counting.account
    assert limited.account.period_start == created


WRITTEN = st.builds(
    lambda number, tenant, scope, value, *, active: budget(
        id=f"bgt_{number}",
        tenant_id=f"ten_{number % 2}",
        scope=scope,
        scope_value=None if scope is BudgetScope.GLOBAL else value,
        name=tenant,
        active=active,
    ),
    st.integers(0, 5),
    st.sampled_from(["a", "b"]),
    st.sampled_from([BudgetScope.GLOBAL, BudgetScope.PER_AGENT, BudgetScope.PER_MODEL]),
    st.sampled_from([None, "agt_1", "gpt-4o"]),
    active=st.booleans(),
)


@given(st.lists(st.lists(WRITTEN, max_size=4, unique_by=lambda written: written.id), max_size=6))
def test_a_book_that_was_changed_is_the_book_made_anew(batches: list[list[Budget]]) -> None:
    book = BudgetBook()
    live: dict[str, Budget] = {}
    for batch in batches:
        before, length = book, len(book)
        book = book.changed(batch)
        assert len(before) == length
        live |= {written.id: written for written in batch}
        anew = BudgetBook(written for written in live.values() if written.active)
        assert len(book) == len(anew)
        for tenant_id in ("ten_0", "ten_1"):
            for agent_id in (None, "agt_1", "agt_2"):
                asked = facts(tenant_id=tenant_id, agent_id=agent_id)
                assert book.match(asked) == anew.match(asked)
