"""The slots of a day, in zones whose clocks change and in those whose do not."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dawr.appointments.rules_schedule import (
    GRAIN,
    InvalidSchedule,
    Leave,
    Reason,
    Schedule,
    Slot,
    Window,
    cells,
    cleaned,
    covers,
    read_window,
    shown_window,
    slots_on,
)
from dawr.facilities.rules import WEEKDAYS, Facility
from dawr.facilities.rules_settings import fresh_facility

ZONES = ("Europe/Berlin", "Asia/Kolkata", "America/Sao_Paulo", "Africa/Casablanca", "Australia/Lord_Howe", "Asia/Qatar")
CLOCKS = st.builds(time, st.integers(0, 23), st.sampled_from(range(0, 60, 5)))
# With the days on which clocks change in some of these zones, also in the past, where Brazil's still did.
DAYS = st.one_of(
    st.dates(date(2017, 1, 1), date(2030, 12, 31)),
    st.sampled_from([date(2026, 3, 29), date(2026, 10, 25), date(2018, 11, 4), date(2018, 2, 17), date(2026, 4, 5)]),
)
LENGTHS = st.sampled_from([5, 10, 15, 20, 30, 45, 60, 90])


def house(zone: str) -> Facility:
    return replace(fresh_facility(uuid4(), "house"), zone=zone, pivot=time(5))


def every_day(opens: time, closes: time, slot: int = 15) -> Schedule:
    return Schedule("dana", tuple(Window(opens, closes, slot, weekday=day) for day in WEEKDAYS))


def slots(zone: str, schedule: Schedule, day: date, *leaves: Leave) -> list[Slot]:
    return slots_on(house(zone), schedule, leaves, day)


def clocks(zone: str, found: list[Slot]) -> list[str]:
    return [one.starts.astimezone(ZoneInfo(zone)).strftime("%H:%M") for one in found]


def away(first: datetime, last: datetime) -> Leave:
    return Leave(uuid4(), "dana", first, last, Reason.VACATION)


@given(st.sampled_from(ZONES), CLOCKS, CLOCKS, LENGTHS, DAYS)
def test_slots_never_overlap_and_last_their_time(zone: str, opens: time, closes: time, slot: int, day: date) -> None:
    found = slots(zone, every_day(opens, closes, slot), day)
    assert all(one.ends - one.starts == timedelta(minutes=slot) for one in found)
    assert all(one.ends <= after.starts for one, after in pairwise(found))
    assert all(one.starts.astimezone(ZoneInfo(zone)).date() == day for one in found)


@given(st.sampled_from(ZONES), CLOCKS, CLOCKS, LENGTHS, DAYS)
def test_every_start_is_a_time_that_the_clocks_show(zone: str, opens: time, closes: time, slot: int, day: date) -> None:
    for one in slots(zone, every_day(opens, closes, slot), day):
        local = one.starts.astimezone(ZoneInfo(zone))
        assert local.astimezone(UTC) == one.starts
        assert opens <= local.time() < closes or closes <= opens


@given(st.sampled_from(ZONES), LENGTHS, DAYS)
def test_round_the_clock_is_the_whole_day_however_long_it_is(zone: str, slot: int, day: date) -> None:
    tz = ZoneInfo(zone)
    ends = [datetime.combine(one, time(), tz).astimezone(UTC) for one in (day, day + timedelta(days=1))]
    found = slots(zone, every_day(time(0), time(0), slot), day)
    assert len(found) in {(ends[1] - ends[0]) // timedelta(minutes=slot) + extra for extra in (-1, 0, 1)}


def test_the_hour_that_does_not_exist_has_no_slots() -> None:
    found = slots("Europe/Berlin", every_day(time(1), time(4), 30), date(2026, 3, 29))
    assert clocks("Europe/Berlin", found) == ["01:00", "01:30", "03:00", "03:30"]


def test_the_hour_that_comes_twice_has_each_of_its_slots_twice() -> None:
    found = slots("Europe/Berlin", every_day(time(1), time(4), 30), date(2026, 10, 25))
    assert clocks("Europe/Berlin", found) == ["01:00", "01:30", "02:00", "02:30", "02:00", "02:30", "03:00", "03:30"]
    assert len({one.starts for one in found}) == 8


def test_nine_is_nine_in_summer_and_in_winter() -> None:
    for day in (date(2026, 1, 12), date(2026, 7, 13)):
        assert clocks("Europe/Berlin", slots("Europe/Berlin", every_day(time(9), time(10)), day))[0] == "09:00"


def test_half_an_hour_of_offset_is_kept() -> None:
    found = slots("Asia/Kolkata", every_day(time(9), time(17)), date(2026, 11, 23))
    assert (len(found), found[0].starts) == (32, datetime(2026, 11, 23, 3, 30, tzinfo=UTC))


def test_a_window_over_midnight_belongs_to_the_day_on_which_each_slot_begins() -> None:
    late = Schedule("dana", (Window(time(23), time(1), 30, weekday="mon"),))
    assert clocks("Asia/Qatar", slots("Asia/Qatar", late, date(2026, 11, 23))) == ["23:00", "23:30"]
    assert clocks("Asia/Qatar", slots("Asia/Qatar", late, date(2026, 11, 24))) == ["00:00", "00:30"]


def test_what_is_left_of_a_window_is_no_slot() -> None:
    assert clocks("Asia/Qatar", slots("Asia/Qatar", every_day(time(9), time(10), 25), date(2026, 11, 23))) == [
        "09:00",
        "09:25",
    ]


def test_a_window_holds_between_its_days() -> None:
    window = Window(time(9), time(10), 60, weekday="mon", valid_from=date(2026, 11, 23), valid_until=date(2026, 11, 30))
    days = [date(2026, 11, 16), date(2026, 11, 23), date(2026, 11, 30), date(2026, 12, 7)]
    assert [len(slots("Asia/Qatar", Schedule("dana", (window,)), day)) for day in days] == [0, 1, 1, 0]


def test_leave_takes_every_slot_that_it_touches() -> None:
    leave = away(datetime(2026, 11, 23, 6, 10, tzinfo=UTC), datetime(2026, 11, 23, 6, 20, tzinfo=UTC))
    found = slots("Asia/Qatar", every_day(time(9), time(10)), date(2026, 11, 23), leave)
    assert clocks("Asia/Qatar", found) == ["09:30", "09:45"]
    cancelled = replace(leave, cancelled_at=datetime(2026, 11, 22, tzinfo=UTC))
    assert len(slots("Asia/Qatar", every_day(time(9), time(10)), date(2026, 11, 23), cancelled)) == 4


def test_an_extra_opening_adds_only_what_is_not_there() -> None:
    extra = Window(time(9, 30), time(11), 30, day=date(2026, 11, 23))
    both = replace(every_day(time(9), time(10), 20), extra=(extra,))
    assert clocks("Asia/Qatar", slots("Asia/Qatar", both, date(2026, 11, 23))) == [
        *("09:00", "09:20", "09:40", "10:00", "10:30")
    ]
    assert len(slots("Asia/Qatar", both, date(2026, 11, 24))) == 3


@given(st.integers(0, 10**6), st.integers(1, 500))
def test_two_spans_that_overlap_share_a_cell(begin: int, length: int) -> None:
    starts = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=begin)
    ends = starts + timedelta(minutes=length)
    found = cells(starts, ends)
    assert found[0] <= starts < found[0] + GRAIN
    assert found[-1] < ends <= found[-1] + GRAIN
    assert set(found) & set(cells(ends - timedelta(minutes=1), ends + GRAIN))


def test_neighbouring_slots_share_none() -> None:
    found = slots("Asia/Kolkata", every_day(time(9), time(17), 5), date(2026, 11, 23))
    every = [cell for one in found for cell in cells(one.starts, one.ends)]
    assert len(every) == len(set(every)) == 96


def test_the_doctor_is_there_through_windows_that_follow_each_other() -> None:
    two = Schedule(
        "dana", (Window(time(9), time(10), 15, weekday="mon"), Window(time(10), time(11), 20, weekday="mon"))
    )
    span = (datetime(2026, 11, 23, 6, 45, tzinfo=UTC), datetime(2026, 11, 23, 7, 15, tzinfo=UTC))
    assert covers(house("Asia/Qatar"), two, (), span, "lab")
    assert not covers(house("Asia/Qatar"), two, (away(span[1] - GRAIN, span[1]),), span, "lab")
    assert not covers(house("Asia/Qatar"), replace(two, windows=two.windows[:1]), (), span, "lab")


SOUND = Window(time(9), time(17), 15, weekday="mon")


@pytest.mark.parametrize(
    "wrong",
    [
        replace(SOUND, slot_minutes=7),
        replace(SOUND, opens=time(9, 3)),
        replace(SOUND, slot_minutes=0),
        replace(SOUND, slot_minutes=600),
        replace(SOUND, capacity=0),
        replace(SOUND, clinic="elsewhere"),
        replace(SOUND, valid_from=date(2026, 2, 1), valid_until=date(2026, 1, 1)),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(wrong: Window) -> None:
    assert cleaned([SOUND], [], clinics=["lab"]) == (SOUND,)
    with pytest.raises(InvalidSchedule):
        cleaned([wrong], [], clinics=["lab"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SOUND, replace(SOUND, opens=time(16, 55), closes=time(18))),
        (replace(SOUND, weekday="sun", opens=time(22), closes=time(2)), replace(SOUND, opens=time(1))),
        (replace(SOUND, valid_until=date(2026, 5, 1)), replace(SOUND, valid_from=date(2026, 5, 1))),
    ],
)
def test_windows_that_meet_are_refused(one: Window, other: Window) -> None:
    with pytest.raises(InvalidSchedule):
        cleaned([one, other], [], clinics=[])


def test_windows_that_hold_one_after_the_other_may_be_alike() -> None:
    first, second = replace(SOUND, valid_until=date(2026, 5, 1)), replace(SOUND, valid_from=date(2026, 5, 10))
    assert len(cleaned([second, first], [], clinics=[])) == 2


@given(CLOCKS, CLOCKS, LENGTHS, st.none() | DAYS, st.none() | DAYS)
def test_a_window_is_read_as_it_is_shown(
    opens: time, closes: time, slot: int, first: date | None, last: date | None
) -> None:
    weekly = Window(opens, closes, slot, 2, weekday="tue", clinic="lab", valid_from=first, valid_until=last)
    once = Window(opens, closes, slot, day=first or date(2026, 1, 1))
    assert [read_window(shown_window(one)) for one in (weekly, once)] == [weekly, once]
