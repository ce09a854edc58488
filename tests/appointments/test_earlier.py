"""Waiting for an earlier slot than one has."""

import pytest

from dawr.accounts.rules import Actor
from dawr.appointments import commands, commands_waiting, queries
from dawr.appointments.queries import Earlier
from dawr.appointments.rules import Appointment, AppointmentNotFound, Status, TooLate, WrongAppointmentState
from dawr.appointments.rules_waiting import AlreadyWaiting, NotWaiting, WaitingStatus
from dawr.facilities import commands_people
from tests.appointments.conftest import Practice, at, daily


def patient(one: Appointment) -> Actor:
    return Actor(kind="patient", appointment=one.appointment)


async def wait(practice: Practice, one: Appointment) -> None:
    await practice.step(commands_waiting.join_earlier, one, patient(one))


async def waits(practice: Practice, one: Appointment) -> Earlier | None:
    async with practice.house.here().read() as tx:
        return await queries.waits_earlier(tx, one.appointment)


@pytest.fixture
async def full(practice: Practice) -> tuple[Appointment, Appointment]:
    """Dana has two slots this morning: Zeina's, and Amina's after it."""
    await practice.hours(daily("10:00", "10:30"))
    return await practice.book("10:00"), await practice.book("10:15")


Pair = tuple[Appointment, Appointment]


async def test_an_earlier_slot_that_becomes_free_is_offered(practice: Practice, full: Pair) -> None:
    first, mine = full
    await wait(practice, mine)
    assert await waits(practice, mine) == Earlier(WaitingStatus.WAITING, None)
    await practice.step(commands.cancel, first)
    found = await waits(practice, mine)
    assert found is not None
    assert found.status is WaitingStatus.OFFERED


async def test_what_is_accepted_takes_the_place_of_the_later_one(practice: Practice, full: Pair) -> None:
    first, mine = full
    await wait(practice, mine)
    await practice.step(commands.cancel, first)
    found = await waits(practice, mine)
    assert found is not None
    async with practice.house.here().read() as tx:
        offered = await queries.appointment(tx, found.offered or mine.appointment)
    accepted = await practice.step(commands.accept, offered, patient(offered))
    assert (accepted.status, accepted.starts) == (Status.BOOKED, first.starts)
    assert (await practice.now(mine)).status is Status.CANCELLED
    assert await waits(practice, mine) is None


async def test_a_later_slot_is_not_offered(practice: Practice, full: Pair) -> None:
    mine, later = full
    await wait(practice, mine)
    await practice.step(commands.cancel, later)
    assert await waits(practice, mine) == Earlier(WaitingStatus.WAITING, None)


async def test_a_slot_that_is_free_already_is_offered_at_once(practice: Practice) -> None:
    mine = await practice.book("12:00")
    await wait(practice, mine)
    found = await waits(practice, mine)
    assert found is not None
    assert found.offered is not None


@pytest.mark.parametrize("ends", ["cancel", "move", "check_in"])
async def test_the_wait_ends_with_its_appointment_and_its_offer_with_it(practice: Practice, ends: str) -> None:
    mine = await practice.book("12:00")
    await wait(practice, mine)
    found = await waits(practice, mine)
    assert found is not None
    assert found.offered is not None
    async with practice.house.here().read() as tx:
        offered = await queries.appointment(tx, found.offered)
    if ends == "cancel":
        await practice.step(commands.cancel, mine, patient(mine))
    elif ends == "move":
        await practice.move(mine, "13:00")
    else:
        await practice.check_in(mine)
    assert await waits(practice, mine) is None
    assert (await practice.now(offered)).status is Status.DECLINED


async def test_who_is_early_enough_leaves_the_list(practice: Practice, full: Pair) -> None:
    _, mine = full
    await wait(practice, mine)
    await practice.step(commands_waiting.leave_earlier, mine, patient(mine))
    assert await waits(practice, mine) is None
    assert (await practice.now(mine)).status is Status.BOOKED
    with pytest.raises(NotWaiting):
        await practice.step(commands_waiting.leave_earlier, mine, patient(mine))


async def test_nobody_waits_twice(practice: Practice, full: Pair) -> None:
    _, mine = full
    await wait(practice, mine)
    with pytest.raises(AlreadyWaiting):
        await wait(practice, mine)


async def test_shortly_before_there_is_nothing_to_wait_for(practice: Practice, full: Pair) -> None:
    _, mine = full
    practice.set_clock("09:50")
    with pytest.raises(TooLate):
        await wait(practice, mine)


async def test_what_is_over_and_what_is_anothers_waits_for_nothing(practice: Practice, full: Pair) -> None:
    first, mine = full
    with pytest.raises(AppointmentNotFound):
        await practice.step(commands_waiting.join_earlier, mine, patient(first))
    await practice.step(commands.cancel, mine)
    with pytest.raises(WrongAppointmentState):
        await wait(practice, mine)


async def test_the_wait_ends_with_its_appointment_also_while_the_doctor_is_gone(practice: Practice, full: Pair) -> None:
    _, mine = full
    await wait(practice, mine)
    async with practice.house.here().write() as tx:
        await commands_people.archive_doctor(tx, practice.house.ada, doctor="dana", open_tickets=None)
    assert await waits(practice, mine) == Earlier(WaitingStatus.CLOSED, None)
    await practice.step(commands.cancel, mine, patient(mine))
    assert await waits(practice, mine) is None


async def test_who_waits_under_a_merged_record_does_not_wait_twice(practice: Practice, full: Pair) -> None:
    _, mine = full
    double = await practice.patient("Amena")
    await practice.wait(double, latest=at("20:00"))
    await practice.merge(double, into=mine.patient)
    with pytest.raises(AlreadyWaiting):
        await wait(practice, mine)


async def test_who_waits_while_merged_and_is_parted_is_offered_it_and_keeps_their_own(
    practice: Practice, full: Pair
) -> None:
    first, mine = full
    other = await practice.patient("Amina H.")
    await practice.merge(mine.patient, into=other)
    await wait(practice, mine)
    await practice.part(mine.patient)
    await practice.step(commands.cancel, first)
    found = await waits(practice, mine)
    assert found is not None
    async with practice.house.here().read() as tx:
        offered = await queries.appointment(tx, found.offered or mine.appointment)
    assert (offered.status, offered.patient) == (Status.OFFERED, mine.patient)
