"""A patient's visits: newest first, a page at a time, and who may know of them."""

from uuid import UUID

from dawr.patients import commands as patients
from dawr.visits import commands, queries
from dawr.visits.rules import Visit
from tests.visits.conftest import Reception


async def pages(reception: Reception, patient: UUID, *, limit: int) -> list[Visit]:
    seen: list[Visit] = []
    while True:
        async with reception.here().read() as tx:
            page = await queries.of_patient(tx, patient, before=seen[-1].visit if seen else None, limit=limit)
        if not page:
            return seen
        seen += page


async def test_newest_first_and_none_twice(reception: Reception) -> None:
    amina = await reception.patient()
    made = [await reception.visit(amina)]
    for _ in range(4):
        await reception.end(made[-1])
        made.append(await reception.visit(amina))
    assert [one.number for one in await pages(reception, amina, limit=2)] == [5, 4, 3, 2, 1]


async def test_a_merged_record_brings_its_visits(reception: Reception) -> None:
    amina, double = await reception.patient(), await reception.patient("Amena")
    made = [await reception.visit(amina), await reception.visit(double, clinic="xray")]
    here = reception.here()
    async with here.write() as tx:
        await patients.merge(tx, here, double, into=amina)
    assert [one.visit for one in await pages(reception, amina, limit=1)] == [one.visit for one in reversed(made)]
    await reception.end(made[1])
    assert (await reception.visit(double, clinic="xray")).patient == amina


async def test_a_doctor_knows_whom_their_clinic_saw(reception: Reception) -> None:
    made = await reception.visit()
    await reception.end(made)
    async with reception.here().read() as tx:
        assert await queries.known_to(tx, made.patient, {"lab", "eyes"})
        assert not await queries.known_to(tx, made.patient, {"xray"})
        assert not await queries.known_to(tx, await reception.patient(), {"lab"})


async def test_the_visit_of_a_ticket_and_of_an_appointment(reception: Reception) -> None:
    appointment = UUID(int=7)
    made = await reception.visit(appointment=appointment)
    ticket = await reception.ticket(made)
    async with reception.here().read() as tx:
        assert await commands.of_ticket(tx, ticket.id) == made.visit
        assert await queries.of_appointment(tx, appointment) == made.visit
        assert await commands.of_ticket(tx, made.visit) is None
