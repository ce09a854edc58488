"""Giving a ticket back."""

import asyncio
from datetime import timedelta

import pytest

from dawr.tickets.rules import Status, TicketNotFound, Verb, WrongState
from tests.conftest import House
from tests.tickets.conftest import STAFF_OR_THE_PATIENT, Floor, not_from


@pytest.mark.parametrize("status", [Status.WAITING, Status.CALLED, Status.HELD])
@pytest.mark.parametrize("who", ["reception", "patient"])
async def test_staff_and_the_patient_may_cancel(floor: Floor, house: House, status: Status, who: str) -> None:
    ticket = await floor.in_state("amina", status)
    actor = house.rui if who == "reception" else floor.someone("patient", ticket)
    assert (await floor.move(ticket, Verb.CANCEL, actor=actor)).status is Status.CANCELLED
    assert (await floor.status()).gone == 1


async def test_the_log_says_that_it_was_the_patient(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    await floor.move(ticket, Verb.CANCEL, actor=floor.someone("patient", ticket))
    assert [one.actor for one in await floor.log()] == ["stranger", "patient"]


@pytest.mark.parametrize("status", not_from(Verb.CANCEL))
async def test_who_is_served_or_has_ended_cannot_cancel(floor: Floor, status: Status) -> None:
    ticket = await floor.in_state("amina", status)
    with pytest.raises(WrongState) as refused:
        await floor.move(ticket, Verb.CANCEL, actor=floor.someone("patient", ticket))
    assert refused.value.extra == {"state": status}


@pytest.mark.parametrize(("who", "refusal"), STAFF_OR_THE_PATIENT)
async def test_others_may_not_cancel(floor: Floor, who: str, refusal: type[Exception]) -> None:
    ticket = await floor.enter("amina")
    with pytest.raises(refusal):
        await floor.move(ticket, Verb.CANCEL, actor=floor.someone(who, ticket))


async def test_another_facilitys_ticket_does_not_exist(floor: Floor) -> None:
    ticket, other = await floor.enter("amina"), await floor.elsewhere()
    with pytest.raises(TicketNotFound):
        await other.move(ticket, Verb.CANCEL)
    with pytest.raises(TicketNotFound):
        await other.move(ticket, Verb.CANCEL, actor=floor.someone("patient", ticket))


async def test_a_secret_that_has_died_learns_no_state(floor: Floor, house: House) -> None:
    ticket = await floor.in_state("amina", Status.DONE)
    house.clock.offset += timedelta(hours=24, minutes=1)
    with pytest.raises(TicketNotFound):
        await floor.move(ticket, Verb.CANCEL, actor=floor.someone("patient", ticket))
    with pytest.raises(WrongState):
        await floor.move(ticket, Verb.CANCEL)


async def test_cancelled_and_called_at_once_is_in_no_two_lists(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    patient = floor.someone("patient", ticket)
    await asyncio.gather(floor.move(ticket, Verb.CANCEL, actor=patient), floor.call(), return_exceptions=True)
    found = await floor.status()
    assert (found.waiting, found.called, found.gone) == ((), (), 1)


async def test_cancelled_twice_at_once_counts_once(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    answers = await asyncio.gather(*(floor.move(ticket, Verb.CANCEL) for _ in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == ["Ticket", "WrongState"]
