"""Documents: what is refused and where, what must change, and the way back."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aos.control.config.errors import InvalidConfig
from aos.control.config.model import Action, Standing
from aos.control.config.rules import changes_of, read_document, write_document
from aos.control.config.schemas import AgentSpec, Document

SECTIONS = ("providers", "aliases", "agents", "keys", "budgets")
FULL: dict[str, Any] = {
    "version": 1,
    "providers": {
        "local": {
            "kind": "openai-compatible",
            "base_url": "http://127.0.0.1:11434/v1/",
            "models": {
                "llama-3": {
                    "context_window": 8192,
                    "price": {"input": 0.05, "output": "0.080"},
                },
            },
        },
        "mirror": {
            "kind": "openai",
            "base_url": "https://mirror.test/v1",
            "api_key_env": "MIRROR_API_KEY",
            "prices_of": "openai",
        },
    },
    "aliases": {"fast": "gpt-4o-mini", "smart": ["anthropic/claude-sonnet-4-5", "openai/gpt-4o"]},
    "agents": {"scout": {"budget_cents": 500}, "idle": {"budget_cents": 0}},
    "keys": {
        "ci": {
            "agent": "scout",
            "models": ["fast"],
            "scopes": ["read", "invoke"],
            "tags": {"team": "core"},
            "expires_at": "2030-01-01T02:00:00+02:00",
            "budget": {"limit_usd": 5, "period": "DAILY"},
        }
    },
    "budgets": {
        "everything": {"scope": "GLOBAL", "period": "MONTHLY", "limit_usd": "50"},
        "scout": {
            "scope": "PER_AGENT",
            "scope_value": "scout",
            "period": "DAILY",
            "limit_usd": "0.010000001",
            "timezone": "Europe/Berlin",
        },
    },
}


def standing(document: Document) -> dict[str, dict[str, Standing]]:
    """As if everything that the document says stood, its name being its id."""
    return {
        kind: {name: Standing(name, spec) for name, spec in getattr(document, kind).items()}
        for kind in SECTIONS
    }


def test_a_document_written_out_says_the_same_and_no_more() -> None:
    document = read_document(FULL)
    written = write_document(standing(document))
    assert read_document(written) == document
    assert written["agents"]["idle"] == {}
    assert written["aliases"]["fast"] == "gpt-4o-mini"
    assert written["keys"]["ci"]["expires_at"] == "2030-01-01T00:00:00Z"
    assert written["keys"]["ci"]["budget"] == {"limit_usd": "5.00", "period": "DAILY"}
    assert written["budgets"]["scout"]["limit_usd"] == "0.010000001"
    assert "prices_of" not in written["providers"]["mirror"]


def test_what_stands_needs_no_change() -> None:
    document = read_document(FULL)
    for kind, things in standing(document).items():
        assert changes_of(kind, things, getattr(document, kind), set()) == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("version",), 2, "version: "),
        (("colour",), {}, "colour: there is no such field"),
        (("agents", "scout", "budget"), 5, "agents.scout.budget: there is no such field"),
        (("agents", "scout", "budget_cents"), -1, "agents.scout.budget_cents: "),
        (("budgets", "everything", "limit_usd"), "much", "budgets.everything.limit_usd: "),
        (("budgets", "everything", "limit_usd"), "-1", "cannot be negative"),
        (("budgets", "everything", "limit_usd"), "0.0000000001", "nine decimal places"),
        (("budgets", "everything", "limit_usd"), None, "budgets.everything.limit_usd: "),
        (("budgets", "everything", "period"), "YEARLY", "budgets.everything.period: "),
        (("keys", "ci", "scopes"), [], "keys.ci.scopes: "),
        (("keys", "ci", "expires_at"), "2030-01-01", "keys.ci.expires_at: "),
        (("keys", " ci"), {}, "keys"),
        (("aliases", "none"), [], "aliases.none"),
        (("providers", "local", "api_key"), "sk-secret", "there is no such field"),
    ],
)
def test_a_mistake_says_where_it_is(path: tuple[str, ...], value: Any, message: str) -> None:
    document = _with(FULL, path, value)
    with pytest.raises(InvalidConfig) as caught:
        read_document(document)
    assert message in caught.value.message
    assert "sk-secret" not in caught.value.message
    assert "sk-secret" not in str(caught.value.details)


def _with(document: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = path
    inner = value if not rest else _with(document.get(first, {}), tuple(rest), value)
    return {**document, first: inner}


def test_the_version_is_asked_for() -> None:
    with pytest.raises(InvalidConfig, match="version: is missing"):
        read_document({})


def test_every_mistake_is_told_at_once_up_to_a_bound() -> None:
    document = {"version": 1, "agents": {f"a{n}": {"x": 1} for n in range(30)}}
    with pytest.raises(InvalidConfig) as caught:
        read_document(document)
    assert "agents.a0.x" in caught.value.message
    assert "agents.a1.x" in caught.value.message
    assert caught.value.message.endswith("and 10 more")


def test_an_empty_section_is_empty() -> None:
    assert read_document({"version": 1, "keys": None}) == read_document({"version": 1})


SCOUT = {"scout": Standing("agt_1", AgentSpec(budget_cents=500, budget_alert_threshold=0.8))}


def test_a_change_tells_before_and_after() -> None:
    (change,) = changes_of("agents", SCOUT, {"scout": AgentSpec(budget_cents=700)}, set())
    assert change.action is Action.UPDATE
    assert change.fields == {"budget_cents": (500, 700)}


def test_a_field_that_stays_where_left_out_stays() -> None:
    assert changes_of("agents", SCOUT, {"scout": AgentSpec(budget_cents=500)}, set()) == []


def test_only_what_an_apply_owns_is_taken_away() -> None:
    assert changes_of("agents", SCOUT, {}, set()) == []
    (change,) = changes_of("agents", SCOUT, {}, {"agt_1"})
    assert (change.action, change.name) == (Action.DELETE, "scout")


names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=9)
dollars = st.integers(0, 10**15).map(lambda nano: f"{nano // 10**9}.{nano % 10**9:09d}")
budget = st.fixed_dictionaries(
    {
        "scope": st.sampled_from(["GLOBAL", "PER_AGENT", "PER_KEY"]),
        "period": st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "TOTAL"]),
        "limit_usd": dollars,
    },
    optional={
        "timezone": st.sampled_from(["UTC", "Asia/Tokyo"]),
        "warning_threshold_percent": st.integers(1, 100),
    },
)
FIRST = datetime(2000, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
offsets = st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))
key = st.fixed_dictionaries(
    {},
    optional={
        "agent": names,
        "models": st.lists(names, max_size=3),
        "scopes": st.lists(st.sampled_from(["admin", "invoke", "read"]), min_size=1),
        "tags": st.dictionaries(names, names, max_size=3),
        "rpm": st.integers(1, 100),
        "expires_at": st.datetimes(FIRST, FIRST.replace(year=2099), timezones=offsets).map(
            lambda at: at.isoformat()
        ),
        "budget": st.fixed_dictionaries({"limit_usd": dollars}),
    },
)
documents = st.fixed_dictionaries(
    {"version": st.just(1)},
    optional={
        "aliases": st.dictionaries(names, st.lists(names, min_size=1, max_size=4), max_size=3),
        "agents": st.dictionaries(
            names, st.fixed_dictionaries({}, optional={"budget_cents": st.integers(0, 10**6)})
        ),
        "keys": st.dictionaries(names, key, max_size=3),
        "budgets": st.dictionaries(names, budget, max_size=3),
    },
)


@given(documents)
def test_whatever_is_written_out_reads_back_the_same(document: dict[str, Any]) -> None:
    read = read_document(document)
    written = write_document(standing(read))
    assert read_document(written) == read
    assert write_document(standing(read_document(written))) == written
