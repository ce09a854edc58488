"""Reception ends a visit, and takes that back."""

import asyncio
from datetime import timedelta

import pytest

from dawr.accounts.rules import STRANGER
from dawr.patients import commands as patients
from dawr.platform.errors import Forbidden, Unauthenticated
from dawr.tickets.rules import AlreadyInQueue
from dawr.tickets.rules import Verb as Step
from dawr.visits import commands
from dawr.visits.rules import Status, Verb, VisitNotFound, WrongVisitState
from tests.visits.conftest import Reception


async def test_cancelling_cancels_the_open_tickets(reception: Reception) -> None:
    made = await reception.add(await reception.visit())
    await reception.step(made, Step.CALL)
    assert (await reception.end(made)).status is Status.CANCELLED
    assert await reception.tickets(made) == ["lab cancelled", "xray cancelled"]
    assert await reception.types(made) == ["created", "ticket_added", "cancelled"]


async def test_cancelling_halfway_stays_cancelled(reception: Reception) -> None:
    made = await reception.add(await reception.visit())
    await reception.step(made, Step.CALL, Step.DONE)
    await reception.end(made)
    assert await reception.status(made) is Status.CANCELLED
    assert await reception.tickets(made) == ["lab done", "xray cancelled"]


async def test_who_is_being_served_is_not_cancelled(reception: Reception) -> None:
    made = await reception.visit()
    await reception.step(made, Step.CALL, Step.SERVE)
    with pytest.raises(WrongVisitState) as refused:
        await reception.end(made)
    assert refused.value.extra["state"] == "in_progress"


async def test_completing_ends_what_is_at_a_desk_and_cancels_what_waits(reception: Reception) -> None:
    made = await reception.add(await reception.visit())
    await reception.step(made, Step.CALL, Step.SERVE)
    assert (await reception.end(made, Verb.COMPLETE)).status is Status.COMPLETED
    assert await reception.tickets(made) == ["lab done", "xray cancelled"]


async def test_a_patient_who_did_not_come(reception: Reception) -> None:
    made = await reception.add(await reception.visit())
    await reception.step(made, Step.CALL)
    assert (await reception.end(made, Verb.NO_SHOW)).status is Status.NO_SHOW
    assert await reception.tickets(made) == ["lab no_show", "xray cancelled"]


async def test_a_reason_is_kept_sealed_and_shown(reception: Reception) -> None:
    made = await reception.visit(reason="canary-cough")
    await reception.end(made, reason="canary-left")
    answer = (await reception.view(made)).answer()
    assert (answer["reason"], answer["history"][-1]["reason"]) == ("canary-cough", "canary-left")
    async with reception.here().read() as tx:
        told = await tx.rows("SELECT data::text FROM event WHERE facility_id = %(facility_id)s")
        kept = await tx.rows("SELECT reason_sealed FROM visit_reason WHERE facility_id = %(facility_id)s")
    assert b"canary" not in b"".join([bytes(row["reason_sealed"]) for row in kept] + [str(told).encode()])


async def test_reopening_brings_the_tickets_back_to_their_places(reception: Reception) -> None:
    made = await reception.visit()
    before = await reception.ticket(made)
    await reception.visit()
    await reception.end(made)
    assert (await reception.reopen(made)).status is Status.WAITING
    after = await reception.ticket(made)
    assert (after.status, after.order_key) == (before.status, before.order_key)
    assert await reception.types(made) == ["created", "cancelled", "reopened"]


async def test_reopening_what_the_desks_ended_gives_no_ticket_back(reception: Reception) -> None:
    made = await reception.visit()
    await reception.step(made, Step.CALL, Step.DONE)
    assert (await reception.reopen(made)).status is Status.IN_PROGRESS
    assert await reception.tickets(made) == ["lab done"]
    assert (await reception.end(await reception.add(made))).status is Status.CANCELLED


async def test_a_patient_who_came_again_is_not_reopened_twice(reception: Reception) -> None:
    amina = await reception.patient()
    made = await reception.visit(amina)
    await reception.end(made)
    await reception.visit(amina)
    with pytest.raises(AlreadyInQueue):
        await reception.reopen(made)
    assert await reception.status(made) is Status.CANCELLED


async def test_an_ended_visit_takes_no_ticket(reception: Reception) -> None:
    made = await reception.visit()
    await reception.end(made)
    with pytest.raises(WrongVisitState):
        await reception.add(made)
    assert await reception.tickets(made) == ["lab cancelled"]


async def test_yesterday_s_visit_stays_as_it_is(reception: Reception) -> None:
    made = await reception.visit()
    await reception.end(made)
    reception.house.clock.offset += timedelta(days=1)
    with pytest.raises(WrongVisitState):
        await reception.reopen(made)


@pytest.mark.parametrize(("who", "refusal"), [("dana", Forbidden), ("stranger", Unauthenticated)])
async def test_reception_alone_ends_visits(reception: Reception, who: str, refusal: type[Exception]) -> None:
    made = await reception.visit()
    with pytest.raises(refusal):
        await reception.end(made, actor=STRANGER if who == "stranger" else reception.house.dana)


async def test_another_facility_s_visit_does_not_exist(reception: Reception) -> None:
    theirs = await (await reception.elsewhere()).visit()
    for act in (reception.end, reception.reopen, reception.view):
        with pytest.raises(VisitNotFound):
            await act(theirs)


async def test_cancelling_while_desks_work_neither_hangs_nor_splits(reception: Reception) -> None:
    made = await reception.add(await reception.visit())
    await reception.step(made, Step.CALL)
    outcomes = await asyncio.gather(
        reception.end(made),
        reception.step(made, Step.DONE),
        reception.step(made, Step.CALL, clinic="xray"),
        return_exceptions=True,
    )
    assert not [one for one in outcomes if isinstance(one, Exception) and not hasattr(one, "code")]
    assert (await reception.status(made) is Status.CANCELLED) == (not isinstance(outcomes[0], Exception))
    assert not [one for one in await reception.tickets(made) if one.endswith(("waiting", "called"))]


async def test_an_erased_patient_is_forgotten_on_the_tickets(reception: Reception) -> None:
    amina = await reception.patient("Amina", phones=("+97455500123",))
    made = await reception.visit(amina, reason="cough")
    here = reception.here(reception.house.ada)
    async with here.write() as tx:
        await patients.erase(tx, here, amina, "asked for it")
        shown = await commands.opened(tx, here, made.visit)
        row = await tx.row("SELECT name_sealed, phone_sealed, person FROM ticket WHERE facility_id = %(facility_id)s")
    assert (shown.patient.erased, shown.answer()["reason"]) == (True, None)
    assert row == {"name_sealed": None, "phone_sealed": None, "person": None}
