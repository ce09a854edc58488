"""The turn of the service day: 05:00 in Asia/Qatar, and what a clock can do to it."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from dawr.accounts.rules import SYSTEM
from dawr.facilities import queries as facilities
from dawr.facilities.commands import archive_clinic
from dawr.facilities.rules import Facility
from dawr.tickets import jobs, queries, queries_days
from dawr.tickets.rules import Priority, Status, Ticket, Verb, WrongState
from tests.conftest import House
from tests.tickets.conftest import Floor

MINUTE = timedelta(minutes=1)
NIGHT_CLOSED = {day: [["08:00", "22:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
OPENS_AT_SIX = {day: [["06:00", "22:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


@pytest.fixture
def pivot(house: House) -> datetime:
    """The next turn of the service day."""
    return house.facility.day_start(house.facility.service_day(house.clock.now()) + timedelta(days=1))


# At the very minute


async def test_the_day_begins_at_five_to_the_microsecond(house: House) -> None:
    start = datetime(2026, 11, 21, 5, tzinfo=ZoneInfo("Asia/Qatar")).astimezone(UTC)
    assert house.facility.service_day(start) == date(2026, 11, 21)
    assert house.facility.service_day(start - timedelta(microseconds=1)) == date(2026, 11, 20)


async def test_a_minute_before_the_numbers_go_on_and_at_the_minute_they_begin(floor: Floor, pivot: datetime) -> None:
    floor.set_clock(pivot - MINUTE)
    late = [await floor.enter("a"), await floor.enter("b")]
    floor.set_clock(pivot)
    early = await floor.enter("c")
    assert [(one.number, one.service_day) for one in (*late, early)] == [
        (1, late[0].service_day),
        (2, late[0].service_day),
        (1, late[0].service_day + timedelta(days=1)),
    ]


async def test_people_coming_over_the_turn_at_once_share_no_number(floor: Floor, pivot: datetime) -> None:
    floor.set_clock(pivot - timedelta(milliseconds=30))
    tickets: list[Ticket] = []
    while not tickets or tickets[-1].service_day < floor.house.facility.service_day(pivot):
        users = [f"{len(tickets)}-{n}" for n in range(5)]
        tickets += sorted(await asyncio.gather(*map(floor.enter, users)), key=lambda one: one.entered_at)
    assert len({(one.service_day, one.number) for one in tickets}) == len(tickets)


async def test_the_turn_is_recorded_once_however_many_see_it(floor: Floor, pivot: datetime) -> None:
    await floor.enter("amina")
    floor.set_clock(pivot)
    await asyncio.gather(*(floor.turn() for _ in range(5)), floor.enter("x"), floor.call())
    assert [one.type for one in await floor.log()].count("service_day_turned") == 1


# Carried over


async def test_who_waited_over_the_turn_is_first_and_marked(floor: Floor, house: House, pivot: datetime) -> None:
    floor.set_clock(pivot - MINUTE)
    yesterday = await floor.enter("amina")
    floor.set_clock(pivot + MINUTE)
    await floor.enter("today")
    await floor.enter("preferred", actor=house.rui, priority=Priority.PRIORITY)
    assert await floor.waiting() == [f"LAB-001/{yesterday.service_day.day:02d}", "LAB-002", "LAB-001"]
    assert (await floor.view(yesterday.id)).answer()["order"] == {"placed": "arrival", "carried": True}


async def test_the_mark_is_on_every_screen_and_in_every_event(floor: Floor, pivot: datetime) -> None:
    ticket = await floor.called("amina")
    floor.set_clock(pivot)
    await floor.move(ticket, Verb.SERVE)
    shown = f"LAB-001/{ticket.service_day.day:02d}"
    assert (await floor.status()).serving == ((shown, "1"),)
    assert (await floor.view(ticket.id)).answer()["code"] == shown
    assert (await floor.log())[-1].data["code"] == shown


async def test_the_same_person_keeps_the_ticket_carried_over(floor: Floor, pivot: datetime) -> None:
    ticket = await floor.enter("amina")
    floor.set_clock(pivot + MINUTE)
    assert await floor.enter_or_find("amina") == (ticket, True)


async def test_the_counts_begin_anew_with_the_day(floor: Floor, pivot: datetime) -> None:
    await floor.in_state("amina", Status.DONE)
    await floor.in_state("second", Status.NO_SHOW)
    floor.set_clock(pivot)
    await floor.turn()
    found = await floor.status()
    assert (found.done, found.gone, found.last_number, found.series) == (0, 0, 0, 1)


async def test_whoever_was_carried_over_and_is_done_counts_today(floor: Floor, pivot: datetime) -> None:
    ticket = await floor.called("amina")
    floor.set_clock(pivot)
    await floor.move(ticket, Verb.DONE)
    assert (await floor.status()).done == 1


# Expired


async def test_in_a_closed_clinic_they_stay_for_the_grace_and_expire_then(
    floor: Floor, house: House, pivot: datetime
) -> None:
    tickets = [await floor.in_state(f"p-{one}", one) for one in (Status.WAITING, Status.CALLED, Status.HELD)]
    await house.change_clinic("lab", hours=NIGHT_CLOSED)
    floor.set_clock(pivot + timedelta(hours=2) - MINUTE)
    await floor.turn()
    assert {(await floor.ticket(one.id)).status for one in tickets} == {Status.WAITING, Status.CALLED, Status.HELD}
    floor.set_clock(pivot + timedelta(hours=2))
    await floor.turn()
    assert {(await floor.ticket(one.id)).status for one in tickets} == {Status.EXPIRED}


async def test_within_the_grace_they_can_still_be_called(floor: Floor, house: House, pivot: datetime) -> None:
    ticket = await floor.enter("amina")
    await house.change_clinic("lab", hours=NIGHT_CLOSED)
    floor.set_clock(pivot + MINUTE)
    assert (await floor.call()).id == ticket.id


async def test_who_waited_in_vain_yesterday_and_comes_today_gets_todays_number(
    floor: Floor, house: House, pivot: datetime
) -> None:
    yesterday = await floor.enter("amina")
    await house.change_clinic("lab", hours=OPENS_AT_SIX)
    floor.set_clock(pivot + timedelta(minutes=61))
    today = await floor.enter("amina")
    assert (today.number, today.service_day - yesterday.service_day) == (1, timedelta(days=1))
    assert (await floor.ticket(yesterday.id)).status is Status.EXPIRED


async def test_who_is_being_served_over_the_turn_keeps_the_ticket(floor: Floor, house: House, pivot: datetime) -> None:
    serving = await floor.in_state("amina", Status.SERVING)
    await house.change_clinic("lab", hours=OPENS_AT_SIX)
    floor.set_clock(pivot + timedelta(minutes=61))
    assert (await floor.enter_or_find("amina"))[1] is True
    assert (await floor.ticket(serving.id)).status is Status.SERVING


async def test_only_people_of_earlier_days_expire(floor: Floor, house: House, pivot: datetime) -> None:
    await floor.enter("yesterday")
    await house.change_clinic("lab", hours=OPENS_AT_SIX)
    floor.set_clock(pivot + timedelta(hours=1, minutes=30))
    today = await floor.enter("today")
    floor.set_clock(pivot + timedelta(hours=3))
    await floor.turn()
    assert await floor.waiting() == [today.code]


async def test_who_expired_is_gone_today_and_may_come_again(floor: Floor, house: House, pivot: datetime) -> None:
    await floor.enter("amina")
    await house.change_clinic("lab", hours=OPENS_AT_SIX)
    floor.set_clock(pivot + timedelta(hours=3))
    await floor.turn()
    assert (await floor.status()).gone == 1
    assert (await floor.enter("amina")).number == 1


async def test_a_clinic_open_at_the_turn_carries_over_for_the_whole_day(
    floor: Floor, house: House, pivot: datetime
) -> None:
    await floor.enter("amina")
    floor.set_clock(pivot)
    await floor.turn()
    await house.change_clinic("lab", hours=NIGHT_CLOSED)
    floor.set_clock(pivot + timedelta(hours=20))
    await floor.turn()
    assert len(await floor.waiting()) == 1


async def test_the_house_turns_its_queues_where_nobody_asks(floor: Floor, house: House, pivot: datetime) -> None:
    ticket = await floor.enter("amina")
    await house.change_clinic("lab", hours=NIGHT_CLOSED)
    floor.set_clock(pivot)
    await jobs.turn_service_days(house.services)
    assert (await floor.status()).service_day == ticket.service_day + timedelta(days=1)
    floor.set_clock(pivot + timedelta(hours=3))
    await jobs.turn_service_days(house.services)
    assert (await floor.ticket(ticket.id)).status is Status.EXPIRED


async def test_an_archived_clinic_keeps_no_other_from_turning(floor: Floor, house: House, pivot: datetime) -> None:
    await floor.in_state("amina", Status.DONE)
    ticket = await floor.enter("second", clinic="xray")
    async with house.here().write() as tx:
        await archive_clinic(tx, SYSTEM, clinic="lab", open_tickets=None)
    floor.set_clock(pivot)
    await jobs.turn_service_days(house.services)
    assert (await floor.status("xray")).service_day == ticket.service_day + timedelta(days=1)


async def test_with_nothing_left_to_do_no_queue_is_due(floor: Floor, house: House, pivot: datetime) -> None:
    await floor.enter("amina")
    floor.set_clock(pivot)
    await jobs.turn_service_days(house.services)
    async with house.here().read() as tx:
        assert await queries_days.due_queues(tx, house.facility) == []


async def test_expired_while_somebody_finishes_is_one_of_both(floor: Floor, house: House, pivot: datetime) -> None:
    ticket = await floor.in_state("amina", Status.SERVING)
    await house.change_clinic("lab", hours=NIGHT_CLOSED)
    floor.set_clock(pivot + timedelta(hours=3))
    answers = await asyncio.gather(floor.turn(), floor.move(ticket, Verb.DONE), return_exceptions=True)
    assert all(not isinstance(one, Exception) or isinstance(one, WrongState) for one in answers)
    found = await floor.status()
    assert found.done + found.gone == 1


# Clocks


async def test_a_clock_set_back_over_the_turn_gives_no_number_twice(floor: Floor, pivot: datetime) -> None:
    tickets: list[Ticket] = []
    for minutes in (-2, 2, -2, 2, -2000, 2):
        floor.set_clock(pivot + minutes * MINUTE)
        tickets.append(await floor.enter(f"person-{len(tickets)}"))
    assert [(one.service_day - tickets[0].service_day).days for one in tickets] == [0, 1, 1, 1, 1, 1]
    assert [one.number for one in tickets] == [1, 1, 2, 3, 4, 5]


async def test_a_day_that_nobody_asked_about_is_skipped(floor: Floor, pivot: datetime) -> None:
    ticket = await floor.enter("amina")
    floor.set_clock(pivot + timedelta(days=3))
    assert ((await floor.enter("later")).service_day - ticket.service_day).days == 4
    assert [one.type for one in await floor.log()].count("service_day_turned") == 1


BERLIN = ("Europe/Berlin", time(2, 30))


def facility_in(house: House, zone: str, pivot: time) -> Facility:
    return replace(house.facility, zone=zone, pivot=pivot)


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2027-03-28T00:59:59", date(2027, 3, 27)),
        ("2027-03-28T01:00:00", date(2027, 3, 28)),
        ("2027-10-31T00:29:59", date(2027, 10, 30)),
        ("2027-10-31T00:30:00", date(2027, 10, 31)),
        ("2027-10-31T01:15:00", date(2027, 10, 31)),
        ("2027-10-31T01:45:00", date(2027, 10, 31)),
    ],
)
async def test_a_pivot_in_the_hour_that_the_clocks_skip_or_repeat(house: House, instant: str, day: date) -> None:
    berlin = facility_in(house, *BERLIN)
    assert berlin.service_day(datetime.fromisoformat(instant).replace(tzinfo=UTC)) == day


async def test_numbers_over_the_night_when_the_clocks_skip_the_pivot(house: House) -> None:
    floor = Floor(replace(house, facility=facility_in(house, *BERLIN)))
    seen = []
    for minute, user in enumerate(("a", "b", "c", "d")):
        floor.set_clock(datetime(2027, 3, 28, 0, 58, 30, tzinfo=UTC) + minute * MINUTE)
        seen.append(await floor.enter(user))
    assert [(one.service_day.day, one.number) for one in seen] == [(27, 1), (27, 2), (28, 1), (28, 2)]


async def test_the_hour_that_comes_twice_turns_the_day_once(house: House) -> None:
    floor = Floor(replace(house, facility=facility_in(house, *BERLIN)))
    for quarter in range(10):
        floor.set_clock(datetime(2027, 10, 31, 0, 5, tzinfo=UTC) + quarter * timedelta(minutes=15))
        await floor.enter(f"person-{quarter}")
    assert [one.type for one in await floor.log()].count("service_day_turned") == 1


async def test_status_before_the_first_ticket_names_the_present_day(floor: Floor, house: House) -> None:
    async with house.here().read() as tx:
        clinic = await facilities.clinic(tx, "lab")
        found = await queries.status(tx, house.facility, clinic)
    assert found.service_day == house.facility.service_day(house.clock.now())
