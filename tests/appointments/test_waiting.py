"""The waiting list: a slot that becomes free is offered to the first who fits, and held until they answer."""

from datetime import timedelta

import pytest

from dawr.appointments.commands import accept, cancel, decline
from dawr.appointments.rules import Appointment, OfferOver, SlotTaken, Status
from dawr.appointments.rules_schedule import InvalidSchedule
from dawr.appointments.rules_waiting import MOST_LAPSES, AlreadyWaiting, Waiting, WaitingStatus
from tests.appointments.conftest import Practice, at, daily, minutes


@pytest.fixture
async def full(practice: Practice) -> Practice:
    """Dana has one slot a day, at 10:00."""
    await practice.hours(daily("10:00", "10:15"))
    return practice


async def today(practice: Practice) -> Waiting:
    """Somebody who waits for a slot of this day."""
    return await practice.wait(earliest=at("08:00"), latest=at("20:00"))


async def offer(practice: Practice, entry: Waiting) -> Appointment:
    found = await practice.offered(entry)
    assert found is not None
    return found


async def test_a_freed_slot_is_offered_to_the_first_who_waits(full: Practice) -> None:
    made = await full.book("10:00")
    first, second = await today(full), await today(full)
    await full.step(cancel, made)
    held = await offer(full, first)
    assert (held.starts, held.answer_by) == (at("10:00"), at("09:45"))
    assert await full.offered(second) is None


async def test_a_slot_that_is_offered_is_nobody_elses(full: Practice) -> None:
    made = await full.book("10:00")
    await today(full)
    await full.step(cancel, made)
    with pytest.raises(SlotTaken):
        await full.book("10:00")


async def test_an_accepted_offer_is_an_appointment(full: Practice) -> None:
    made = await full.book("10:00")
    entry = await today(full)
    await full.step(cancel, made)
    accepted = await full.step(accept, await offer(full, entry))
    assert (accepted.status, accepted.patient, accepted.answer_by) == (Status.BOOKED, entry.patient, None)
    assert await full.history(entry) == ["waiting_joined", "waiting_offered", "waiting_served"]


async def test_a_declined_offer_goes_to_the_next_and_does_not_come_back(full: Practice) -> None:
    made = await full.book("10:00")
    first, second = await today(full), await today(full)
    await full.step(cancel, made)
    await full.step(decline, await offer(full, first))
    again = await offer(full, second)
    assert await full.offered(first) is None
    await full.step(decline, again)
    assert (await full.offered(first), await full.offered(second)) == (None, None)
    assert (await full.book("10:00")).status is Status.BOOKED


async def test_who_declines_keeps_the_first_place(practice: Practice) -> None:
    await practice.hours(daily("10:00", "10:30"))
    made = [await practice.book(clock) for clock in ("10:00", "10:15")]
    first, second = await today(practice), await today(practice)
    await practice.step(cancel, made[0])
    await practice.step(decline, await offer(practice, first))
    await practice.step(cancel, made[1])
    assert (await offer(practice, first)).starts == at("10:15")
    assert (await offer(practice, second)).starts == at("10:00")


async def test_an_offer_without_an_answer_goes_to_the_next(full: Practice) -> None:
    await full.decide(offer_minutes=30)
    made = await full.book("10:00")
    first, second = await today(full), await today(full)
    await full.step(cancel, made)
    held = await offer(full, first)
    full.set_clock("08:29")
    await full.job()
    assert (await full.now(held)).status is Status.OFFERED
    full.set_clock("08:31")
    with pytest.raises(OfferOver):
        await full.step(accept, held)
    await full.job()
    assert (await full.now(held)).status is Status.LAPSED
    assert (await offer(full, second)).starts == at("10:00")


async def test_who_never_answers_is_on_the_list_no_more(practice: Practice) -> None:
    await practice.decide(offer_minutes=5)
    await practice.hours(daily("10:00", "11:00"))
    entry = await today(practice)
    for n in range(MOST_LAPSES):
        assert (await offer(practice, entry)).starts == at("10:00") + minutes(15 * n)
        practice.house.clock.offset += minutes(6)
        await practice.job()
        if n + 1 < MOST_LAPSES:
            await practice.hours(daily("10:00", f"11:{15 * (n + 1)}"))
    assert await practice.offered(entry) is None
    assert (await practice.history(entry))[-1] == "waiting_ended"


