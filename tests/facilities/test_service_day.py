"""The service day: turned at the pivot, in the facility's own zone, through every change of the clocks."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dawr.facilities.rules import Facility
from dawr.facilities.rules_settings import changed_facility, fresh_facility

# Gaps and folds at one, two and three o'clock, at midnight and over it, of half an hour; a day that never was.
ZONES = [
    "Asia/Qatar",
    "Asia/Kolkata",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Nuuk",
    "Asia/Beirut",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Antarctica/Troll",
]
PIVOTS = st.times(max_value=time(23, 59)).map(lambda at: at.replace(second=0, microsecond=0))
INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def facility(zone: str, pivot: time) -> Facility:
    settings = {"name": {"en": "Test"}, "zone": zone, "pivot": pivot}
    return changed_facility(fresh_facility(UUID(int=1), "test"), settings)  # type: ignore[arg-type]


@given(zone=st.sampled_from(ZONES), pivot=PIVOTS, now=INSTANTS)
@example(zone="America/New_York", pivot=time(2, 30), now=datetime(2026, 3, 8, 7, 10, tzinfo=UTC))
@example(zone="America/New_York", pivot=time(1, 30), now=datetime(2026, 11, 1, 6, 10, tzinfo=UTC))
@example(zone="America/Sao_Paulo", pivot=time(0), now=datetime(2018, 11, 4, 3, 0, tzinfo=UTC))
@example(zone="Pacific/Apia", pivot=time(5), now=datetime(2011, 12, 30, 13, 0, tzinfo=UTC))
def test_every_instant_lies_in_its_service_day(zone: str, pivot: time, now: datetime) -> None:
    place = facility(zone, pivot)
    day = place.service_day(now)
    assert place.day_start(day) <= now < place.day_start(day + timedelta(days=1))


@given(zone=st.sampled_from(ZONES), pivot=PIVOTS, now=INSTANTS, later=st.timedeltas(timedelta(), timedelta(days=3)))
@example("America/St_Johns", time(0), datetime(2010, 11, 7, 2, 30, 30, tzinfo=UTC), timedelta(minutes=30))
@example("Asia/Beirut", time(23, 30), datetime(2026, 10, 24, 20, 40, tzinfo=UTC), timedelta(hours=1))
def test_the_service_day_never_goes_back(zone: str, pivot: time, now: datetime, later: timedelta) -> None:
    place = facility(zone, pivot)
    assert place.service_day(now) <= place.service_day(now + later)


@given(zone=st.sampled_from(ZONES), pivot=PIVOTS, day=st.dates(date(2000, 1, 2), date(2035, 1, 1)))
def test_a_day_starts_at_its_pivot_where_the_clocks_show_it(zone: str, pivot: time, day: date) -> None:
    start = facility(zone, pivot).day_start(day).astimezone(ZoneInfo(zone))
    wanted = datetime.combine(day, pivot, tzinfo=ZoneInfo(zone))
    exists = wanted.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wanted.replace(tzinfo=None)
    assert start.replace(tzinfo=None) >= wanted.replace(tzinfo=None)
    assert not exists or start.replace(tzinfo=None) == wanted.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-11-21T01:59:59+00:00", date(2026, 11, 20)),
        ("2026-11-21T02:00:00+00:00", date(2026, 11, 21)),
        ("2026-11-21T21:30:00+00:00", date(2026, 11, 21)),
        ("2026-11-22T01:59:59.999999+00:00", date(2026, 11, 21)),
    ],
)
def test_before_five_in_qatar_it_is_still_yesterday(now: str, day: date) -> None:
    assert facility("Asia/Qatar", time(5)).service_day(datetime.fromisoformat(now)) == day


def test_a_pivot_in_a_gap_begins_when_the_gap_ends() -> None:
    start = facility("America/New_York", time(2, 30)).day_start(date(2026, 3, 8))
    assert start == datetime(2026, 3, 8, 7, 0, tzinfo=UTC)


def test_of_a_pivot_that_comes_twice_the_first_counts() -> None:
    start = facility("Europe/Berlin", time(2, 30)).day_start(date(2026, 10, 25))
    assert start == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
