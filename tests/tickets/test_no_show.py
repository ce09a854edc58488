"""A called person did not come."""

import asyncio

import pytest

from dawr.tickets.rules import Status, TicketNotFound, Verb, WrongState
from tests.tickets.conftest import ONLY_STAFF, Floor, not_from


async def test_who_was_called_and_did_not_come_is_gone(floor: Floor) -> None:
    missed = await floor.move(await floor.called("amina"), Verb.NO_SHOW)
    assert (missed.status, missed.desk) == (Status.NO_SHOW, "1")
    assert missed.ended_at is not None
    assert (await floor.status()).gone == 1


async def test_whoever_did_not_come_may_take_another_ticket(floor: Floor) -> None:
    await floor.in_state("amina", Status.NO_SHOW)
    assert (await floor.enter("amina")).number == 2


@pytest.mark.parametrize("status", not_from(Verb.NO_SHOW))
async def test_people_who_wait_cannot_fail_to_come(floor: Floor, status: Status) -> None:
    ticket = await floor.in_state("amina", status)
    with pytest.raises(WrongState) as refused:
        await floor.move(ticket, Verb.NO_SHOW)
    assert refused.value.extra == {"state": status}


@pytest.mark.parametrize(("who", "refusal"), ONLY_STAFF)
async def test_others_may_not_say_so(floor: Floor, who: str, refusal: type[Exception]) -> None:
    ticket = await floor.called("amina")
    with pytest.raises(refusal):
        await floor.move(ticket, Verb.NO_SHOW, actor=floor.someone(who, ticket))


async def test_another_facilitys_ticket_does_not_exist(floor: Floor) -> None:
    ticket, other = await floor.called("amina"), await floor.elsewhere()
    with pytest.raises(TicketNotFound):
        await other.move(ticket, Verb.NO_SHOW)


async def test_said_by_two_at_once_it_counts_once(floor: Floor) -> None:
    called = await floor.called("amina")
    answers = await asyncio.gather(*(floor.move(called, Verb.NO_SHOW) for _ in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == ["Ticket", "WrongState"]
    assert (await floor.status()).gone == 1
