"""Schedules and leave: what is booked in time that is taken away is flagged, never dropped."""

from dataclasses import replace

import pytest

from dawr.appointments import commands_schedule
from dawr.appointments.commands import cancel
from dawr.appointments.rules import Status
from dawr.appointments.rules_schedule import InvalidSchedule, LeaveNotFound, Reason
from dawr.facilities.rules import ChangedMeanwhile, DoctorNotFound
from dawr.platform import events
from dawr.platform.errors import Forbidden
from tests.appointments.conftest import Practice, at, daily


async def test_leave_lists_and_flags_what_is_booked_in_it(practice: Practice) -> None:
    inside, outside = await practice.book("10:00"), await practice.book("12:00")
    _, changed = await practice.leave("09:00", "12:00")
    assert [one.appointment for one in changed.needs_rebooking] == [inside.appointment]
    flagged = await practice.now(inside)
    assert (flagged.status, flagged.needs_rebooking) == (Status.BOOKED, True)
    assert await practice.now(outside) == outside
    assert (await practice.history(inside))[-1] == "appointment_needs_rebooking"


async def test_a_flagged_one_moves_and_is_flagged_no_more(practice: Practice) -> None:
    made = await practice.book("10:00")
    await practice.leave("09:00", "12:00")
    assert not (await practice.move(made, "12:00")).needs_rebooking


async def test_leave_that_is_cancelled_lets_them_stand_again(practice: Practice) -> None:
    made = await practice.book("10:00")
    leave, _ = await practice.leave("09:00", "12:00")
    other, _ = await practice.leave("10:00", "10:30")
    assert len((await practice.return_from(leave)).needs_rebooking) == 1
    assert (await practice.return_from(other)).needs_rebooking == []
    assert not (await practice.now(made)).needs_rebooking
    assert (await practice.return_from(other)).needs_rebooking == []


async def test_a_schedule_that_leaves_a_time_out_flags_it(practice: Practice) -> None:
    made, stays = await practice.book("10:00"), await practice.book("14:00")
    changed = await practice.hours(daily("12:00"))
    assert [one.appointment for one in changed.needs_rebooking] == [made.appointment]
    assert not (await practice.now(stays)).needs_rebooking
    assert (await practice.hours(daily())).needs_rebooking == []


async def test_slots_that_are_cut_anew_flag_nobody(practice: Practice) -> None:
    await practice.book("10:00")
    assert (await practice.hours(daily(slot=20, capacity=2))).needs_rebooking == []


async def test_what_was_cancelled_is_not_listed(practice: Practice) -> None:
    await practice.step(cancel, await practice.book("10:00"))
    assert (await practice.leave("09:00", "12:00"))[1].needs_rebooking == []


async def test_every_change_is_in_the_log(practice: Practice) -> None:
    leave, changed = await practice.leave("09:00", "12:00")
    await practice.return_from(leave)
    async with practice.house.here().read() as tx:
        found = await events.since(tx, stream=changed.schedule.stream, version=0)
    assert [one.type for one in found] == ["schedule_changed", "leave_added", "leave_cancelled"]


async def test_the_same_schedule_again_changes_nothing(practice: Practice) -> None:
    assert (await practice.hours()).schedule.version == (await practice.hours()).schedule.version


async def test_who_read_an_earlier_version_changes_nothing(practice: Practice) -> None:
    with pytest.raises(ChangedMeanwhile):
        await practice.hours(daily("10:00"), version=9)


async def test_a_schedule_names_only_clinics_of_the_doctor(practice: Practice) -> None:
    with pytest.raises(InvalidSchedule):
        await practice.hours([replace(daily()[0], clinic="xray")])
    with pytest.raises(DoctorNotFound):
        await practice.hours(doctor="nobody")


async def test_leave_ends_after_it_begins(practice: Practice) -> None:
    with pytest.raises(InvalidSchedule):
        await practice.leave("12:00", "09:00")


async def test_only_an_administrator_writes_schedules(practice: Practice) -> None:
    for actor in (practice.house.rui, practice.house.dana):
        with pytest.raises(Forbidden):
            await practice.run(commands_schedule.set_schedule, actor=actor, doctor_id="dana", windows=[])
    with pytest.raises(Forbidden):
        await practice.run(
            commands_schedule.add_leave,
            actor=practice.house.dana,
            doctor_id="dana",
            starts=at("09:00"),
            ends=at("12:00"),
            reason=Reason.OTHER,
        )


async def test_another_facilitys_leave_is_not_there(practice: Practice) -> None:
    leave, _ = await practice.leave("09:00", "12:00")
    with pytest.raises(LeaveNotFound):
        await (await practice.elsewhere()).return_from(leave)
