"""Which budgets bind a call, and when their periods begin and end.

Periods go by the wall clock of the budget's own time zone. A day begins at its first instant:
midnight, or the end of the gap where a zone skips midnight, or the first of two midnights where a
zone turns its clocks back over it. Days therefore last 23, 24 or 25 hours (and other lengths in odd
years), and always meet without a gap or an overlap.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from aos.budgets.definitions.errors import InvalidBudget
from aos.budgets.definitions.limits import (
    LIMIT_NANOUSD_MAX,
    MATCHES_REMEMBERED_MAX,
    NAME_CHARACTERS_MAX,
    PERCENT_MAX,
    PERIODS_REMEMBERED_MAX,
    SCOPE_VALUE_CHARACTERS_MAX,
    THRESHOLD_PERCENTS,
)
from aos.budgets.definitions.model import (
    BreachAction,
    Budget,
    BudgetMatch,
    BudgetPeriod,
    BudgetScope,
    BudgetTerms,
    Period,
    SpendFacts,
)
from aos.kit.ids import InvalidId, time_of
from aos.kit.money import format_usd
from aos.ledger import AccountKey

_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
WORKFLOW_TAG: Final = "workflow"
"""The tag by which a key fixes the workflow that its calls belong to."""


def period_of(budget: Budget, at: datetime) -> Period:
    """The period of this budget that `at` falls in.

    A manual reset begins a new period at its instant, which ends when the natural one does. A TOTAL
    budget has one period from its creation, or its last reset, without an end.
    """
    reset = budget.reset_at_last
    if budget.period is BudgetPeriod.TOTAL:
        return Period(reset or budget.created_at, None)
    natural = natural_period(budget.period, budget.timezone, at)
    if reset is None or not natural.start < reset <= at:
        return natural
    return Period(reset, natural.end)


def natural_period(period: BudgetPeriod, timezone: str, at: datetime) -> Period:
    """The calendar's period of this zone that holds `at`. `period` is not TOTAL."""
    zone = ZoneInfo(timezone)
    day = _day_of(zone, at)
    first, following = _dates(period, day)
    return Period(_first_instant(timezone, first), _first_instant(timezone, following))


def day_beginnings(timezone: str, at: datetime, days: int) -> list[tuple[date, datetime]]:
    """The last `days` days of a zone with their first instants, the day of `at` being the last."""
    last = _day_of(ZoneInfo(timezone), at)
    dates = [last - number * _DAY for number in range(days - 1, -1, -1)]
    return [(day, _first_instant(timezone, day)) for day in dates]


def _dates(period: BudgetPeriod, day: date) -> tuple[date, date]:
    """First date of the period that holds `day`, and of the one after."""
    if period is BudgetPeriod.DAILY:
        return day, day + _DAY
    if period is BudgetPeriod.WEEKLY:
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


def _day_of(zone: ZoneInfo, at: datetime) -> date:
    """The day whose instants hold `at`.

    Not always its wall-clock date: where clocks turn back over midnight, the minutes that repeat
    the evening belong to the day that has already begun.
    """
    day = at.astimezone(zone).date()
    while _first_instant(zone.key, day) > at:
        day -= _DAY
    while _first_instant(zone.key, day + _DAY) <= at:
        day += _DAY
    return day


@lru_cache(maxsize=PERIODS_REMEMBERED_MAX)
def _first_instant(timezone: str, day: date) -> datetime:
    midnight = datetime.combine(day, time(), ZoneInfo(timezone))
    instant = midnight.astimezone(UTC)
    if instant.astimezone(midnight.tzinfo).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return instant
    return _end_of_gap(midnight)


def _end_of_gap(missing: datetime) -> datetime:
    """The instant at which the clocks jumped over the wall time `missing`."""
    before = missing.replace(fold=1).astimezone(UTC)  # By the offset after the jump: too early.
    after = missing.replace(fold=0).astimezone(UTC)
    offset = after.astimezone(missing.tzinfo).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(missing.tzinfo).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)


_SUBJECT_OF: Final[dict[BudgetScope, Callable[[SpendFacts], str | None]]] = {
    BudgetScope.GLOBAL: lambda _: "",
    BudgetScope.PER_AGENT: lambda facts: facts.agent_id,
    BudgetScope.PER_MODEL: lambda facts: facts.model,
    BudgetScope.PER_WORKFLOW: lambda facts: facts.fixed_tags.get(WORKFLOW_TAG),
    BudgetScope.PER_KEY: lambda facts: facts.key_id,
    BudgetScope.PER_USER: lambda facts: facts.user_id,
    BudgetScope.PER_TEAM: lambda facts: facts.team_id,
}
"""Whose spend a call is, as each scope sees it; None where it is nobody's."""


