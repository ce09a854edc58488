"""What was written stays; who wrote it may add to it."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest
from psycopg.errors import InsufficientPrivilege

from dawr.accounts.rules import Role
from dawr.consultations.api_shapes import OpenedConsultation
from tests.conftest import found_house
from tests.consultations.conftest import DANA, NOTES, Room, as_described

MORE = "The X-ray shows nothing either."


async def patch(client: httpx2.AsyncClient, made: dict[str, Any], **body: Any) -> httpx2.Response:
    return await client.patch(f"/api/v1/consultations/{made['consultation']}", json=body)


async def opened(room: Room, made: dict[str, Any]) -> dict[str, Any]:
    answer = await room.doctor.get(f"/api/v1/consultations/{made['consultation']}")
    assert answer.status_code == 200, answer.text
    return as_described(answer.json(), OpenedConsultation)


async def test_an_amendment_stands_beside_what_was_there(room: Room) -> None:
    _, ticket = await room.patient()
    made = await room.consulted(ticket, outcome="treated")
    answer = await patch(room.doctor, made, notes=MORE, outcome="follow_up")
    assert (answer.status_code, answer.json()["version"], answer.json()["status"]) == (200, 2, "amended")
    found = await opened(room, made)
    assert found["notes"] == MORE
    assert [(one["version"], one["notes"], one["outcome"]) for one in found["versions"]] == [
        (1, NOTES, "treated"),
        (2, MORE, "follow_up"),
    ]
    assert [one["type"] for one in await room.log(made["consultation"])] == [
        "consultation_completed",
        "consultation_amended",
    ]


async def test_what_is_not_sent_stays(room: Room) -> None:
    made = await room.consulted(await room.walk_in(), outcome="treated")
    await patch(room.doctor, made, notes=MORE)
    assert (await opened(room, made))["outcome"] == "treated"
    await patch(room.doctor, made, outcome=None)
    found = await opened(room, made)
    assert (found["notes"], found["outcome"], found["version"]) == (MORE, None, 3)


async def test_the_average_does_not_hear_of_it(room: Room) -> None:
    made = await room.consulted(await room.walk_in())
    before = await room.figures()
    await patch(room.doctor, made, notes=MORE)
    assert await room.figures() == before


async def test_nobody_else_amends_it(room: Room) -> None:
    made = await room.consulted(await room.walk_in())
    elsewhere = await found_house(room.house.services)
    async with (
        room.live.client(room.house) as stranger,
        room.live.staff(room.house, Role.DOCTOR, clinics=["lab"], doctor="omar") as omar,
        room.live.staff(room.house, Role.ADMINISTRATOR) as ada,
        room.live.staff(elsewhere, Role.DOCTOR, **DANA) as sam,
    ):
        answers = [await patch(one, made, notes="Not mine") for one in (stranger, omar, ada, sam)]
    assert [one.status_code for one in answers] == [401, 403, 403, 404]
    assert answers[1].json()["code"] == "not_the_author"
    assert len((await opened(room, made))["versions"]) == 1


async def test_who_read_an_earlier_version_changes_nothing(room: Room) -> None:
    made = await room.consulted(await room.walk_in())
    await patch(room.doctor, made, notes=MORE, version=1)
    answer = await patch(room.doctor, made, notes="Too late", version=1)
    assert (answer.status_code, answer.json()["code"], answer.json()["current"]["version"]) == (
        409,
        "changed_meanwhile",
        2,
    )


async def test_an_amendment_says_something(room: Room) -> None:
    nobody = {"consultation": str(uuid4())}
    for body in ({}, {"version": 1}, {"notes": None}, {"notes": "x", "clinic": "xray"}):
        assert (await patch(room.doctor, nobody, **body)).status_code == 422, body
    assert (await patch(room.doctor, nobody, notes="x")).json()["code"] == "consultation_not_found"


async def test_the_store_itself_overwrites_no_note(room: Room) -> None:
    await room.consulted(await room.walk_in())
    for forbidden in ("UPDATE consultation_note SET outcome = NULL", "DELETE FROM consultation_note"):
        with pytest.raises(InsufficientPrivilege):
            async with room.house.here().write() as tx:
                await tx.execute(forbidden)


async def test_reading_notes_of_nobodys_record_is_written_down_too(room: Room) -> None:
    made = await room.consulted(await room.walk_in())
    path = f"/api/v1/consultations/{made['consultation']}"
    await room.doctor.get(path)
    await room.doctor.get(path, headers={"Access-Reason": "asked by the patient"})
    assert (await room.doctor.get(path + "/accesses")).status_code == 403
    async with room.live.staff(room.house, Role.ADMINISTRATOR) as ada:
        told = (await ada.get(path + "/accesses", params={"limit": 1, "total": "true"})).json()
        rest = (await ada.get(path + "/accesses", params={"cursor": told["next"]})).json()
    assert [one["reason"] for one in told["items"] + rest["items"]] == ["asked by the patient", None]
    assert (told["total"], rest["next"]) == (2, None)
    assert all(one["actor"].startswith("account:") for one in told["items"])


async def test_reading_notes_is_in_the_patients_trail(room: Room) -> None:
    patient, ticket = await room.patient()
    made = await room.consulted(ticket)
    await opened(room, made)
    async with room.house.here().read() as tx:
        rows = await tx.rows("SELECT actor, purpose FROM patient_access WHERE patient = %(p)s", p=patient)
    assert [one["purpose"] for one in rows if one["actor"].startswith("account:")][-1] == "care"
