"""Setting a ticket aside, and taking it up again."""

import asyncio

import pytest

from dawr.tickets.rules import Status, Ticket, TicketNotFound, Verb, WrongState
from tests.conftest import House
from tests.tickets.conftest import ONLY_STAFF, Floor, not_from


@pytest.mark.parametrize("status", [Status.WAITING, Status.CALLED, Status.SERVING])
async def test_a_ticket_set_aside_is_shown_as_held_without_a_desk(floor: Floor, status: Status) -> None:
    held = await floor.move(await floor.in_state("amina", status), Verb.HOLD)
    assert (held.status, held.desk, held.started_at) == (Status.HELD, None, None)
    assert (await floor.status()).held == ("LAB-001",)


async def test_a_held_ticket_is_not_called(floor: Floor) -> None:
    first, second = await floor.several(2)
    await floor.move(first, Verb.HOLD)
    assert (await floor.call()).id == second.id


@pytest.mark.parametrize("status", [Status.WAITING, Status.CALLED, Status.SERVING])
async def test_taken_up_again_it_has_its_old_place(floor: Floor, status: Status) -> None:
    before, ticket, after = await floor.enter("before"), await floor.in_state("amina", status), await floor.enter("x")
    await floor.move(ticket, Verb.HOLD)
    resumed = await floor.move(ticket, Verb.RESUME)
    assert await floor.waiting() == [before.code, ticket.code, after.code]
    assert (resumed.rank, resumed.order_key, resumed.placed) == (ticket.rank, ticket.order_key, ticket.placed)


async def test_who_is_held_still_has_their_ticket(floor: Floor) -> None:
    held = await floor.in_state("amina", Status.HELD)
    assert await floor.enter_or_find("amina") == (held, True)


@pytest.mark.parametrize("status", not_from(Verb.HOLD))
async def test_what_has_ended_or_is_held_cannot_be_held(floor: Floor, status: Status) -> None:
    ticket = await floor.in_state("amina", status)
    with pytest.raises(WrongState) as refused:
        await floor.move(ticket, Verb.HOLD)
    assert refused.value.extra == {"state": status}


@pytest.mark.parametrize("status", not_from(Verb.RESUME))
async def test_only_held_tickets_can_be_taken_up(floor: Floor, status: Status) -> None:
    ticket = await floor.in_state("amina", status)
    with pytest.raises(WrongState) as refused:
        await floor.move(ticket, Verb.RESUME)
    assert refused.value.extra == {"state": status}


@pytest.mark.parametrize("verb", [Verb.HOLD, Verb.RESUME])
@pytest.mark.parametrize(("who", "refusal"), ONLY_STAFF)
async def test_others_may_neither_hold_nor_resume(floor: Floor, verb: Verb, who: str, refusal: type[Exception]) -> None:
    ticket = await floor.enter("amina")
    with pytest.raises(refusal):
        await floor.move(ticket, verb, actor=floor.someone(who, ticket))


@pytest.mark.parametrize("verb", [Verb.HOLD, Verb.RESUME])
async def test_another_facilitys_ticket_does_not_exist(floor: Floor, verb: Verb) -> None:
    ticket, other = await floor.enter("amina"), await floor.elsewhere()
    with pytest.raises(TicketNotFound):
        await other.move(ticket, verb)


async def test_held_and_called_at_once_is_one_of_both(floor: Floor, house: House) -> None:
    ticket = await floor.enter("amina")
    await asyncio.gather(floor.move(ticket, Verb.HOLD), floor.call(), return_exceptions=True)
    found = await floor.status()
    assert len(found.held) + len(found.called) == 1


async def test_resumed_twice_at_once_one_wins(floor: Floor) -> None:
    held: Ticket = await floor.in_state("amina", Status.HELD)
    answers = await asyncio.gather(*(floor.move(held, Verb.RESUME) for _ in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == ["Ticket", "WrongState"]
