"""Period bounds: the calendar of every zone, its gaps and folds included."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aos.budgets import Budget, BudgetPeriod, Period
from aos.budgets.definitions import day_beginnings, period_of
from aos.budgets.definitions.rules import natural_period
from tests.budgets.definitions.samples import budget

ZONES = sorted(available_timezones() - {"localtime"})
INSTANTS = st.integers(86_400, 4_099_000_000).map(lambda s: datetime.fromtimestamp(s, UTC))
NATURAL = [BudgetPeriod.DAILY, BudgetPeriod.WEEKLY, BudgetPeriod.MONTHLY]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(st.sampled_from(NATURAL), st.sampled_from(ZONES), INSTANTS)
@example(BudgetPeriod.DAILY, "America/St_Johns", utc("2006-10-29T02:45"))
@example(BudgetPeriod.DAILY, "Pacific/Apia", utc("2011-12-30T10:30"))
@example(BudgetPeriod.MONTHLY, "Pacific/Kwajalein", utc("1993-08-21T12:00"))
def test_periods_hold_their_instant_and_meet(period: BudgetPeriod, zone: str, at: datetime) -> None:
    current = natural_period(period, zone, at)
    assert current.end is not None
    assert current.start <= at < current.end
    following = natural_period(period, zone, current.end)
    assert following.start == current.end
    before = natural_period(period, zone, current.start - timedelta(microseconds=1))
    assert before.end == current.start
    assert natural_period(period, zone, current.end - timedelta(microseconds=1)) == current


@pytest.mark.parametrize(
    ("zone", "at", "start", "end"),
    [
        ("UTC", "2026-03-08T12:00", "2026-03-08T00:00", "2026-03-09T00:00"),
        # 23 and 25 hours.
        ("America/New_York", "2026-03-08T12:00", "2026-03-08T05:00", "2026-03-09T04:00"),
        ("America/New_York", "2026-11-01T12:00", "2026-11-01T04:00", "2026-11-02T05:00"),
        # Midnight does not exist: the day begins at 01:00 on the clock.
        ("America/Sao_Paulo", "2018-11-04T12:00", "2018-11-04T03:00", "2018-11-05T02:00"),
        ("Africa/Cairo", "2024-04-26T12:00", "2024-04-25T22:00", "2024-04-26T21:00"),
        ("Asia/Beirut", "2024-03-31T12:00", "2024-03-30T22:00", "2024-03-31T21:00"),
        # The hour before midnight happens twice: 25 hours.
        ("America/Sao_Paulo", "2018-02-18T00:00", "2018-02-17T02:00", "2018-02-18T03:00"),
        ("Africa/Cairo", "2023-10-26T12:00", "2023-10-25T21:00", "2023-10-26T22:00"),
        # Midnight happens twice: the day begins at the first.
        ("America/Havana", "2025-11-02T12:00", "2025-11-02T04:00", "2025-11-03T05:00"),
        # One minute after midnight the clocks went back to the evening: it is the new day still.
        ("America/St_Johns", "2006-10-29T02:45", "2006-10-29T02:30", "2006-10-30T03:30"),
        # A date that was skipped whole.
        ("Pacific/Apia", "2011-12-30T10:00", "2011-12-30T10:00", "2011-12-31T10:00"),
    ],
)
def test_days(zone: str, at: str, start: str, end: str) -> None:
    assert natural_period(BudgetPeriod.DAILY, zone, utc(at)) == Period(utc(start), utc(end))


@pytest.mark.parametrize(
    ("period", "at", "start", "end"),
    [
        (BudgetPeriod.WEEKLY, "2026-11-22T22:59", "2026-11-15T23:00", "2026-11-22T23:00"),
        (BudgetPeriod.WEEKLY, "2026-11-22T23:00", "2026-11-22T23:00", "2026-11-29T23:00"),
        (BudgetPeriod.MONTHLY, "2028-02-29T12:00", "2028-01-31T23:00", "2028-02-29T23:00"),
        (BudgetPeriod.MONTHLY, "2027-02-28T23:00", "2027-02-28T23:00", "2027-03-31T22:00"),
        (BudgetPeriod.MONTHLY, "2026-12-31T23:00", "2026-12-31T23:00", "2027-01-31T23:00"),
    ],
)
def test_weeks_begin_on_monday_and_months_on_the_first(
    period: BudgetPeriod, at: str, start: str, end: str
) -> None:
    assert natural_period(period, "Europe/Berlin", utc(at)) == Period(utc(start), utc(end))


def test_a_reset_begins_a_new_period_with_the_same_end() -> None:
    reset = utc("2026-11-20T10:00")
    daily = budget(period=BudgetPeriod.DAILY, reset_at_last=reset)
    midnight, next_midnight = utc("2026-11-20T00:00"), utc("2026-11-21T00:00")
    assert period_of(daily, reset) == Period(reset, next_midnight)
    assert period_of(daily, reset - timedelta(seconds=1)) == Period(midnight, next_midnight)
    assert period_of(daily, next_midnight).start == next_midnight


def test_a_total_period_has_no_end() -> None:
    total: Budget = budget(period=BudgetPeriod.TOTAL, created_at=utc("2026-01-01T00:00"))
    assert period_of(total, utc("2036-01-01T00:00")) == Period(utc("2026-01-01T00:00"), None)
    again = budget(period=BudgetPeriod.TOTAL, reset_at_last=utc("2026-06-01T00:00"))
    assert period_of(again, utc("2036-01-01T00:00")) == Period(utc("2026-06-01T00:00"), None)


def test_days_of_a_zone_end_with_today() -> None:
    assert day_beginnings("Europe/Berlin", utc("2026-03-29T22:30"), 3) == [
        (date(2026, 3, 28), utc("2026-03-27T23:00")),
        (date(2026, 3, 29), utc("2026-03-28T23:00")),
        (date(2026, 3, 30), utc("2026-03-29T22:00")),
    ]
