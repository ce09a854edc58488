"""Reception creates a visit: a number of the day, a ticket, the patient's data once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from dawr.accounts.rules import Role
from dawr.facilities.rules import ClinicNotFound, DoctorNotFound, QueuePaused
from dawr.patients import commands as patients
from dawr.patients.rules import MergedMeanwhile, PatientNotFound
from dawr.platform.db import Answers, WriteTx
from dawr.platform.errors import Forbidden
from dawr.tickets.rules import AlreadyInQueue, Priority
from dawr.visits import commands
from dawr.visits.commands import Wish
from dawr.visits.rules import NoWayGiven, Status
from tests.conftest import Live
from tests.visits.conftest import Reception


async def test_a_visit_has_the_number_of_the_day_and_a_ticket(reception: Reception) -> None:
    made = await reception.visit()
    day = reception.house.facility.service_day(reception.house.clock.now())
    assert (made.shown_number, made.status) == (f"V-{day:%Y%m%d}-0001", Status.WAITING)
    assert await reception.tickets(made) == ["lab waiting"]
    assert await reception.types(made) == ["created"]


async def test_several_visits_a_day_of_one_patient(reception: Reception) -> None:
    amina = await reception.patient()
    visits = [await reception.visit(amina, clinic=clinic) for clinic in ("lab", "xray")]
    assert [one.number for one in visits] == [1, 2]


async def test_the_same_patient_is_not_twice_in_a_queue(reception: Reception) -> None:
    amina = await reception.patient()
    first = await reception.visit(amina)
    with pytest.raises(AlreadyInQueue) as refused:
        await reception.visit(amina)
    assert refused.value.extra == {"visit": str(first.visit)}
    assert (await reception.visit()).number == 2


async def test_a_doctor_alone_leads_to_their_first_clinic(reception: Reception) -> None:
    made = await reception.visit(doctor="dana")
    ticket = await reception.ticket(made)
    assert (ticket.clinic, ticket.doctor) == ("lab", "dana")


async def test_reception_may_give_a_priority(reception: Reception) -> None:
    made = await reception.visit(priority=Priority.EMERGENCY)
    assert (await reception.ticket(made)).priority is Priority.EMERGENCY


@pytest.mark.parametrize(
    ("wish", "refusal"),
    [
        ({"clinic": "nowhere"}, ClinicNotFound),
        ({"doctor": "nobody"}, DoctorNotFound),
        ({"clinic": "xray", "doctor": "dana"}, DoctorNotFound),
        ({"clinic": None}, NoWayGiven),
    ],
)
async def test_where_nobody_can_go_no_number_is_used_up(
    reception: Reception, wish: dict[str, Any], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        await reception.visit(**wish)
    assert (await reception.visit()).number == 1


async def test_a_missing_patient_uses_up_no_number(reception: Reception) -> None:
    with pytest.raises(PatientNotFound):
        await reception.visit(uuid4())
    made = await reception.visit()
    assert (made.number, (await reception.ticket(made)).number) == (1, 1)


async def test_a_patient_of_another_facility_does_not_exist(reception: Reception) -> None:
    sam = await (await reception.elsewhere()).patient("Sam")
    with pytest.raises(PatientNotFound):
        await reception.visit(sam)


async def test_a_paused_clinic_takes_no_visit(reception: Reception) -> None:
    here = reception.here(reception.house.ada)
    async with here.services.db.write(here.facility.id) as tx:
        await tx.execute("UPDATE clinic SET paused = true WHERE facility_id = %(facility_id)s")
    with pytest.raises(QueuePaused):
        await reception.visit()


async def test_a_doctor_creates_none(reception: Reception) -> None:
    with pytest.raises(Forbidden):
        await reception.visit(actor=reception.house.dana)


async def test_receptions_that_come_together_get_gapless_numbers(reception: Reception) -> None:
    everybody = [await reception.patient(f"Person {n}") for n in range(12)]
    ways = ("lab", "xray")
    made = await asyncio.gather(*(reception.visit(one, clinic=ways[n % 2]) for n, one in enumerate(everybody)))
    assert sorted(one.number for one in made) == list(range(1, 13))


class Trips(WriteTx):
    """Counts how often it waits for the database."""

    count = 0
    inside = False

    @asynccontextmanager
    async def one_trip(self) -> AsyncIterator[None]:
        self.count, self.inside = self.count + 1, True
        async with super().one_trip():
            yield
        self.inside = False

    async def _run(self, sql: str, params: dict[str, object]) -> Answers:
        self.count += not self.inside
        return await super()._run(sql, params)


async def test_a_visit_is_looked_at_once_and_written_once(reception: Reception) -> None:
    await reception.visit()
    here, amina = reception.here(), await reception.patient()
    async with here.write() as plain:
        tx = Trips(plain.connection, facility_id=here.facility.id, now=plain.now, metrics=here.services.metrics)
        await commands.begin(tx, here, amina, Wish(clinic="lab"))
    assert tx.count == 2


async def test_a_visit_of_a_merged_record_is_the_surviving_one_s(reception: Reception) -> None:
    amina, twin = await reception.patient(), await reception.patient()
    here = reception.here()
    async with here.write() as tx:
        await patients.merge(tx, here, twin, into=amina)
    made = await reception.visit(twin)
    assert made.patient == amina
    with pytest.raises(AlreadyInQueue) as refused:
        await reception.visit(twin)
    assert refused.value.extra == {"visit": str(made.visit)}


async def test_a_record_that_is_merged_away_meanwhile_is_to_be_asked_for_again(reception: Reception) -> None:
    amina, twin = await reception.patient(), await reception.patient()
    here = reception.here()
    async with here.write() as merging:
        await patients.merge(merging, here, twin, into=amina)
        visiting = asyncio.create_task(reception.visit(twin))
        while not await merging.value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.01)
    with pytest.raises(MergedMeanwhile):
        await visiting
    made = await reception.visit(twin)
    assert (made.patient, made.number) == (amina, 1)


async def test_a_record_that_is_erased_meanwhile_is_not_found(reception: Reception) -> None:
    amina, here = await reception.patient(), reception.here(reception.house.ada)
    async with here.write() as erasing:
        await patients.erase(erasing, here, amina, "asked for it")
        visiting = asyncio.create_task(reception.visit(amina))
        while not await erasing.value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.01)
    with pytest.raises(PatientNotFound):
        await visiting


async def test_the_desk_sees_the_patient_s_name_and_phone(live: Live, reception: Reception) -> None:
    await reception.visit(await reception.patient("Amina", phones=("+97455500123",)))
    async with live.staff(reception.house, Role.RECEPTION) as rui:
        shown = (await rui.get("/api/v1/queue/tickets?clinic=lab")).json()["items"]
    assert [(one["name"], one["phone"]) for one in shown] == [("Amina", "+97455500123")]


async def test_people_are_told_through_the_outbox(reception: Reception) -> None:
    made = await reception.visit()
    async with reception.here().services.db.read(reception.house.facility.id) as tx:
        rows = await tx.rows(
            "SELECT payload, key FROM outbox WHERE facility_id = %(facility_id)s AND topic = 'visit_event'"
        )
    assert rows == [{"payload": {"visit": str(made.visit), "type": "visit_created"}, "key": f"visit:{made.visit}:1"}]
