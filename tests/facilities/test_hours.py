"""Opening hours: what may be written, and when a clinic with them is open, over midnight too."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dawr.facilities.rules import WEEKDAYS, Clinic, Hours, InvalidHours, State
from dawr.facilities.rules_settings import clean_hours, fresh_clinic

QATAR = "Asia/Qatar"
MONDAY = datetime(2026, 11, 23, tzinfo=ZoneInfo(QATAR))
CLOCKS = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02d}:{minute % 60:02d}")
OPENINGS = st.lists(st.lists(CLOCKS, min_size=2, max_size=2), max_size=3)
WEEKS = st.dictionaries(st.sampled_from(WEEKDAYS), OPENINGS, min_size=1)
# Openings that begin and end in turns overlap with none of their day.
IN_TURNS = st.lists(st.integers(0, 24 * 60 - 1), min_size=2, max_size=6, unique=True).map(
    lambda minutes: [
        [f"{minute // 60:02d}:{minute % 60:02d}" for minute in pair]
        for pair in zip(sorted(minutes)[::2], sorted(minutes)[1::2], strict=False)
    ]
)
APART = st.dictionaries(st.sampled_from(WEEKDAYS), IN_TURNS, min_size=1)


def clinic(hours: Hours | None, **changes: Any) -> Clinic:
    return replace(fresh_clinic(UUID(int=1), "lab"), hours=clean_hours(hours), **changes)


def minutes_of(week: Hours) -> list[int]:
    """Every minute of the week that an opening covers, as often as one does: the plainest way to say it."""
    covered = []
    for day, openings in week.items():
        for start, end in openings:
            minute, last = _minute(start), _minute(end)
            length = (last - minute - 1) % 1440 + 1
            covered += [(WEEKDAYS.index(day) * 1440 + minute + n) % 10080 for n in range(length)]
    return covered


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


@given(week=WEEKS)
def test_hours_are_taken_exactly_where_no_two_openings_overlap(week: dict[str, list[list[str]]]) -> None:
    covered = minutes_of(week)
    assume(covered)
    if len(covered) == len(set(covered)):
        assert sorted(minutes_of(clean_hours(week) or {})) == sorted(covered)
    else:
        with pytest.raises(InvalidHours):
            clean_hours(week)


@given(week=st.one_of(APART, WEEKS), minute=st.integers(0, 7 * 1440 - 1))
def test_a_clinic_is_open_in_the_minutes_its_openings_cover(week: dict[str, list[list[str]]], minute: int) -> None:
    covered = minutes_of(week)
    assume(covered and len(covered) == len(set(covered)))
    now = (MONDAY + timedelta(minutes=minute, seconds=30)).astimezone(UTC)
    assert clinic(week).is_open(now, QATAR) == (minute in covered)


def test_sunday_night_goes_on_into_monday() -> None:
    night = clinic({"sun": [["22:00", "02:00"]]})
    assert night.is_open(MONDAY + timedelta(hours=1, minutes=59), QATAR)
    assert not night.is_open(MONDAY + timedelta(hours=2), QATAR)


def test_an_opening_from_midnight_to_midnight_is_the_whole_day() -> None:
    monday = clinic({"mon": [["00:00", "00:00"]]})
    assert [monday.is_open(MONDAY + timedelta(hours=hours), QATAR) for hours in (-1, 0, 23, 24)] == [
        False,
        True,
        True,
        False,
    ]


def test_hours_follow_the_clock_on_the_wall_through_a_clock_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    early = clinic({"sun": [["08:00", "09:00"]]})
    winter, summer = (
        datetime(2026, 3, 22, 8, 30, tzinfo=berlin).astimezone(UTC),
        datetime(2026, 3, 29, 8, 30, tzinfo=berlin).astimezone(UTC),
    )
    assert summer - winter == timedelta(days=7, hours=-1)
    assert early.is_open(winter, "Europe/Berlin")
    assert early.is_open(summer, "Europe/Berlin")


def test_openings_are_kept_in_order_and_empty_days_left_out() -> None:
    given_hours = {"tue": [], "mon": [["14:00", "18:00"], ["08:00", "12:00"]]}
    assert clean_hours(given_hours) == {"mon": [["08:00", "12:00"], ["14:00", "18:00"]]}


@pytest.mark.parametrize(
    "hours",
    [
        {},
        {"mon": []},
        {"monday": [["08:00", "12:00"]]},
        {"mon": [["8:00", "12:00"]]},
        {"mon": [["08:00", "24:00"]]},
        {"mon": [["08:00"]]},
        {"mon": [["08:00", "12:00", "13:00"]]},
        {"mon": [["08:00", "12:00"], ["11:59", "13:00"]]},
        {"sun": [["22:00", "02:00"]], "mon": [["01:00", "03:00"]]},
        {"mon": [["00:00", "00:00"], ["08:00", "09:00"]]},
        {"mon": [[f"{hour:02d}:00", f"{hour:02d}:30"] for hour in range(7)]},
    ],
)
def test_hours_that_make_no_sense_are_refused(hours: dict[str, list[list[str]]]) -> None:
    with pytest.raises(InvalidHours) as refused:
        clean_hours(hours)
    assert refused.value.extra == {"field": "hours"}


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, State.OPEN),
        ({"paused": True}, State.PAUSED),
        ({"closed": True, "paused": True}, State.CLOSED),
    ],
)
def test_closed_outweighs_paused(changes: dict[str, bool], state: State) -> None:
    assert clinic(None, **changes).state(MONDAY, QATAR) is state


def test_a_paused_clinic_is_closed_out_of_hours() -> None:
    assert clinic({"tue": [["08:00", "12:00"]]}, paused=True).state(MONDAY, QATAR) is State.CLOSED
