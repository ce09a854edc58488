"""Checking in, and who then stands where: the written order between appointments and walk-ins."""

from datetime import timedelta
from uuid import UUID

import pytest

from dawr.accounts.rules import Actor, Role
from dawr.appointments.commands import cancel, no_show
from dawr.appointments.rules import Appointment, AppointmentNotFound, Status, TooEarly, WrongAppointmentState
from dawr.facilities.rules import ClinicClosed
from dawr.platform.errors import Forbidden
from dawr.tickets import commands as tickets
from dawr.tickets import queries as queue
from dawr.tickets.queries import TicketView
from dawr.tickets.rules import Placed, Priority, QueueEmpty, Ticket, Verb
from tests.appointments.conftest import MONDAY, Practice
from tests.tickets.conftest import Floor


@pytest.fixture
def lab(practice: Practice) -> Floor:
    """The waiting room in front of the lab."""
    return Floor(practice.house)


async def arrive(practice: Practice, clock: str, slot: str) -> UUID:
    """Somebody books a slot and checks in at another time; their ticket."""
    made = await practice.book(slot)
    practice.set_clock(clock)
    return (await practice.check_in(made)).begun.ticket.id


async def walk_in(practice: Practice, lab: Floor, clock: str) -> UUID:
    practice.set_clock(clock)
    return (await lab.enter(f"walk-in at {clock}")).id


async def called(lab: Floor, count: int) -> list[UUID]:
    return [(await lab.call()).id for _ in range(count)]


async def seen(practice: Practice, ticket: UUID) -> TicketView:
    here = practice.house.here(practice.house.rui)
    async with here.read() as tx:
        return await queue.view(tx, here, ticket)


async def test_checking_in_makes_a_visit_and_a_ticket(practice: Practice) -> None:
    made = await practice.book("10:00")
    done = await practice.check_in(made)
    assert (done.appointment.status, done.appointment.visit) == (Status.CHECKED_IN, done.begun.visit.visit)
    assert (done.begun.visit.appointment, done.begun.ticket.doctor) == (made.appointment, "dana")
    assert await practice.history(made) == ["appointment_booked", "appointment_checked_in"]
    with pytest.raises(WrongAppointmentState):
        await practice.check_in(made)


# The order. Each line of docs/decisions/appointments-and-walk-ins.md is a test here.


async def test_who_came_before_the_slot_goes_first_who_came_later_waits(practice: Practice, lab: Floor) -> None:
    early = await arrive(practice, "09:30", "10:00")
    before = await walk_in(practice, lab, "09:59")
    after = await walk_in(practice, lab, "10:01")
    assert await called(lab, 3) == [before, early, after]


async def test_who_checks_in_after_the_start_but_in_time_stands_at_the_start(practice: Practice, lab: Floor) -> None:
    made = await practice.book("10:00")
    before, after = await walk_in(practice, lab, "09:59"), await walk_in(practice, lab, "10:05")
    practice.set_clock("10:14")
    in_time = (await practice.check_in(made)).begun.ticket.id
    assert await called(lab, 3) == [before, in_time, after]


async def test_who_is_late_stands_where_everybody_stands_who_comes_now(practice: Practice, lab: Floor) -> None:
    made = await practice.book("10:00")
    before = await walk_in(practice, lab, "10:15")
    practice.set_clock("10:16")
    done = await practice.check_in(made)
    assert (done.late, done.begun.ticket.placed) == (True, Placed.ARRIVAL)
    assert await called(lab, 2) == [before, done.begun.ticket.id]


async def test_who_is_early_is_called_at_once_where_nobody_waits(practice: Practice, lab: Floor) -> None:
    early = await arrive(practice, "09:30", "10:00")
    assert (await seen(practice, early)).ahead == 0
    assert await called(lab, 1) == [early]


async def test_appointments_stand_in_the_order_of_their_slots(practice: Practice, lab: Floor) -> None:
    second = await arrive(practice, "09:20", "10:15")
    first = await arrive(practice, "09:30", "10:00")
    assert await called(lab, 2) == [first, second]


async def test_positions_tell_the_same_order(practice: Practice, lab: Floor) -> None:
    early = await arrive(practice, "09:30", "10:00")
    before = await walk_in(practice, lab, "09:40")
    assert [(await seen(practice, one)).ahead for one in (before, early)] == [0, 1]
    assert (await seen(practice, early)).ticket.placed is Placed.APPOINTMENT
    await called(lab, 1)
    assert (await seen(practice, early)).ahead == 0


async def test_an_emergency_goes_before_every_appointment(practice: Practice, lab: Floor) -> None:
    practice.set_clock("09:59")
    appointment = await arrive(practice, "10:00", "10:00")
    emergency = await lab.enter("hurt", actor=practice.house.rui, priority=Priority.EMERGENCY)
    assert await called(lab, 2) == [emergency.id, appointment]


