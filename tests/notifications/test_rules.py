"""The rules, pure: what a rule may be, quiet hours, deadlines, pauses, masks."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dawr.notifications.rules import (
    HOUSE_RULES,
    Audience,
    InvalidRule,
    Moment,
    Quiet,
    Rule,
    checked,
    is_near,
    masked,
    out_of_quiet,
    pause_after,
    worth_until,
)

CHANNELS = ("inbox", "sms", "email", "push", "whatsapp")
SMS: dict[str, Any] = {"moment": Moment.NEAR, "audience": Audience.PATIENT, "channel": "sms"}
NOON = datetime(2026, 11, 21, 9, tzinfo=UTC)
"""Noon in Qatar."""


def test_the_houses_own_rules_hold_together() -> None:
    assert checked(HOUSE_RULES.rules, CHANNELS) == HOUSE_RULES.rules


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"channel": "pigeon"}, "channel"),
        ({"channel": "inbox"}, "channel"),
        ({"audience": Audience.RECEPTION}, "channel"),
        ({"audience": Audience.RECEPTION, "channel": "inbox"}, "audience"),
        ({"moment": Moment.VISIT_CREATED}, "moment"),
        ({"template": "near_and_dear"}, "template"),
        ({"ahead": 0}, "ahead"),
        ({"ahead": 51}, "ahead"),
        ({"minutes": 241}, "minutes"),
        ({"moment": Moment.NEXT, "ahead": 2}, "ahead"),
        ({"moment": Moment.YOUR_TURN, "quiet": True}, "quiet"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_the_part_that_is_wrong(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRule) as refused:
        checked([Rule(**(SMS | wrong))], CHANNELS)
    assert refused.value.extra == {"field": field}


def test_the_same_rule_twice_is_refused() -> None:
    with pytest.raises(InvalidRule):
        checked([Rule(**SMS, ahead=2), Rule(**SMS, ahead=3)], CHANNELS)


@pytest.mark.parametrize(
    ("ahead", "minutes", "near"),
    [(1, None, True), (3, 99, True), (4, 11, False), (4, 10, True), (4, None, False), (0, 0, False)],
)
def test_near_is_by_number_or_by_minutes_and_the_next_is_more_than_near(
    ahead: int, minutes: int | None, near: bool
) -> None:
    assert is_near(Rule(**SMS, ahead=3, minutes=10), ahead=ahead, minutes=minutes) is near


def quiet(due: datetime, *, worth: datetime, now: datetime = NOON, zone: str = "Asia/Qatar") -> datetime | None:
    return out_of_quiet(due, Quiet(time(21), time(8)), zone, worth_until=worth, now=now)


def test_by_day_nothing_is_put_off() -> None:
    assert quiet(NOON, worth=NOON + timedelta(days=1)) == NOON


def test_what_would_come_at_night_comes_when_the_night_is_over() -> None:
    night = NOON + timedelta(hours=11)
    assert quiet(night, worth=NOON + timedelta(days=1)) == datetime(2026, 11, 22, 5, tzinfo=UTC)


def test_a_reminder_of_an_early_appointment_comes_before_the_night() -> None:
    early = datetime(2026, 11, 22, 5, 30, tzinfo=UTC)
    assert quiet(NOON + timedelta(hours=11), worth=early) == datetime(2026, 11, 21, 17, 55, tzinfo=UTC)


def test_where_it_is_night_already_and_soon_too_late_nothing_comes() -> None:
    night = NOON + timedelta(hours=11)
    assert quiet(night, worth=datetime(2026, 11, 22, 5, 30, tzinfo=UTC), now=night) is None


def test_a_night_in_which_the_clocks_change_ends_on_the_wall_clock() -> None:
    before = datetime(2026, 3, 28, 22, tzinfo=UTC)
    moved = quiet(before, worth=before + timedelta(days=1), now=before, zone="Europe/Berlin")
    assert moved == datetime(2026, 3, 29, 6, tzinfo=UTC)


@given(st.integers(0, 2 * 365 * 24 * 60), st.sampled_from(["Asia/Kolkata", "Europe/Berlin"]))
def test_nothing_that_can_wait_is_sent_in_quiet_hours(minutes: int, zone: str) -> None:
    due = NOON - timedelta(minutes=minutes)
    moved = quiet(due, worth=due + timedelta(days=2), now=due, zone=zone)
    assert moved is not None
    assert quiet(moved, worth=due + timedelta(days=3), now=moved, zone=zone) == moved
    assert timedelta() <= moved - due <= timedelta(hours=12)


def test_how_long_a_message_is_worth_sending() -> None:
    assert worth_until(Moment.YOUR_TURN, NOON) - NOON == timedelta(minutes=10)
    start = NOON + timedelta(days=3)
    assert worth_until(Moment.APPOINTMENT_REMINDER, NOON, start=start) == start


@given(st.integers(1, 100), st.floats(0, 1))
def test_pauses_grow_are_spread_and_end_somewhere(tries: int, share: float) -> None:
    assert pause_after(tries, share=0) <= pause_after(tries, share=share) <= pause_after(tries, share=1) <= 600
    assert pause_after(tries, share=0) * 2 == pause_after(tries, share=1)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("+97455504321", "•••• 4321"),
        ("5550 4321", "•••• 4321"),
        ("1234", "••••"),
        ("amina.noor@example.org", "a•••@example.org"),
        ("0192f6d0-1111-7222-8333-444444444444", "••••"),
        ("https://push.example/abc12345678", "••••"),
    ],
)
def test_of_an_address_only_the_end_is_shown(address: str, shown: str) -> None:
    assert masked(address) == shown
