"""A visit follows its tickets, whatever the desks do, in the same transaction."""

import asyncio

import pytest

from dawr.platform.errors import Conflict
from dawr.tickets import commands as tickets
from dawr.tickets.rules import Verb as Step
from dawr.visits.rules import Status
from tests.visits.conftest import Reception


async def test_the_first_service_begins_it_and_the_last_ends_it(reception: Reception) -> None:
    made = await reception.visit()
    assert await reception.step(made, Step.CALL) is Status.WAITING
    assert await reception.step(made, Step.SERVE) is Status.IN_PROGRESS
    assert await reception.step(made, Step.DONE) is Status.COMPLETED
    assert await reception.types(made) == ["created", "started", "completed"]


async def test_it_goes_on_while_another_ticket_waits(reception: Reception) -> None:
    made = await reception.add(await reception.visit())
    assert await reception.step(made, Step.CALL, Step.DONE) is Status.IN_PROGRESS
    assert await reception.step(made, Step.CALL, Step.DONE, clinic="xray") is Status.COMPLETED
    assert await reception.types(made) == ["created", "ticket_added", "started", "completed"]


async def test_who_did_not_come_and_rejoins(reception: Reception) -> None:
    made = await reception.visit()
    assert await reception.step(made, Step.CALL, Step.NO_SHOW) is Status.NO_SHOW
    assert await reception.step(made, Step.REJOIN) is Status.WAITING
    assert await reception.types(made) == ["created", "no_show", "reopened"]


async def test_a_ticket_cancelled_by_its_holder_cancels_the_visit(reception: Reception) -> None:
    made = await reception.visit()
    assert await reception.step(made, Step.CANCEL) is Status.CANCELLED


async def test_undo_takes_the_visit_back(reception: Reception) -> None:
    made = await reception.visit()
    await reception.step(made, Step.CALL, Step.SERVE, Step.DONE)
    assert await reception.undo(made) is Status.IN_PROGRESS
    assert (await reception.view(made)).visit.ended_at is None


async def test_a_service_begun_by_mistake_is_taken_back(reception: Reception) -> None:
    made = await reception.visit()
    await reception.step(made, Step.CALL, Step.SERVE)
    assert await reception.undo(made) is Status.WAITING
    assert (await reception.view(made)).visit.started_at is None


async def test_held_from_the_desk_it_is_still_in_progress(reception: Reception) -> None:
    made = await reception.visit()
    assert await reception.step(made, Step.CALL, Step.SERVE, Step.HOLD) is Status.IN_PROGRESS


async def test_a_transferred_ticket_joins_the_visit(reception: Reception) -> None:
    made = await reception.visit()
    assert await reception.transfer(made) is Status.WAITING
    assert await reception.tickets(made) == ["lab transferred", "xray waiting"]
    assert await reception.step(made, Step.CALL, Step.DONE, clinic="xray") is Status.COMPLETED


async def test_transferred_from_a_service_it_is_in_progress(reception: Reception) -> None:
    made = await reception.visit()
    await reception.step(made, Step.CALL, Step.SERVE)
    assert await reception.transfer(made) is Status.IN_PROGRESS
    assert await reception.types(made) == ["created", "started"]


async def test_a_transfer_taken_back_leaves_the_visit_as_it_was(reception: Reception) -> None:
    made = await reception.visit()
    await reception.transfer(made)
    assert await reception.undo(made) is Status.WAITING
    assert await reception.tickets(made) == ["lab waiting", "xray cancelled"]
    assert await reception.types(made) == ["created"]


async def test_a_reset_cancels_every_visit_of_the_queue(reception: Reception) -> None:
    visits = [await reception.visit() for _ in range(3)]
    here = reception.here(reception.house.ada)
    async with here.write() as tx:
        await tickets.reset(tx, here.actor, here.facility, clinic_id="lab", reason="drill")
    assert [await reception.status(one) for one in visits] == [Status.CANCELLED] * 3


async def test_the_event_names_who_did_it(reception: Reception) -> None:
    made, dana = await reception.visit(), reception.house.dana
    await reception.step(made, Step.CALL, Step.SERVE, actor=dana)
    assert (await reception.history(made))[-1].actor == dana.label


async def test_versions_have_no_gap(reception: Reception) -> None:
    made = await reception.add(await reception.visit())
    await reception.step(made, Step.CALL, Step.SERVE, Step.DONE)
    await reception.step(made, Step.CANCEL, clinic="xray")
    versions = [event.version for event in await reception.history(made)]
    assert versions == list(range(1, (await reception.view(made)).visit.version + 1))


async def test_two_desks_at_once_end_it_once(reception: Reception) -> None:
    made = await reception.add(await reception.visit())
    await asyncio.gather(
        reception.step(made, Step.CALL, Step.DONE), reception.step(made, Step.CALL, Step.DONE, clinic="xray")
    )
    assert await reception.status(made) is Status.COMPLETED
    assert (await reception.types(made)).count("completed") == 1


async def test_a_step_that_fails_leaves_the_visit_alone(reception: Reception) -> None:
    made = await reception.visit()
    with pytest.raises(Conflict):
        await reception.step(made, Step.DONE)
    assert await reception.types(made) == ["created"]


async def test_served_sent_on_and_not_gone_there_it_is_completed(reception: Reception) -> None:
    made = await reception.visit()
    await reception.step(made, Step.CALL, Step.SERVE)
    await reception.transfer(made)
    assert await reception.step(made, Step.CALL, Step.NO_SHOW, clinic="xray") is Status.COMPLETED
