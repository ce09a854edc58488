"""A registered patient is told as they wish: language, channels, quiet hours, or not at all."""

from datetime import time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from dawr.notifications.queries_person import messages_of
from dawr.notifications.rules import Audience, Fact, Moment, Rule
from dawr.notifications.rules_channels import Reached
from dawr.patients.rules import Channel, Preferences
from dawr.platform.db import ReadTx
from tests.notifications.conftest import PHONE, Desk
from tests.visits.conftest import Reception

REMIND = Rule(Moment.APPOINTMENT_REMINDER, Audience.PATIENT, "sms", quiet=True)


def turn(desk: Desk, patient: UUID, *, moment: Moment = Moment.APPOINTMENT_BOOKED, **more: Any) -> Fact:
    now = desk.services.clock.now()
    plain: dict[str, Any] = {
        "key": f"{moment}:{patient}",
        "at": now,
        "worth_until": now + timedelta(days=3),
        "numbers": {"start": 1},
    }
    return Fact(moment=moment, patient=patient, **(plain | more))


def around_now(desk: Desk) -> tuple[time, time]:
    """Quiet hours, in the house's time, that began an hour ago and end in one."""
    local = desk.services.clock.now().astimezone(ZoneInfo(desk.house.facility.zone))
    return (local - timedelta(hours=1)).time(), (local + timedelta(hours=1)).time()


async def states(desk: Desk) -> list[tuple[str, str | None]]:
    return [(one.status.value, one.reason) for one in await desk.log()]


async def test_the_patient_of_a_visit_is_told_in_their_language(desk: Desk, reception: Reception) -> None:
    patient = await reception.patient(phones=(PHONE,), language="hi")
    ticket = await reception.ticket(await reception.visit(patient))
    await desk.floor.call_ticket(ticket, desk="1")
    await desk.read()
    (one,) = await desk.log(patient=patient)
    assert (one.language, one.ticket) == ("hi", ticket.id)
    assert [message.to for message in await desk.send()] == [PHONE]


async def test_who_wants_no_messages_gets_none_and_reception_sees_why(desk: Desk, reception: Reception) -> None:
    patient = await reception.patient(phones=(PHONE,), preferences=Preferences(opted_out=True))
    await desk.tell(turn(desk, patient))
    assert await states(desk) == [("suppressed", "opt_out")]


async def test_a_channel_that_was_not_agreed_to_is_not_used(desk: Desk, reception: Reception) -> None:
    patient = await reception.patient(phones=(PHONE,), preferences=Preferences(channels=(Channel.EMAIL,)))
    await desk.tell(turn(desk, patient))
    assert await states(desk) == [("suppressed", "opt_out")]


async def test_a_patient_whom_nobody_can_reach_is_shown_once(desk: Desk, reception: Reception) -> None:
    patient = await reception.patient()
    for _ in range(2):
        await desk.tell(turn(desk, patient))
    assert await states(desk) == [("suppressed", "no_contact")]


async def test_a_reminder_keeps_the_patients_own_quiet_hours(desk: Desk, reception: Reception) -> None:
    await desk.rules(REMIND)
    patient = await reception.patient(phones=(PHONE,), preferences=Preferences(quiet=around_now(desk)))
    await desk.tell(turn(desk, patient, moment=Moment.APPOINTMENT_REMINDER))
    assert (await desk.log())[0].due - desk.services.clock.now() > timedelta(minutes=50)


async def test_what_cannot_wait_keeps_no_quiet_hours(desk: Desk, reception: Reception) -> None:
    patient = await reception.patient(phones=(PHONE,), preferences=Preferences(quiet=around_now(desk)))
    await desk.tell(turn(desk, patient))
    assert (await desk.log())[0].due <= desk.services.clock.now()


async def test_one_message_goes_to_each_address_of_a_fact(
    desk: Desk, reception: Reception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def two(self: object, tx: ReadTx, services: object, person: Reached) -> list[str]:
        return ["one", "two", "one"]

    monkeypatch.setattr(type(desk.carrier), "addresses", two)
    patient = await reception.patient(phones=(PHONE,))
    assert await desk.tell(turn(desk, patient)) == 2
    assert await desk.tell(turn(desk, patient)) == 0


async def test_an_erased_patients_address_cannot_be_opened_any_more(desk: Desk, reception: Reception) -> None:
    patient = await reception.patient(phones=(PHONE,))
    await desk.floor.call_ticket(await reception.ticket(await reception.visit(patient)), desk="1")
    await desk.read()
    await desk.change("DELETE FROM patient_key WHERE patient = %(patient)s", patient=patient)
    assert await desk.send() == []
    assert await states(desk) == [("suppressed", "no_contact")]


async def test_what_a_person_was_told_is_in_their_export(desk: Desk, reception: Reception) -> None:
    patient = await reception.patient(phones=(PHONE,))
    await desk.tell(turn(desk, patient))
    async with desk.services.db.read(desk.house.facility.id) as tx:
        (one,) = await messages_of(tx, desk.house.here(), [patient])
    assert (one["channel"], one["to"], one["status"], one["moment"]) == ("sms", PHONE, "pending", "appointment_booked")