class _Index:
    """The live budgets of one tenant, found by scope and value: it may have one per agent."""

    def __init__(
        self,
        by_value: dict[BudgetScope, dict[str | None, tuple[Budget, ...]]] | None = None,
        by_model_prefix: tuple[Budget, ...] = (),
    ) -> None:
        self._by_value = by_value or {}
        self._by_model_prefix = by_model_prefix

    def changed(self, gone: Iterable[Budget], live: Iterable[Budget]) -> "_Index":
        """A copy without those that are gone and with those that live."""
        by_value = {scope: dict(values) for scope, values in self._by_value.items()}
        prefixes = {budget.id: budget for budget in self._by_model_prefix}
        for budget in gone:
            if _by_prefix(budget):
                del prefixes[budget.id]
                continue
            values = by_value[budget.scope]
            rest = tuple(b for b in values[budget.scope_value] if b.id != budget.id)
            if rest:
                values[budget.scope_value] = rest
            else:
                del values[budget.scope_value]
        for budget in live:
            if _by_prefix(budget):
                prefixes[budget.id] = budget
            else:
                values = by_value.setdefault(budget.scope, {})
                values[budget.scope_value] = (*values.get(budget.scope_value, ()), budget)
        return _Index(by_value, tuple(prefixes.values()))

    def find(self, facts: SpendFacts) -> Iterator[tuple[Budget, str]]:
        """The budgets that bind, each with the subject of its account."""
        for scope, values in self._by_value.items():
            subject = _SUBJECT_OF[scope](facts)
            if subject is not None:
                for budget in values.get(None, ()):
                    yield budget, subject
                for budget in values.get(subject, ()):
                    yield budget, ""
        for budget in self._by_model_prefix:
            if facts.model.startswith(budget.scope_value or ""):
                yield budget, ""
        if facts.agent_id is not None and not self._has_own(facts.agent_id):
            yield counting_budget(facts.tenant_id, facts.agent_id), ""

    def _has_own(self, agent_id: str) -> bool:
        of_agent = self._by_value.get(BudgetScope.PER_AGENT, {}).get(agent_id, ())
        return any(budget.managed_by is not None for budget in of_agent)


def _by_prefix(budget: Budget) -> bool:
    return budget.scope is BudgetScope.PER_MODEL and budget.scope_value is not None


_NO_BUDGETS: Final = _Index()


def own_budget_id(owner_id: str) -> str:
    """The id of the budget that is a field of this agent or key: always the same one."""
    return f"bgt_{owner_id.rpartition('_')[2]}"


def lifetime_start(owner_id: str) -> datetime:
    """Since when an agent or a key can have spent anything."""
    try:
        return time_of(owner_id)
    except InvalidId:
        return _EPOCH


def counting_budget(tenant_id: str, agent_id: str) -> Budget:
    """The lifetime account of an agent without a budget of its own.

    Its account is that of the agent's own budget, so that `spent_cents` tells the whole life, and a
    lifetime budget that is set later counts what was spent before.
    """
    return Budget(
        id=own_budget_id(agent_id),
        tenant_id=tenant_id,
        name=f"agent:{agent_id}",
        scope=BudgetScope.PER_AGENT,
        scope_value=agent_id,
        period=BudgetPeriod.TOTAL,
        timezone="UTC",
        limit=None,
        action=BreachAction.ALERT_ONLY,
        downgrade_model=None,
        warning_percent=100,
        critical_percent=100,
        created_at=lifetime_start(agent_id),
        managed_by=f"agent:{agent_id}",
    )


_Question = tuple[str, str, str, str | None, str | None, str | None, str | None]
_Answer = tuple[datetime, datetime, tuple[BudgetMatch, ...]]


