"""Shorthands for the tests of consultations: a doctor who is signed in, a patient who is called, and all that is kept of it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import pytest
from pydantic import BaseModel

from dawr.accounts.rules import Role
from dawr.consultations.api_shapes import ConsultationAnswer, DoctorFigures
from dawr.patients import commands as patients
from dawr.patients.rules import Identity
from dawr.tickets.rules import Ticket, Verb
from dawr.visits import commands as visits
from tests.conftest import House, Live
from tests.tickets.conftest import Floor, floor

__all__ = ["floor"]
NOTES = "Cough for two weeks.\nLungs clear; come again in a month."
DANA: dict[str, Any] = {"clinics": ["lab"], "doctor": "dana"}
KEPT = (
    "consultation",
    "consultation_note",
    "doctor_average",
    "event",
    "queue",
    "ticket",
    "visit",
    "visit_ticket",
    "counter",
)


def as_described(answer: dict[str, Any], shape: type[BaseModel]) -> dict[str, Any]:
    """The answer, which has the members that its description names, and no others."""
    shape.model_validate(answer)
    assert set(answer) == {field.alias or name for name, field in shape.model_fields.items()}
    return answer


@dataclass
class Room:
    """A doctor's room in the lab. ``doctor`` is Dana's client."""

    live: Live
    floor: Floor
    doctor: httpx2.AsyncClient

    @property
    def house(self) -> House:
        return self.floor.house

    async def visit(self, name: str = "Amina Haddad", *, clinic: str = "lab") -> tuple[UUID, UUID]:
        """Somebody reception knows, waiting in a clinic: the patient and the visit."""
        here = self.house.here(self.house.rui)
        async with here.write() as tx:
            patient = await patients.create(tx, here, Identity(name=name, phones=("+97455550101",)))
        return patient.patient, await self.again(patient.patient, clinic=clinic)

    async def again(self, patient: UUID, *, clinic: str = "lab") -> UUID:
        """Another visit of the same person."""
        here = self.house.here(self.house.rui)
        async with here.write() as tx:
            return (await visits.create(tx, here, patient_id=patient, clinic=clinic)).visit

    async def serving(self) -> Ticket:
        """Whoever is next, with the doctor now."""
        return await self.floor.move(await self.floor.call(desk="1"), Verb.SERVE)

    async def walk_in(self) -> Ticket:
        """Somebody without a visit, with the doctor now."""
        await self.floor.enter("walk-in")
        return await self.serving()

    async def patient(self) -> tuple[UUID, Ticket]:
        """A patient with the doctor now."""
        patient, _ = await self.visit()
        return patient, await self.serving()

    async def consult(self, ticket: Ticket | UUID, *, key: str | None = None, **more: Any) -> httpx2.Response:
        body = {"ticket": str(ticket.id if isinstance(ticket, Ticket) else ticket), "notes": NOTES} | more
        headers = {"Idempotency-Key": key} if key else {}
        return await self.doctor.post("/api/v1/consultations", json=body, headers=headers)

    async def consulted(self, ticket: Ticket, **more: Any) -> dict[str, Any]:
        answer = await self.consult(ticket, **more)
        assert answer.status_code == 201, answer.text
        return as_described(answer.json(), ConsultationAnswer)

    async def kept(self) -> dict[str, list[str]]:
        """Every row of the facility that a consultation could touch."""
        async with self.house.here().read() as tx:
            return {
                name: [row["r"] for row in await tx.rows(f"SELECT t::text AS r FROM {name} t ORDER BY 1")]
                for name in KEPT
            }

    async def figures(self, doctor: str = "dana") -> tuple[int, float | None]:
        answer = await self.doctor.get(f"/api/v1/doctors/{doctor}/figures")
        assert answer.status_code == 200, answer.text
        found = as_described(answer.json(), DoctorFigures)
        return found["consultations"], found["mean_seconds"]

    async def log(self, consultation: str) -> list[dict[str, Any]]:
        """The events of a consultation."""
        async with self.house.here().read() as tx:
            return await tx.rows(
                "SELECT type, version, data FROM event WHERE stream = %(s)s ORDER BY version",
                s=f"consultation:{consultation}",
            )


@pytest.fixture
async def room(live: Live, floor: Floor) -> AsyncIterator[Room]:
    async with live.staff(floor.house, Role.DOCTOR, **DANA) as doctor:
        yield Room(live, floor, doctor)