async def test_who_comes_back_is_behind_two_at_most_however_early_others_are(practice: Practice, lab: Floor) -> None:
    gone = await lab.enter("gone")
    await lab.call_ticket(gone)
    await lab.move(gone, Verb.NO_SHOW)
    early = [await arrive(practice, "09:00", slot) for slot in ("10:00", "10:15", "10:30")]
    back = await lab.move(gone, Verb.REJOIN)
    late_comer = await walk_in(practice, lab, "09:01")
    assert await called(lab, 5) == [back.id, late_comer, *early]


async def test_a_key_to_come_does_not_move_those_who_join_now(practice: Practice, lab: Floor) -> None:
    await arrive(practice, "09:30", "10:00")
    practice.set_clock("09:31")
    walked_in: Ticket = await lab.enter("walk-in")
    assert walked_in.order_key < int(practice.house.clock.now().timestamp() * 10**9)


async def test_being_held_keeps_the_place_of_the_slot(practice: Practice, lab: Floor) -> None:
    early = await arrive(practice, "09:30", "10:00")
    held = (await seen(practice, early)).ticket
    await lab.move(held, Verb.HOLD)
    before = await walk_in(practice, lab, "09:40")
    await lab.move(held, Verb.RESUME)
    assert await called(lab, 2) == [before, early]


async def test_strangers_in_a_crowd_are_told_the_right_number_ahead(practice: Practice, lab: Floor) -> None:
    await arrive(practice, "09:30", "10:00")
    first = await walk_in(practice, lab, "09:40")
    joined = [await lab.enter(f"crowd-{n}") for n in range(3)]
    assert [(await seen(practice, one)).ahead for one in (first, *(each.id for each in joined))] == [0, 1, 2, 3]


# When and by whom


async def test_nobody_checks_in_days_before(practice: Practice) -> None:
    made = await practice.book("10:00")
    practice.set_clock("10:00", MONDAY - timedelta(days=1))
    with pytest.raises(TooEarly):
        await practice.check_in(made)


async def test_who_was_given_up_may_still_come_the_same_day(practice: Practice) -> None:
    made = await practice.book("10:00")
    practice.set_clock("10:30")
    await practice.step(no_show, made)
    done = await practice.check_in(made)
    assert (done.appointment.status, done.late) == (Status.CHECKED_IN, True)


async def test_who_was_given_up_does_not_come_another_day(practice: Practice) -> None:
    made = await practice.book("10:00")
    practice.set_clock("10:30")
    await practice.step(no_show, made)
    practice.set_clock("10:30", MONDAY + timedelta(days=1))
    with pytest.raises(WrongAppointmentState):
        await practice.check_in(made)


async def test_what_keeps_out_of_the_queue_leaves_the_appointment(practice: Practice) -> None:
    made = await practice.book("10:00")
    await practice.house.change_clinic("lab", hours={"sun": [["08:00", "09:00"]]})
    with pytest.raises(ClinicClosed):
        await practice.check_in(made)
    assert await practice.now(made) == made


async def test_a_cancelled_appointment_lets_nobody_in(practice: Practice) -> None:
    made: Appointment = await practice.book("10:00")
    await practice.step(cancel, made)
    with pytest.raises(WrongAppointmentState):
        await practice.check_in(made)


@pytest.mark.parametrize("who", ["doctor", "display"])
async def test_of_the_staff_only_reception_checks_in(practice: Practice, who: str) -> None:
    made = await practice.book("10:00")
    actors = {"doctor": practice.house.dana, "display": Actor(kind="staff", role=Role.DISPLAY)}
    with pytest.raises(Forbidden):
        await practice.check_in(made, actors[who])


async def test_a_patient_checks_in_for_their_own_from_two_hours_before(practice: Practice) -> None:
    made, other = await practice.book("10:15"), await practice.book("09:00")
    patient = Actor(kind="patient", appointment=made.appointment)
    with pytest.raises(AppointmentNotFound):
        await practice.check_in(other, patient)
    with pytest.raises(TooEarly):
        await practice.check_in(made, patient)
    practice.set_clock("08:15")
    assert not (await practice.check_in(made, patient)).late


async def test_only_their_own_doctor_calls_them(practice: Practice, lab: Floor) -> None:
    await arrive(practice, "09:30", "10:00")
    here = practice.house.here(Actor(kind="staff", role=Role.DOCTOR, clinics=frozenset({"lab"}), doctor="omar"))
    with pytest.raises(QueueEmpty):
        async with here.write() as tx:
            await tickets.call_next(tx, here.actor, here.facility, clinic_id="lab", desk=None)
    assert (await lab.call(actor=practice.house.dana)).doctor == "dana"
