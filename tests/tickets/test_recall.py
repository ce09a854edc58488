"""Announcing a called ticket again."""

import asyncio

import pytest

from dawr.facilities.rules import DeskNotFound
from dawr.tickets.rules import Status, TicketNotFound, Verb, WrongState
from tests.tickets.conftest import ONLY_STAFF, Floor, not_from


async def test_a_called_person_is_announced_again_at_the_same_desk(floor: Floor) -> None:
    called = await floor.called("amina")
    again = await floor.call_ticket(called, verb=Verb.RECALL)
    assert (again.status, again.desk, again.calls, again.called_at) == (Status.CALLED, "1", 2, called.called_at)


async def test_a_called_person_may_be_sent_to_another_desk(floor: Floor) -> None:
    called = await floor.called("amina")
    assert (await floor.call_ticket(called, verb=Verb.RECALL, desk="2")).desk == "2"
    assert (await floor.status()).called == (("LAB-001", "2"),)


async def test_announcing_again_keeps_the_order_of_the_called(floor: Floor) -> None:
    first, _ = await floor.called("amina"), await floor.called("second")
    await floor.call_ticket(first, verb=Verb.RECALL)
    assert [code for code, _ in (await floor.status()).called] == ["LAB-001", "LAB-002"]


async def test_every_announcement_is_recorded(floor: Floor) -> None:
    called = await floor.called("amina")
    await asyncio.gather(*(floor.call_ticket(called, verb=Verb.RECALL) for _ in range(5)))
    assert (await floor.ticket(called.id)).calls == 6
    assert await floor.history(called) == ["ticket_entered", "ticket_called", *["ticket_recalled"] * 5]


async def test_an_unknown_desk_is_refused(floor: Floor) -> None:
    called = await floor.called("amina")
    with pytest.raises(DeskNotFound):
        await floor.call_ticket(called, verb=Verb.RECALL, desk="9")


@pytest.mark.parametrize("status", not_from(Verb.RECALL))
async def test_only_who_was_called_can_be_announced_again(floor: Floor, status: Status) -> None:
    ticket = await floor.in_state("amina", status)
    with pytest.raises(WrongState) as refused:
        await floor.call_ticket(ticket, verb=Verb.RECALL)
    assert refused.value.extra == {"state": status}


@pytest.mark.parametrize(("who", "refusal"), ONLY_STAFF)
async def test_others_may_not_announce(floor: Floor, who: str, refusal: type[Exception]) -> None:
    ticket = await floor.called("amina")
    with pytest.raises(refusal):
        await floor.call_ticket(ticket, verb=Verb.RECALL, actor=floor.someone(who, ticket))


async def test_another_facilitys_ticket_does_not_exist(floor: Floor) -> None:
    ticket, other = await floor.called("amina"), await floor.elsewhere()
    with pytest.raises(TicketNotFound):
        await other.call_ticket(ticket, verb=Verb.RECALL)


async def test_announced_and_not_come_at_once_leaves_one_story(floor: Floor) -> None:
    called = await floor.called("amina")
    await asyncio.gather(
        floor.call_ticket(called, verb=Verb.RECALL), floor.move(called, Verb.NO_SHOW), return_exceptions=True
    )
    assert (await floor.ticket(called.id)).status is Status.NO_SHOW