class BudgetBook:
    """Every live budget as it stood at one moment. Pure but for its memory of past answers."""

    def __init__(self, budgets: Iterable[Budget] = ()) -> None:
        self._by_id: dict[str, Budget] = {}
        self._indexes: dict[str, _Index] = {}
        self._answers: dict[_Question, _Answer] = {}
        self._take(budgets)

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, budget_id: str) -> Budget | None:
        return self._by_id.get(budget_id)

    def changed(self, budgets: Iterable[Budget]) -> "BudgetBook":
        """The book after these were written; one that is not `active` is gone."""
        book = BudgetBook()
        book._by_id = dict(self._by_id)
        book._indexes = dict(self._indexes)
        book._take(budgets)
        return book

    def _take(self, budgets: Iterable[Budget]) -> None:
        gone: dict[str, list[Budget]] = defaultdict(list)
        live: dict[str, list[Budget]] = defaultdict(list)
        for budget in budgets:
            former = self._by_id.pop(budget.id, None)
            if former is not None:
                gone[budget.tenant_id].append(former)
            if budget.active:
                self._by_id[budget.id] = budget
                live[budget.tenant_id].append(budget)
        for tenant_id in {*gone, *live}:
            index = self._indexes.get(tenant_id, _NO_BUDGETS)
            self._indexes[tenant_id] = index.changed(gone[tenant_id], live[tenant_id])

    def match(self, facts: SpendFacts) -> tuple[BudgetMatch, ...]:
        """The budgets that bind this call, by id, each with the account that it falls in.

        An answer is remembered until the first of its periods ends.
        """
        index = self._indexes.get(facts.tenant_id, _NO_BUDGETS)
        question = (
            facts.tenant_id,
            facts.key_id,
            facts.model,
            facts.agent_id,
            facts.user_id,
            facts.team_id,
            facts.fixed_tags.get(WORKFLOW_TAG),
        )
        answer = self._answers.get(question)
        if answer is None or not answer[0] <= facts.at < answer[1]:
            answer = _answer(index, facts)
            if len(self._answers) >= MATCHES_REMEMBERED_MAX:
                self._answers.clear()
            self._answers[question] = answer
        return answer[2]


def _answer(index: _Index, facts: SpendFacts) -> _Answer:
    start, end = _ALWAYS
    matches = []
    for budget, subject in index.find(facts):
        period = period_of(budget, facts.at)
        start = max(start, period.start)
        end = min(end, period.end or end)
        account = AccountKey(facts.tenant_id, budget.id, subject, period.start, period.end)
        matches.append(BudgetMatch(budget, account))
    matches.sort(key=lambda match: match.budget.id)
    return start, end, tuple(matches)


def thresholds_of(budget: Budget | BudgetTerms) -> tuple[int, ...]:
    """The percents of its limit whose crossing is booked, once a period."""
    own = (budget.warning_percent, budget.critical_percent)
    return tuple(sorted({*THRESHOLD_PERCENTS, *own}))


def check_terms(terms: BudgetTerms) -> None:
    """Raises InvalidBudget for the first field that means nothing."""
    for field, problem in _problems(terms):
        if problem is not None:
            raise InvalidBudget(problem, field=field)


def _problems(terms: BudgetTerms) -> Iterator[tuple[str, str | None]]:
    yield "name", _text_problem(terms.name, NAME_CHARACTERS_MAX)
    if terms.scope_value is not None:
        yield "scope_value", _text_problem(terms.scope_value, SCOPE_VALUE_CHARACTERS_MAX)
        if terms.scope is BudgetScope.GLOBAL:
            yield "scope_value", "a GLOBAL budget counts everything: leave scope_value out"
    if not 0 < terms.limit <= LIMIT_NANOUSD_MAX:
        most = format_usd(LIMIT_NANOUSD_MAX)
        yield "limit_usd", f"the limit must be above 0 and at most {most} dollars"
    if terms.timezone not in known_timezones():
        yield "timezone", f"{terms.timezone!r} is not a time zone; use a name as Europe/Berlin"
    if not 1 <= terms.warning_percent <= terms.critical_percent <= PERCENT_MAX:
        yield (
            "warning_threshold_percent",
            "thresholds are percents from 1 to 100, the warning not above the critical one",
        )
    downgrades = terms.action is BreachAction.DOWNGRADE_MODEL
    if downgrades and terms.downgrade_model is None:
        yield "downgrade_model", "DOWNGRADE_MODEL needs a downgrade_model to go to"
    if not downgrades and terms.downgrade_model is not None:
        yield "downgrade_model", f"{terms.action} has no use for a downgrade_model: leave it out"
    if terms.downgrade_model is not None:
        yield "downgrade_model", _text_problem(terms.downgrade_model, SCOPE_VALUE_CHARACTERS_MAX)


def _text_problem(text: str, characters_max: int) -> str | None:
    if not 1 <= len(text) <= characters_max:
        return f"write 1 to {characters_max} characters"
    return None if text.isprintable() else "control characters are not allowed"


@lru_cache(maxsize=1)
def known_timezones() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory"})
