"""Taking back the last step, once, and only while nothing followed it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from dawr.accounts.rules import SYSTEM
from dawr.tickets import queries
from dawr.tickets.rules import AlreadyInQueue, NothingToUndo, Place, Status, Ticket, TicketNotFound, Verb
from tests.conftest import House
from tests.tickets.conftest import ONLY_STAFF, Floor

STEPS = [
    (Status.WAITING, Verb.CALL),
    (Status.CALLED, Verb.RECALL),
    (Status.CALLED, Verb.SERVE),
    (Status.CALLED, Verb.DONE),
    (Status.SERVING, Verb.DONE),
    (Status.CALLED, Verb.NO_SHOW),
    (Status.NO_SHOW, Verb.REJOIN),
    (Status.WAITING, Verb.HOLD),
    (Status.CALLED, Verb.HOLD),
    (Status.SERVING, Verb.HOLD),
    (Status.HELD, Verb.RESUME),
    (Status.WAITING, Verb.CANCEL),
    (Status.CALLED, Verb.CANCEL),
    (Status.HELD, Verb.CANCEL),
    (Status.CALLED, Verb.LATE),
]


async def take_step(floor: Floor, ticket: Ticket, verb: Verb) -> Ticket:
    if verb in (Verb.CALL, Verb.RECALL):
        return await floor.call_ticket(ticket, desk="2", verb=verb)
    return await floor.move(ticket, verb)


def same(one: Ticket, other: Ticket) -> bool:
    """But for the version of the last change, which only orders the called and the held."""
    return replace(one, changed_version=0) == replace(other, changed_version=0)


@pytest.mark.parametrize(("status", "verb"), STEPS)
async def test_ticket_and_order_are_as_before(floor: Floor, status: Status, verb: Verb) -> None:
    ticket = await floor.in_state("amina", status)
    await floor.several(3)
    before = await floor.status()
    await take_step(floor, ticket, verb)
    assert same(await floor.undo(ticket), ticket)
    assert same(await floor.ticket(ticket.id), ticket)
    assert replace(await floor.status(), version=0, mean_wait_minutes=None) == replace(
        before, version=0, mean_wait_minutes=None
    )


@pytest.mark.parametrize(("status", "verb"), STEPS)
async def test_only_once(floor: Floor, status: Status, verb: Verb) -> None:
    ticket = await floor.in_state("amina", status)
    await take_step(floor, ticket, verb)
    await floor.undo(ticket)
    with pytest.raises(NothingToUndo) as refused:
        await floor.undo(ticket)
    assert refused.value.extra == {"state": status}


async def test_what_is_taken_back_can_be_done_again_and_taken_back_again(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    for _ in range(3):
        await floor.call_ticket(ticket)
        assert same(await floor.undo(ticket), ticket)


async def test_a_step_before_the_last_one_stays(floor: Floor) -> None:
    serving = await floor.in_state("amina", Status.SERVING)
    await floor.undo(serving)
    with pytest.raises(NothingToUndo):
        await floor.undo(serving)
    assert (await floor.ticket(serving.id)).status is Status.CALLED


async def test_steps_of_other_tickets_do_not_matter(floor: Floor) -> None:
    first, _ = await floor.called("amina"), await floor.called("second")
    await floor.several(2)
    await floor.call()
    assert (await floor.undo(first)).status is Status.WAITING


async def test_an_entry_cannot_be_taken_back(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    with pytest.raises(NothingToUndo):
        await floor.undo(ticket)
    with pytest.raises(NothingToUndo):
        await floor.undo(await floor.transfer(ticket, "xray"))


async def test_neither_a_reset_nor_an_expiry_can_be_taken_back(floor: Floor) -> None:
    expired = await floor.in_state("amina", Status.EXPIRED)
    ticket = await floor.enter("second")
    await floor.reset()
    for one in (expired, ticket):
        with pytest.raises(NothingToUndo):
            await floor.undo(one)


@pytest.mark.parametrize("status", [Status.DONE, Status.NO_SHOW, Status.CANCELLED, Status.TRANSFERRED])
async def test_what_an_earlier_service_day_counted_stays(floor: Floor, house: House, status: Status) -> None:
    ticket = await floor.in_state("amina", status)
    house.clock.offset += timedelta(days=1)
    with pytest.raises(NothingToUndo):
        await floor.undo(ticket)


async def test_nobody_is_put_back_among_the_gone_of_an_earlier_service_day(floor: Floor, house: House) -> None:
    ticket = await floor.in_state("amina", Status.NO_SHOW)
    await floor.move(ticket, Verb.REJOIN)
    house.clock.offset += timedelta(days=1)
    with pytest.raises(NothingToUndo):
        await floor.undo(ticket)
    assert len(await floor.waiting()) == 1


async def test_a_call_of_somebody_carried_over_can_be_taken_back(floor: Floor, house: House) -> None:
    called = await floor.called("amina")
    house.clock.offset += timedelta(days=1)
    assert (await floor.undo(called)).status is Status.WAITING


@pytest.mark.parametrize("status", [Status.DONE, Status.NO_SHOW, Status.CANCELLED])
async def test_not_while_the_person_has_another_ticket(floor: Floor, status: Status) -> None:
    ticket = await floor.in_state("amina", status)
    await floor.enter("amina")
    with pytest.raises(AlreadyInQueue):
        await floor.undo(ticket)
    assert await floor.ticket(ticket.id) == ticket


# A transfer


@pytest.mark.parametrize("place", list(Place))
async def test_an_untouched_transfer_is_withdrawn(floor: Floor, place: Place) -> None:
    ticket = await floor.in_state("amina", Status.SERVING)
    there = await floor.transfer(ticket, "xray", place=place)
    assert same(await floor.undo(ticket), ticket)
    assert (await floor.ticket(there.id)).status is Status.CANCELLED
    assert await floor.history(there) == ["ticket_entered", "ticket_withdrawn"]


@pytest.mark.parametrize("verb", [Verb.CALL, Verb.HOLD, Verb.CANCEL])
async def test_a_transfer_that_somebody_went_on_with_stays(floor: Floor, verb: Verb) -> None:
    ticket = await floor.enter("amina")
    there = await floor.transfer(ticket, "xray")
    await (floor.call(clinic="xray") if verb is Verb.CALL else floor.move(there, verb))
    with pytest.raises(NothingToUndo) as refused:
        await floor.undo(ticket)
    assert refused.value.extra == {"state": Status.TRANSFERRED}


async def test_a_transfer_that_was_called_and_put_back_stays(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    there = await floor.transfer(ticket, "xray")
    await floor.call(clinic="xray")
    await floor.undo(there)
    with pytest.raises(NothingToUndo):
        await floor.undo(ticket)


async def test_a_transfer_passed_on_further_is_taken_back_step_by_step_only_at_its_end(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    there = await floor.transfer(ticket, "xray")
    await floor.transfer(there, "lab")
    with pytest.raises(NothingToUndo):
        await floor.undo(ticket)
    assert (await floor.undo(there)).status is Status.WAITING
    assert await floor.waiting() == []


async def test_a_transfer_is_not_taken_back_where_the_person_came_again(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    there = await floor.transfer(ticket, "xray")
    await floor.enter("amina")
    with pytest.raises(AlreadyInQueue):
        await floor.undo(ticket)
    assert (await floor.ticket(there.id)).status is Status.WAITING


async def test_a_withdrawn_ticket_cannot_be_brought_back(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    there = await floor.transfer(ticket, "xray")
    await floor.undo(ticket)
    with pytest.raises(NothingToUndo):
        await floor.undo(there)


async def test_after_taking_it_back_the_person_can_be_passed_on_again(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    await floor.transfer(ticket, "xray")
    await floor.undo(ticket)
    assert (await floor.transfer(ticket, "xray")).code == "XR-002"


# Who, where, at the same time


@pytest.mark.parametrize(("who", "refusal"), ONLY_STAFF)
async def test_others_may_not_take_back(floor: Floor, who: str, refusal: type[Exception]) -> None:
    ticket = await floor.in_state("amina", Status.CANCELLED)
    with pytest.raises(refusal):
        await floor.undo(ticket, actor=floor.someone(who, ticket))


async def test_another_facilitys_ticket_does_not_exist(floor: Floor) -> None:
    ticket, other = await floor.called("amina"), await floor.elsewhere()
    with pytest.raises(TicketNotFound):
        await other.undo(ticket)
    with pytest.raises(TicketNotFound):
        await other.undo(ticket, actor=SYSTEM)


async def test_taken_back_twice_at_once_is_taken_back_once(floor: Floor) -> None:
    ticket = await floor.in_state("amina", Status.SERVING)
    answers = await asyncio.gather(*(floor.undo(ticket) for _ in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == [*["NothingToUndo"] * 3, "Ticket"]
    assert (await floor.ticket(ticket.id)).status is Status.CALLED


@pytest.mark.parametrize("_", range(5))
async def test_taken_back_while_somebody_goes_on(floor: Floor, _: int) -> None:
    called = await floor.called("amina")
    await asyncio.gather(floor.undo(called), floor.move(called, Verb.SERVE), return_exceptions=True)
    story = (await floor.history(called))[2:]
    end = (await floor.ticket(called.id)).status
    assert (story, end) in [
        (["ticket_undone"], Status.WAITING),
        (["ticket_serving"], Status.SERVING),
        (["ticket_serving", "ticket_undone"], Status.CALLED),
    ]


@pytest.mark.parametrize("_", range(5))
async def test_a_transfer_taken_back_while_the_person_is_called_there(floor: Floor, _: int) -> None:
    ticket = await floor.enter("amina")
    there = await floor.transfer(ticket, "xray")
    await asyncio.gather(floor.undo(ticket), floor.call(clinic="xray"), return_exceptions=True)
    states = (await floor.ticket(ticket.id)).status, (await floor.ticket(there.id)).status
    assert states in [(Status.WAITING, Status.CANCELLED), (Status.TRANSFERRED, Status.CALLED)]


async def test_whoever_followed_a_transfer_that_was_taken_back_is_led_back(floor: Floor) -> None:
    left = await floor.enter("amina")
    made = await floor.transfer(left, "xray")
    await floor.undo(left)
    async with floor.house.here().read() as tx:
        assert await queries.following(tx, await floor.ticket(made.id)) == left.id
        assert await queries.following(tx, await floor.ticket(left.id)) is None
