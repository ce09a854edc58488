"""Between writing a message down and sending it people say no, are erased, or their quiet hours begin: it is looked at again."""

from datetime import time, timedelta
from typing import Any
from uuid import UUID

import pytest

from dawr.notifications.queries import DeliveryView
from dawr.notifications.rules import Quiet
from dawr.patients import commands as patients
from dawr.patients.rules import Channel, Preferences
from tests.appointments.conftest import Practice
from tests.appointments.conftest import practice as practice
from tests.notifications.conftest import PHONE, Desk, house_rules
from tests.notifications.test_appointments import happen, reachable
from tests.tickets.conftest import Floor
from tests.visits.conftest import Reception


@pytest.fixture
def floor(practice: Practice) -> Floor:
    """The clock is the practice's: Monday, 08:00."""
    return Floor(practice.house)


async def wish(desk: Desk, patient: UUID, **wishes: Any) -> None:
    here = desk.house.here(desk.house.rui)
    async with here.write() as tx:
        await patients.change(tx, here, patient, {"preferences": Preferences(**wishes)})


async def remembered(desk: Desk, practice: Practice, clock: str = "16:00") -> UUID:
    """A patient whose reminder waits to be sent."""
    patient = await reachable(desk)
    one = await practice.book(clock, patient=patient)
    await happen(desk, one, "reminder", start=one.starts.isoformat(), minutes=120)
    assert [one.status for one in await desk.log()] == ["pending"]
    return patient


async def only(desk: Desk) -> DeliveryView:
    (one,) = await desk.log()
    return one


@pytest.mark.parametrize("wishes", [{"opted_out": True}, {"channels": (Channel.EMAIL,)}])
async def test_who_says_no_before_it_is_sent_gets_nothing(
    desk: Desk, practice: Practice, wishes: dict[str, Any]
) -> None:
    await wish(desk, await remembered(desk, practice), **wishes)
    assert await desk.send() == []
    assert await desk.states() == [("appointment_reminder", "suppressed", "opt_out")]


async def test_who_is_called_and_says_no_before_it_is_sent_gets_nothing(desk: Desk, reception: Reception) -> None:
    patient = await reception.patient(phones=(PHONE,))
    await desk.floor.call_ticket(await reception.ticket(await reception.visit(patient)), desk="1")
    await desk.read()
    await wish(desk, patient, opted_out=True)
    assert await desk.send() == []
    assert await desk.states() == [("your_turn", "suppressed", "opt_out")]


async def test_who_is_erased_before_it_is_sent_gets_nothing(desk: Desk, practice: Practice) -> None:
    patient = await remembered(desk, practice)
    here = desk.house.here(desk.house.ada)
    async with here.write() as tx:
        await patients.erase(tx, here, patient, "asked for it")
    assert await desk.send() == []
    assert [status for _, status, _ in await desk.states()] == ["suppressed"]


async def test_whose_quiet_hours_have_begun_gets_it_when_they_end(desk: Desk, practice: Practice) -> None:
    patient = await remembered(desk, practice)
    await wish(desk, patient, quiet=(time(8), time(10)))
    practice.set_clock("08:01")
    assert await desk.send() == []
    one = await only(desk)
    assert (one.status, one.reason, one.attempts) == ("pending", "quiet_hours", 0)
    assert timedelta(minutes=118) < one.due - desk.services.clock.now() <= timedelta(minutes=119)
    practice.set_clock("10:00")
    assert len(await desk.send()) == 1


async def test_a_house_that_has_gone_to_bed_meanwhile_sends_nothing(desk: Desk, practice: Practice) -> None:
    await remembered(desk, practice)
    await desk.rules(*house_rules("appointment_reminder"), quiet=Quiet(time(8), time(12)))
    practice.set_clock("08:01")
    assert await desk.send() == []


async def test_what_would_come_too_late_or_at_night_is_dropped(desk: Desk, practice: Practice) -> None:
    patient = await remembered(desk, practice, "10:00")
    await wish(desk, patient, quiet=(time(8), time(9, 30)))
    practice.set_clock("08:01")
    assert await desk.send() == []
    assert await desk.states() == [("appointment_reminder", "suppressed", "quiet_hours")]


async def test_what_was_put_before_quiet_hours_is_gone_when_they_begin(desk: Desk, practice: Practice) -> None:
    one = await practice.book("10:00", patient=await reachable(desk))
    await desk.rules(*house_rules("appointment_reminder"), quiet=Quiet(time(8, 20), time(9, 30)))
    await happen(desk, one, "reminder", start=one.starts.isoformat(), minutes=120)
    practice.set_clock("08:16")
    assert len(await desk.send()) == 1


async def test_what_cannot_wait_is_sent_at_night_too(desk: Desk, reception: Reception) -> None:
    patient = await reception.patient(phones=(PHONE,))
    await wish(desk, patient, quiet=(time(0), time(23, 59)))
    await desk.floor.call_ticket(await reception.ticket(await reception.visit(patient)), desk="1")
    await desk.read()
    assert len(await desk.send()) == 1
