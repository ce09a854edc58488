"""Beginning to serve a called person."""

import asyncio

import pytest

from dawr.tickets.rules import Status, TicketNotFound, Verb, WrongState
from tests.conftest import House
from tests.tickets.conftest import ONLY_STAFF, Floor, not_from


async def test_a_called_person_is_being_served_at_the_desk_that_called(floor: Floor) -> None:
    serving = await floor.move(await floor.called("amina"), Verb.SERVE)
    assert (serving.status, serving.desk) == (Status.SERVING, "1")
    assert serving.started_at is not None
    found = await floor.status()
    assert (found.called, found.serving) == ((), (("LAB-001", "1"),))


async def test_a_doctor_of_the_clinic_may_serve(floor: Floor, house: House) -> None:
    called = await floor.called("amina")
    assert (await floor.move(called, Verb.SERVE, actor=house.dana)).status is Status.SERVING


@pytest.mark.parametrize("status", not_from(Verb.SERVE))
async def test_only_who_was_called_can_be_served(floor: Floor, status: Status) -> None:
    ticket = await floor.in_state("amina", status)
    with pytest.raises(WrongState) as refused:
        await floor.move(ticket, Verb.SERVE)
    assert refused.value.extra == {"state": status}


@pytest.mark.parametrize(("who", "refusal"), ONLY_STAFF)
async def test_others_may_not_serve(floor: Floor, who: str, refusal: type[Exception]) -> None:
    ticket = await floor.called("amina")
    with pytest.raises(refusal):
        await floor.move(ticket, Verb.SERVE, actor=floor.someone(who, ticket))


async def test_another_facilitys_ticket_does_not_exist(floor: Floor) -> None:
    ticket, other = await floor.called("amina"), await floor.elsewhere()
    with pytest.raises(TicketNotFound):
        await other.move(ticket, Verb.SERVE)


async def test_two_who_begin_at_once_one_wins(floor: Floor) -> None:
    called = await floor.called("amina")
    answers = await asyncio.gather(*(floor.move(called, Verb.SERVE) for _ in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == ["Ticket", "WrongState"]
