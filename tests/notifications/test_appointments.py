"""What becomes of an appointment is told to its patient, while it is so; a reminder in time and out of quiet hours."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from dawr.appointments import commands
from dawr.appointments.rules import Appointment
from dawr.notifications import jobs
from dawr.patients import commands as patients
from dawr.patients.rules import Identity
from tests.appointments.conftest import Practice
from tests.appointments.conftest import practice as practice
from tests.notifications.conftest import PHONE, Desk
from tests.tickets.conftest import Floor


@pytest.fixture
def floor(practice: Practice) -> Floor:
    """The clock is the practice's."""
    return Floor(practice.house)


async def reachable(desk: Desk) -> UUID:
    here = desk.house.here(desk.house.rui)
    async with here.write() as tx:
        return (await patients.create(tx, here, Identity(name="Amina", phones=(PHONE,), language="en"))).patient


async def happen(desk: Desk, one: Appointment, type_: str, **more: Any) -> None:
    """What the outbox does after the appointment's change."""
    payload = {"appointment": str(one.appointment), "type": type_} | more
    await jobs.appointment_event(desk.services, desk.house.facility.id, payload)


async def test_who_booked_is_told_when(desk: Desk, practice: Practice) -> None:
    one = await practice.book("10:00", patient=await reachable(desk))
    for _ in range(2):
        await happen(desk, one, "appointment_booked")
    assert [message.text for message in await desk.send()] == [
        "Test house: your appointment is on Mon, Mar 3 at 10:00 AM"
    ]


async def test_a_change_and_a_cancellation_are_told_and_what_they_overtook_is_not_sent(
    desk: Desk, practice: Practice
) -> None:
    one = await practice.book("10:00", patient=await reachable(desk))
    await happen(desk, one, "appointment_booked")
    moved = await practice.move(one, "11:00")
    await happen(desk, moved, "appointment_rescheduled")
    await practice.step(commands.cancel, moved)
    await happen(desk, moved, "appointment_cancelled")
    assert [message.moment for message in await desk.send()] == ["appointment_cancelled"]
    assert sorted(await desk.states()) == [
        ("appointment_booked", "suppressed", "outdated"),
        ("appointment_cancelled", "sent", None),
        ("appointment_changed", "suppressed", "outdated"),
    ]


async def test_each_reminder_is_told_once(desk: Desk, practice: Practice) -> None:
    one = await practice.book("16:00", patient=await reachable(desk))
    start = one.starts.isoformat()
    for minutes in (120, 120, 60):
        await happen(desk, one, "reminder", start=start, minutes=minutes)
    assert len(await desk.log()) == 2


async def test_a_reminder_of_what_has_moved_is_told_nobody(desk: Desk, practice: Practice) -> None:
    one = await practice.book("16:00", patient=await reachable(desk))
    await practice.move(one, "15:00")
    await happen(desk, one, "reminder", start=one.starts.isoformat(), minutes=120)
    assert await desk.log() == []


async def test_a_reminder_that_would_come_at_night_waits_for_the_morning(desk: Desk, practice: Practice) -> None:
    one = await practice.book("10:00", patient=await reachable(desk))
    practice.set_clock("06:00")
    await happen(desk, one, "reminder", start=one.starts.isoformat(), minutes=240)
    (waiting,) = await desk.log()
    assert waiting.due - desk.services.clock.now() > timedelta(minutes=110)
    assert await desk.send() == []
    practice.set_clock("08:01")
    assert len(await desk.send()) == 1


async def test_what_is_no_news_to_the_patient_is_told_nobody(desk: Desk, practice: Practice) -> None:
    one = await practice.book("10:00", patient=await reachable(desk))
    await happen(desk, one, "appointment_checked_in")
    assert await desk.log() == []


async def test_whose_doctor_is_away_is_told_to_book_another_time_and_not_reminded(
    desk: Desk, practice: Practice
) -> None:
    one = await practice.book("16:00", patient=await reachable(desk))
    await happen(desk, one, "reminder", start=one.starts.isoformat(), minutes=120)
    await practice.leave("12:00", "23:00")
    for _ in range(2):
        await happen(desk, one, "appointment_needs_rebooking")
    assert [message.text for message in await desk.send()] == [
        "Test house: your appointment on Mon, Mar 3 at 4:00 PM cannot take place. Please book another"
    ]
    assert ("appointment_reminder", "suppressed", "outdated") in await desk.states()


async def test_whose_doctor_comes_after_all_is_told_so_and_nothing_else(desk: Desk, practice: Practice) -> None:
    one = await practice.book("16:00", patient=await reachable(desk))
    away, _ = await practice.leave("12:00", "23:00")
    await happen(desk, one, "appointment_needs_rebooking")
    await practice.return_from(away)
    await happen(desk, one, "appointment_stands_again")
    assert [message.moment for message in await desk.send()] == ["appointment_stands_again"]
