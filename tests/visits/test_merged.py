"""Two records of one person who stand in queues: after a merge the person stands in each once, parted each where they stood."""

import pytest

from dawr.patients import commands as patients
from dawr.tickets.rules import AlreadyInQueue
from dawr.tickets.rules import Verb as Step
from dawr.visits.rules import Status, Visit
from tests.visits.conftest import Reception


async def merge(reception: Reception, one: Visit, *, into: Visit) -> None:
    here = reception.here()
    async with here.write() as tx:
        await patients.merge(tx, here, one.patient, into=into.patient)


async def part(reception: Reception, one: Visit) -> None:
    here = reception.here()
    async with here.write() as tx:
        await patients.unmerge(tx, here, one.patient)


async def states(reception: Reception, *visits: Visit) -> list[tuple[str, list[str]]]:
    shown = [await reception.view(one) for one in visits]
    return [(one.visit.status.value, [ticket["status"] for ticket in one.tickets]) for one in shown]


async def test_the_later_ticket_gives_way(reception: Reception) -> None:
    first, second = await reception.visit(), await reception.visit()
    await merge(reception, first, into=second)
    assert await states(reception, first, second) == [("waiting", ["waiting"]), ("cancelled", ["cancelled"])]
    assert (await reception.types(second))[-2:] == ["cancelled", "ticket_set_aside"]


async def test_who_was_called_stays(reception: Reception) -> None:
    first, second = await reception.visit(), await reception.visit()
    await reception.step(second, Step.CALL)
    await merge(reception, first, into=second)
    assert await states(reception, first, second) == [("cancelled", ["cancelled"]), ("waiting", ["called"])]


async def test_two_who_are_served_at_once_are_both_served_to_the_end(reception: Reception) -> None:
    first, second = await reception.visit(), await reception.visit()
    for one in (first, second):
        await reception.step(one, Step.CALL, Step.SERVE)
    await merge(reception, first, into=second)
    assert await states(reception, first, second) == [("in_progress", ["serving"])] * 2
    with pytest.raises(AlreadyInQueue):
        await reception.visit(first.patient)
    await part(reception, first)
    for one in (first, second):
        assert await reception.step(one, Step.DONE) is Status.COMPLETED
        assert (await reception.visit(one.patient)).patient == one.patient


async def test_parted_both_stand_where_they_stood(reception: Reception) -> None:
    first, between, second = [await reception.visit() for _ in range(3)]
    await merge(reception, first, into=second)
    await part(reception, first)
    assert await states(reception, first, between, second) == [("waiting", ["waiting"])] * 3
    assert (await reception.view(second)).tickets[0]["position"] == 3


async def test_in_different_queues_both_stand(reception: Reception) -> None:
    first, second = await reception.visit(), await reception.visit(clinic="xray")
    await merge(reception, first, into=second)
    assert await states(reception, first, second) == [("waiting", ["waiting"])] * 2


async def test_a_visit_with_another_ticket_goes_on(reception: Reception) -> None:
    first, second = await reception.visit(), await reception.visit()
    await reception.add(second, clinic="xray")
    await merge(reception, first, into=second)
    assert await states(reception, second) == [("waiting", ["cancelled", "waiting"])]


async def test_what_was_cancelled_otherwise_stays_so(reception: Reception) -> None:
    first, second = await reception.visit(), await reception.visit()
    await merge(reception, first, into=second)
    await part(reception, first)
    await reception.end(second)
    await merge(reception, first, into=second)
    await part(reception, first)
    assert await reception.status(second) is Status.CANCELLED


async def test_whose_other_ticket_is_over_has_their_own_again(reception: Reception) -> None:
    first, second = await reception.visit(), await reception.visit()
    await merge(reception, first, into=second)
    await reception.step(first, Step.CALL, Step.DONE)
    await part(reception, first)
    assert await states(reception, first, second) == [("completed", ["done"]), ("waiting", ["waiting"])]


async def test_who_stands_there_under_either_record_does_not_enter_again(reception: Reception) -> None:
    one, other = await reception.visit(), await reception.visit(clinic="xray")
    await merge(reception, one, into=other)
    for patient in (one.patient, other.patient):
        for clinic in ("lab", "xray"):
            with pytest.raises(AlreadyInQueue):
                await reception.visit(patient, clinic=clinic)
    await part(reception, one)
    assert (await reception.visit(one.patient, clinic="xray")).patient == one.patient
    assert (await reception.visit(other.patient)).patient == other.patient


async def test_a_ticket_that_was_set_aside_does_not_come_back_beside_the_other(reception: Reception) -> None:
    first, second = await reception.visit(), await reception.visit()
    await merge(reception, second, into=first)
    with pytest.raises(AlreadyInQueue):
        await reception.undo(second)
    await reception.step(first, Step.CALL, Step.DONE)
    assert await reception.undo(second) is Status.WAITING
    with pytest.raises(AlreadyInQueue):
        await reception.undo(first)


async def test_who_was_gone_does_not_come_back_beside_their_other_ticket(reception: Reception) -> None:
    first, gone = await reception.visit(), await reception.visit()
    await reception.step(gone, Step.CALL, Step.NO_SHOW)
    await merge(reception, gone, into=first)
    with pytest.raises(AlreadyInQueue):
        await reception.step(gone, Step.REJOIN)
    await part(reception, gone)
    await reception.step(gone, Step.REJOIN)
    assert await states(reception, first, gone) == [("waiting", ["waiting"])] * 2


async def test_a_transfer_is_not_taken_back_to_where_the_other_ticket_is(reception: Reception) -> None:
    moved, other = await reception.visit(), await reception.visit()
    await reception.transfer(moved)
    await merge(reception, moved, into=other)
    with pytest.raises(AlreadyInQueue):
        await reception.undo(moved)
    await part(reception, moved)
    await reception.undo(moved)
    assert await states(reception, moved) == [("waiting", ["waiting", "cancelled"])]


async def test_another_facilitys_queues_are_left_alone(reception: Reception) -> None:
    elsewhere = await reception.elsewhere()
    theirs = await elsewhere.visit()
    first, second = await reception.visit(), await reception.visit()
    await merge(reception, first, into=second)
    assert await elsewhere.status(theirs) is Status.WAITING
