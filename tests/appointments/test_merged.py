"""Records that are merged, parted or erased: one person has one place on a list, is in one place at a time, and loses nothing."""

from uuid import UUID

import pytest

from dawr.accounts.rules import Role
from dawr.appointments.commands import cancel
from dawr.appointments.commands_waiting import join_earlier
from dawr.appointments.rules import Appointment, PatientBusy, Status
from dawr.appointments.rules_waiting import AlreadyWaiting, Waiting, WaitingStatus
from dawr.facilities.commands_people import change_doctor
from dawr.tickets.rules import AlreadyInQueue
from dawr.visits import queries as visits
from tests.appointments.conftest import Practice, at, daily
from tests.conftest import Live


@pytest.fixture
async def practice(practice: Practice) -> Practice:
    """Dana and Omar see several people at a time."""
    for doctor in ("dana", "omar"):
        await practice.hours(daily(capacity=3), doctor=doctor)
    return practice


@pytest.fixture
async def full(practice: Practice) -> Practice:
    """Dana has one slot a day, and this day's is taken."""
    await practice.hours(daily("10:00", "10:15"))
    await practice.book("10:00")
    return practice


async def two(practice: Practice) -> tuple[UUID, UUID]:
    return await practice.patient("Amina"), await practice.patient("Amina H.")


async def statuses(practice: Practice, *places: Waiting) -> list[str]:
    return [(await practice.place(one)).status.value for one in places]


async def doubled(practice: Practice, *several: Appointment) -> list[bool]:
    return [(await practice.now(one)).doubled for one in several]


# Waiting lists


async def wait_both(practice: Practice) -> tuple[Waiting, Waiting]:
    one, other = await two(practice)
    return await practice.wait(one, latest=at("20:00")), await practice.wait(other, latest=at("20:00"))


async def test_of_two_places_the_earlier_stays(full: Practice) -> None:
    first, second = await wait_both(full)
    await full.merge(first.patient, into=second.patient)
    assert await statuses(full, first, second) == ["waiting", "set_aside"]
    assert (await full.history(second))[-1] == "waiting_set_aside"


async def test_parted_each_has_their_own_again(full: Practice) -> None:
    first, second = await wait_both(full)
    await full.merge(first.patient, into=second.patient)
    await full.part(first.patient)
    assert await statuses(full, first, second) == ["waiting", "waiting"]
    assert (await full.place(second)).created_at == second.created_at


async def test_an_offer_is_not_taken_away_by_a_merge(practice: Practice) -> None:
    await practice.hours(daily("10:00", "10:15"))
    late = await practice.wait(earliest=at("12:00"), latest=at("20:00"))
    offered = await practice.wait(latest=at("20:00"))
    await practice.merge(late.patient, into=offered.patient)
    assert await statuses(practice, late, offered) == ["set_aside", "offered"]


async def test_of_two_offers_one_goes_to_the_next(practice: Practice) -> None:
    await practice.hours(daily("10:00", "10:30"))
    first, second = await wait_both(practice)
    third = await practice.wait(latest=at("20:00"))
    await practice.merge(first.patient, into=second.patient)
    assert await statuses(practice, first, second, third) == ["offered", "set_aside", "offered"]


async def test_other_doctors_lists_are_other_lists(full: Practice) -> None:
    one, other = await two(full)
    first, second = await full.wait(one), await full.wait(other, doctor_id="omar")
    await full.merge(one, into=other)
    assert "set_aside" not in await statuses(full, first, second)


async def test_who_is_merged_does_not_wait_twice(full: Practice) -> None:
    one, other = await two(full)
    await full.wait(one, latest=at("20:00"))
    await full.merge(one, into=other)
    with pytest.raises(AlreadyWaiting):
        await full.wait(other)


async def test_whose_place_was_withdrawn_meanwhile_keeps_the_others_after_a_parting(full: Practice) -> None:
    first, second = await wait_both(full)
    await full.merge(first.patient, into=second.patient)
    await full.withdraw(first)
    assert await statuses(full, first, second) == ["withdrawn", "set_aside"]
    await full.part(first.patient)
    assert await statuses(full, first, second) == ["withdrawn", "waiting"]


async def test_whose_other_place_is_over_may_join_again(full: Practice) -> None:
    first, second = await wait_both(full)
    await full.merge(first.patient, into=second.patient)
    await full.withdraw(first)
    third = await full.wait(second.patient, latest=at("20:00"))
    assert await statuses(full, first, second, third) == ["withdrawn", "set_aside", "waiting"]
    with pytest.raises(AlreadyWaiting):
        await full.wait(first.patient)
    await full.part(first.patient)
    assert await statuses(full, second, third) == ["set_aside", "waiting"]


async def test_who_waited_for_an_earlier_time_may_do_so_again(practice: Practice) -> None:
    await practice.hours(daily("10:00", "10:30"))
    one, other = await two(practice)
    await practice.book("10:00")
    mine = await practice.book("10:15", patient=one)
    first = await practice.wait(other, latest=at("10:00"))
    await practice.step(join_earlier, mine)
    await practice.merge(one, into=other)
    await practice.withdraw(first)
    await practice.step(join_earlier, mine)
    with pytest.raises(AlreadyWaiting):
        await practice.step(join_earlier, mine)


