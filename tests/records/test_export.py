"""Everything that is kept of one person, in one document."""

from typing import Any
from uuid import UUID

import httpx2
import pytest

from dawr.accounts.rules import Role
from dawr.records.api import ExportAnswer
from dawr.records.queries import MESSAGES
from dawr.visits import commands as visits
from tests.conftest import found_house
from tests.consultations.conftest import DANA, NOTES, Room, as_described
from tests.consultations.conftest import room as room
from tests.records.conftest import rate


async def export(client: httpx2.AsyncClient, patient: UUID) -> dict[str, Any]:
    answer = await client.get(f"/api/v1/patients/{patient}/export")
    assert answer.status_code == 200, answer.text
    return as_described(answer.json(), ExportAnswer)


async def seen(room: Room) -> UUID:
    """Somebody with a past: a visit for a reason, a consultation, a rating, and a message."""
    patient, visit = await room.visit()
    ticket = await room.serving()
    await room.consulted(ticket, outcome="follow_up")
    async with room.live.client(room.house) as phone:
        await rate(phone, room.house, ticket, 4, word="Thorough")
    here = room.house.here(room.house.rui)
    async with here.write() as tx:
        await visits.create(tx, here, patient_id=patient, clinic="xray", reason="The knee again")
    assert visit
    return patient


async def test_a_doctor_gives_out_all_of_it(room: Room) -> None:
    patient = await seen(room)
    found = await export(room.doctor, patient)
    assert (found["identity"]["name"], found["identity"]["phone"]) == ("Amina Haddad", "+97455550101")
    assert [one["reasons"] for one in found["visits"]] == [["The knee again"], []]
    assert [one["clinic"] for visit in found["visits"] for one in visit["tickets"]] == ["xray", "lab"]
    [consultation] = found["consultations"]
    assert (found["findings"], consultation["notes"], consultation["outcome"]) == (True, NOTES, "follow_up")
    assert [(one["stars"], one["word"]) for one in found["ratings"]] == [(4, "Thorough")]
    assert (found["appointments"], found["facility"]) == ([], room.house.facility.slug)


async def test_an_administrator_gives_it_out_without_what_was_found(room: Room) -> None:
    patient = await seen(room)
    async with room.live.staff(room.house, Role.ADMINISTRATOR) as ada:
        found = await export(ada, patient)
    assert found["findings"] is False
    assert {"notes", "outcome"}.isdisjoint(found["consultations"][0])
    assert found["identity"]["name"] == "Amina Haddad"


async def test_it_says_who_read_the_record_and_is_read_itself(room: Room) -> None:
    patient = await seen(room)
    async with room.live.staff(room.house, Role.ADMINISTRATOR) as ada:
        purposes = [one["purpose"] for one in (await export(ada, patient))["read_by"]]
    assert (purposes[0], set(purposes)) == ("export", {"export", "reception"})


async def test_what_was_sent_to_them_is_in_it(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = await seen(room)

    async def sent(_tx: object, _here: object, patients: list[UUID]) -> list[dict[str, Any]]:
        return [{"to": str(one)} for one in patients]

    monkeypatch.setitem(room.house.services.additions, MESSAGES, sent)
    assert (await export(room.doctor, patient))["messages"] == [{"to": str(patient)}]


async def test_nobody_else_gets_it(room: Room) -> None:
    patient, _ = await room.patient()
    path = f"/api/v1/patients/{patient}/export"
    elsewhere = await found_house(room.house.services)
    async with (
        room.live.client(room.house) as stranger,
        room.live.staff(room.house, Role.RECEPTION) as rui,
        room.live.staff(room.house, Role.DOCTOR, clinics=["xray"]) as other,
        room.live.staff(elsewhere, Role.DOCTOR, **DANA) as sam,
        room.live.staff(elsewhere, Role.ADMINISTRATOR) as their,
    ):
        answers = [await one.get(path) for one in (stranger, rui, other, sam, their)]
    assert [one.status_code for one in answers] == [401, 403, 403, 404, 404]
