"""Ending a service."""

import asyncio
from datetime import timedelta

import pytest

from dawr.tickets.rules import Status, TicketNotFound, Verb, WrongState
from tests.conftest import House
from tests.tickets.conftest import ONLY_STAFF, Floor, not_from


async def test_the_duration_counts_from_the_start_of_the_service(floor: Floor, house: House) -> None:
    called = await floor.called("amina")
    house.clock.offset += timedelta(minutes=5)
    await floor.move(called, Verb.SERVE)
    house.clock.offset += timedelta(minutes=10)
    done = await floor.move(called, Verb.DONE)
    assert done.status is Status.DONE
    assert done.duration is not None
    assert round(done.duration.total_seconds()) == 600


async def test_without_a_start_it_counts_from_the_call(floor: Floor, house: House) -> None:
    called = await floor.called("amina")
    house.clock.offset += timedelta(minutes=3)
    done = await floor.move(called, Verb.DONE)
    assert (await floor.view(done.id)).answer()["duration_seconds"] == 180


async def test_a_clock_set_back_meanwhile_gives_no_negative_duration(floor: Floor, house: House) -> None:
    serving = await floor.in_state("amina", Status.SERVING)
    house.clock.offset -= timedelta(hours=1)
    await floor.move(serving, Verb.DONE)
    assert (await floor.view(serving.id)).answer()["duration_seconds"] == 0


async def test_a_clock_set_back_meanwhile_gives_no_negative_wait(floor: Floor, house: House) -> None:
    ticket = await floor.enter("amina")
    house.clock.offset -= timedelta(hours=1)
    await floor.call_ticket(ticket)
    assert (await floor.status()).mean_wait_minutes == 0


async def test_the_done_are_counted_and_gone_from_the_lists(floor: Floor) -> None:
    await floor.in_state("amina", Status.DONE)
    found = await floor.status()
    assert (found.done, found.gone, found.called, found.serving) == (1, 0, (), ())


@pytest.mark.parametrize("status", not_from(Verb.DONE))
async def test_only_called_and_serving_can_be_done(floor: Floor, status: Status) -> None:
    ticket = await floor.in_state("amina", status)
    with pytest.raises(WrongState) as refused:
        await floor.move(ticket, Verb.DONE)
    assert refused.value.extra == {"state": status}


@pytest.mark.parametrize(("who", "refusal"), ONLY_STAFF)
async def test_others_may_not_end_a_service(floor: Floor, who: str, refusal: type[Exception]) -> None:
    ticket = await floor.in_state("amina", Status.SERVING)
    with pytest.raises(refusal):
        await floor.move(ticket, Verb.DONE, actor=floor.someone(who, ticket))


async def test_another_facilitys_ticket_does_not_exist(floor: Floor) -> None:
    ticket, other = await floor.called("amina"), await floor.elsewhere()
    with pytest.raises(TicketNotFound):
        await other.move(ticket, Verb.DONE)


async def test_done_at_once_by_two_counts_once(floor: Floor) -> None:
    serving = await floor.in_state("amina", Status.SERVING)
    answers = await asyncio.gather(*(floor.move(serving, Verb.DONE) for _ in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == ["Ticket", *["WrongState"] * 3]
    assert (await floor.status()).done == 1


async def test_done_and_not_come_at_once_leave_one_ending(floor: Floor) -> None:
    called = await floor.called("amina")
    await asyncio.gather(floor.move(called, Verb.DONE), floor.move(called, Verb.NO_SHOW), return_exceptions=True)
    found = await floor.status()
    assert found.done + found.gone == 1
    assert len(await floor.history(called)) == 3