async def test_what_is_free_is_offered_at_once(practice: Practice) -> None:
    entry = await today(practice)
    assert (entry.status, (await offer(practice, entry)).starts) == (WaitingStatus.OFFERED, at("09:00"))


async def test_only_what_they_want_is_offered(practice: Practice) -> None:
    entry = await practice.wait(earliest=at("13:05"), latest=at("13:20"))
    assert (await offer(practice, entry)).starts == at("13:15")


async def test_what_begins_too_soon_is_offered_to_nobody(full: Practice) -> None:
    made, entry = await full.book("10:00"), await today(full)
    full.set_clock("09:35")
    await full.step(cancel, made)
    assert await full.offered(entry) is None


async def test_who_is_elsewhere_at_that_time_is_passed_over(practice: Practice) -> None:
    await practice.hours(daily("10:00", "10:15"))
    await practice.hours(daily("10:00", "10:15"), doctor="omar")
    made, busy = await practice.book("10:00"), await practice.patient()
    await practice.book("10:00", doctor="omar", patient=busy)
    first, second = await practice.wait(busy, latest=at("20:00")), await today(practice)
    await practice.step(cancel, made)
    assert (await practice.offered(first), (await offer(practice, second)).starts) == (None, at("10:00"))


async def test_a_moved_appointment_frees_its_slot(practice: Practice) -> None:
    await practice.hours(daily("10:00", "10:30"))
    made = await practice.book("10:00")
    taken = await practice.book("10:15")
    entry = await today(practice)
    await practice.step(cancel, taken)
    await practice.step(decline, await offer(practice, entry))
    await practice.move(made, "10:15")
    assert (await offer(practice, entry)).starts == at("10:00")


async def test_an_extra_opening_is_offered(full: Practice) -> None:
    await full.book("10:00")
    entry = await today(full)
    await full.hours(daily("10:00", "10:15") + daily("15:00", "15:15"))
    assert (await offer(full, entry)).starts == at("15:00")


async def test_leave_takes_an_offer_back_without_blame(full: Practice) -> None:
    made, entry = await full.book("10:00"), await today(full)
    await full.step(cancel, made)
    leave, _ = await full.leave("09:00", "12:00")
    assert (await full.offered(entry)) is None
    assert await full.history(entry) == ["waiting_joined", "waiting_offered", "waiting_waits_again"]
    await full.return_from(leave)


async def test_who_withdraws_gives_the_offer_to_the_next(full: Practice) -> None:
    made = await full.book("10:00")
    first, second = await today(full), await today(full)
    await full.step(cancel, made)
    assert (await full.withdraw(first)).status is WaitingStatus.WITHDRAWN
    assert (await offer(full, second)).starts == at("10:00")
    assert (await full.history(first))[-1] == "waiting_withdrawn"


async def test_nobody_waits_twice_for_one_doctor(full: Practice) -> None:
    await full.book("10:00")
    entry = await today(full)
    with pytest.raises(AlreadyWaiting):
        await full.wait(entry.patient)
    assert (await full.wait(entry.patient, doctor_id="omar")).status is WaitingStatus.WAITING


async def test_whose_time_has_passed_is_on_the_list_no_more(full: Practice) -> None:
    await full.book("10:00")
    entry = await today(full)
    full.house.clock.offset += timedelta(hours=13)
    await full.job()
    assert (await full.history(entry))[-1] == "waiting_ended"


@pytest.mark.parametrize("year", [1, 1999, 2100, 9999])
async def test_a_span_of_another_age_is_refused(practice: Practice, year: int) -> None:
    with pytest.raises(InvalidSchedule):
        await practice.wait(earliest=at("12:00").replace(year=year))
    with pytest.raises(InvalidSchedule):
        await practice.wait(latest=at("12:00").replace(year=year))


async def test_what_leave_took_back_is_offered_again(full: Practice) -> None:
    made, entry = await full.book("10:00"), await today(full)
    await full.step(cancel, made)
    leave, _ = await full.leave("09:00", "12:00")
    await full.return_from(leave)
    assert (await offer(full, entry)).starts == at("10:00")


async def test_a_span_that_ends_before_it_begins_is_refused(practice: Practice) -> None:
    with pytest.raises(InvalidSchedule):
        await practice.wait(earliest=at("12:00"), latest=at("10:00"))
