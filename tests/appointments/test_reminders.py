"""What follows an appointment: a row of the outbox for each change, and reminders that mean only what still stands."""

from typing import Any

from dawr.appointments import queries
from dawr.appointments.commands import cancel
from dawr.appointments.rules import Appointment
from tests.appointments.conftest import Practice, at, minutes


async def reminders(practice: Practice, one: Appointment) -> list[dict[str, Any]]:
    return [row for row in await practice.left_behind(one) if row["payload"]["type"] == "reminder"]


async def stands(practice: Practice, row: dict[str, Any]) -> bool:
    """Whether there is still something to be reminded of."""
    async with practice.house.here().read() as tx:
        return await queries.of_event(tx, row["payload"]) is not None


async def test_a_booking_leaves_its_notice_and_its_reminders_behind(practice: Practice) -> None:
    await practice.decide(reminders=(60, 30))
    made = await practice.book("10:00")
    rows = await practice.left_behind(made)
    assert [row["payload"]["type"] for row in rows] == ["appointment_booked", "reminder", "reminder"]
    assert [row["due"] for row in rows[1:]] == [at("10:00") - minutes(one) for one in (60, 30)]


async def test_a_reminder_whose_moment_has_passed_is_not_put(practice: Practice) -> None:
    made = await practice.book("10:00")
    assert [row["due"] for row in await reminders(practice, made)] == []


async def test_every_change_is_told(practice: Practice) -> None:
    made = await practice.book("10:00")
    await practice.move(made, "11:00")
    await practice.step(cancel, made)
    told = [row["payload"]["type"] for row in await practice.left_behind(made)]
    assert [one for one in told if one != "reminder"] == [
        *("appointment_booked", "appointment_rescheduled", "appointment_cancelled")
    ]


async def test_a_moved_ones_reminder_means_nothing_the_next_one_does(practice: Practice) -> None:
    await practice.decide(reminders=(30,))
    made = await practice.book("10:00")
    await practice.move(made, "11:00")
    assert [await stands(practice, row) for row in await reminders(practice, made)] == [False, True]


async def test_moved_back_it_reminds_once(practice: Practice) -> None:
    await practice.decide(reminders=(30,))
    made = await practice.book("10:00")
    await practice.move(made, "11:00")
    await practice.move(made, "10:00")
    assert [await stands(practice, row) for row in await reminders(practice, made)] == [True, False]


async def test_a_cancelled_ones_reminder_means_nothing(practice: Practice) -> None:
    await practice.decide(reminders=(30,))
    made = await practice.book("10:00")
    await practice.step(cancel, made)
    assert not await stands(practice, (await reminders(practice, made))[0])


async def test_nothing_in_the_outbox_describes_a_person(practice: Practice) -> None:
    made = await practice.book(patient=await practice.patient("Canary Of The Mine"))
    assert "Canary" not in str(await practice.left_behind(made))