# Appointments


async def test_of_two_at_one_time_the_later_made_is_flagged(practice: Practice) -> None:
    one, other = await two(practice)
    first = await practice.book("10:00", patient=one)
    second = await practice.book("10:00", patient=other, doctor="omar")
    await practice.merge(one, into=other)
    assert await doubled(practice, first, second) == [False, True]
    assert [each.appointment for each in await practice.listed(attention=True)] == [second.appointment]
    assert (await practice.history(second))[-1] == "appointment_doubled"


async def test_parted_both_stand(practice: Practice) -> None:
    one, other = await two(practice)
    first = await practice.book("10:00", patient=one)
    second = await practice.book("10:00", patient=other, doctor="omar")
    await practice.merge(one, into=other)
    await practice.part(one)
    assert await doubled(practice, first, second) == [False, False]
    for patient in (one, other):
        with pytest.raises(PatientBusy):
            await practice.book("10:00", patient=patient, doctor="omar" if patient == one else "dana")


async def test_two_at_different_times_both_stand(practice: Practice) -> None:
    one, other = await two(practice)
    first, second = await practice.book("10:00", patient=one), await practice.book("10:15", patient=other)
    await practice.merge(one, into=other)
    assert await doubled(practice, first, second) == [False, False]


async def test_whose_record_was_merged_is_in_no_second_place(practice: Practice) -> None:
    one, other = await two(practice)
    await practice.book("10:00", patient=one)
    await practice.merge(one, into=other)
    with pytest.raises(PatientBusy):
        await practice.book("10:00", patient=other, doctor="omar")


@pytest.mark.parametrize("how", ["cancelled", "moved"])
async def test_the_other_one_gone_it_is_double_no_more(practice: Practice, how: str) -> None:
    one, other = await two(practice)
    first = await practice.book("10:00", patient=one)
    second = await practice.book("10:00", patient=other, doctor="omar")
    await practice.merge(one, into=other)
    await practice.job()
    assert await doubled(practice, second) == [True]
    await (practice.step(cancel, first) if how == "cancelled" else practice.move(first, "11:00"))
    await practice.job()
    assert await doubled(practice, second) == [False]


async def test_a_double_that_is_moved_stands(practice: Practice) -> None:
    one, other = await two(practice)
    await practice.book("10:00", patient=one)
    second = await practice.book("10:00", patient=other, doctor="omar")
    await practice.merge(one, into=other)
    assert not (await practice.move(second, "11:00")).doubled


async def test_a_double_that_stays_at_its_time_stays_one(practice: Practice) -> None:
    one, other = await two(practice)
    await practice.book("10:00", patient=one)
    second = await practice.book("10:00", patient=other, doctor="omar")
    await practice.merge(one, into=other)
    assert (await practice.move(second, "10:00")).doubled
    # In another clinic of the doctor's it is the same time still.
    async with practice.house.here().write() as tx:
        await change_doctor(tx, practice.house.ada, doctor="omar", clinics=("xray",))
    assert (await practice.now(second)).needs_rebooking
    with pytest.raises(PatientBusy):
        await practice.move(second, "10:00")
    assert await doubled(practice, second) == [True]


async def test_who_checks_in_while_merged_has_the_visit_in_the_record_of_the_appointment(practice: Practice) -> None:
    one, other = await two(practice)
    made = await practice.book("10:00", patient=one)
    await practice.merge(one, into=other)
    begun = (await practice.check_in(made)).begun
    assert (begun.visit.patient, begun.patient.patient) == (one, other)
    with pytest.raises(AlreadyInQueue):
        await practice.check_in(await practice.book("11:00", patient=other))
    await practice.part(one)
    async with practice.house.here().read() as tx:
        assert [await visits.of_patient(tx, each) for each in (one, other)] == [[begun.visit], []]


# Erased


async def test_who_is_erased_waits_no_more(full: Practice, live: Live) -> None:
    first, second = await wait_both(full)
    await full.merge(first.patient, into=second.patient)
    async with live.staff(full.house, Role.ADMINISTRATOR) as ada:
        answer = await ada.post(f"/api/v1/patients/{first.patient}/erase", json={"reason": "asked"})
    assert answer.status_code == 200, answer.text
    assert await statuses(full, first, second) == ["withdrawn", "withdrawn"]
    await full.step(cancel, (await full.listed())[0])
    assert await full.offered(first) is None


async def test_another_facilitys_places_stay(full: Practice) -> None:
    elsewhere = await full.elsewhere()
    await elsewhere.hours(daily("10:00", "10:15"))
    theirs = await elsewhere.wait(latest=at("08:30"))
    first, second = await wait_both(full)
    await full.merge(first.patient, into=second.patient)
    assert (await elsewhere.place(theirs)).status is WaitingStatus.WAITING
    assert (await full.listed())[0].status is Status.BOOKED
