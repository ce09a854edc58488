"""A person is erased: nothing that was sealed for them opens any more, nothing finds them, and that it happened stays."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx2

from dawr.accounts.rules import Role
from dawr.consultations import queries as consultations
from dawr.patients import commands as patients
from dawr.patients import queries as patient_queries
from dawr.patients.vault import PatientKey
from dawr.platform.schema import metadata
from tests.conftest import found_house
from tests.consultations.conftest import NOTES, Room
from tests.consultations.conftest import room as room
from tests.records.conftest import rate

REASON = {"reason": "Asked for it by letter"}
SAID = ("Amina Haddad", "+97455550101", NOTES, "Thorough", "The first version.")


async def erase(client: httpx2.AsyncClient, patient: UUID, **headers: str) -> httpx2.Response:
    return await client.post(f"/api/v1/patients/{patient}/erase", json=REASON, headers=headers)


async def seen(room: Room) -> UUID:
    """Somebody who came, was found well, rated that, and has left."""
    patient, ticket = await room.patient()
    made = await room.consulted(ticket)
    await room.doctor.patch(f"/api/v1/consultations/{made['consultation']}", json={"notes": "The first version."})
    async with room.live.client(room.house) as phone:
        await rate(phone, room.house, ticket, 4, word="Thorough")
    return patient


def sealed_columns() -> Iterator[tuple[str, str]]:
    for table in metadata.tables.values():
        if table.info["scope"] == "facility":
            yield from ((table.name, column.name) for column in table.columns if column.name.endswith("sealed"))


async def sealed_values(room: Room) -> dict[str, list[bytes]]:
    """Whatever is sealed in this facility, by table and column."""
    async with room.house.here().read() as tx:
        return {
            f"{table}.{column}": [
                bytes(row["v"])
                for row in await tx.rows(f"SELECT {column} AS v FROM {table} WHERE {column} IS NOT NULL")
            ]
            for table, column in sealed_columns()
        }


async def test_no_sealed_value_of_theirs_opens_any_more(room: Room) -> None:
    """Their key is destroyed, and what the facility's own key sealed is taken away."""
    patient = await seen(room)
    before = await sealed_values(room)
    assert await notes_of(room, patient) == [NOTES, "The first version."]
    notes = before["consultation_note.notes_sealed"]
    assert [bool(before[one]) for one in ("ticket.name_sealed", "ticket.phone_sealed", "rating.word_sealed")] == [
        True
    ] * 3
    async with room.live.staff(room.house, Role.ADMINISTRATOR) as ada:
        answer = await erase(ada, patient)
    assert (answer.status_code, answer.json()["records"]) == (200, [str(patient)])
    assert await key_of(room, patient) is None
    after = await sealed_values(room)
    # The notes are there still, and unreadable; names, phones and words are not there at all.
    assert after["consultation_note.notes_sealed"] == notes
    assert [after[one] for one in ("ticket.name_sealed", "ticket.phone_sealed", "rating.word_sealed")] == [[], [], []]
    assert await notes_of(room, patient) == [None, None]
    # Whatever else is sealed here was sealed with the key that is gone.
    assert {name for name, values in after.items() if values} <= {
        "consultation_note.notes_sealed",
        "patient_access.reason_sealed",
    }


async def notes_of(room: Room, patient: UUID) -> list[str | None]:
    """Every version of what was found, as the product opens it."""
    here = room.house.here(room.house.dana)
    async with here.read() as tx:
        found = await consultations.of_patient(tx, patient)
        return [version.notes for one in found for version in await consultations.versions(tx, here, one)]


async def key_of(room: Room, patient: UUID) -> PatientKey | None:
    here = room.house.here(room.house.ada)
    async with here.read() as tx:
        return (await patient_queries.keys(tx, here, [patient])).get(patient)


async def test_no_table_holds_what_they_said_in_any_form(room: Room) -> None:
    patient = await seen(room)
    async with room.live.staff(room.house, Role.ADMINISTRATOR) as ada:
        await erase(ada, patient)
    tables = [table.name for table in metadata.tables.values() if table.info["scope"] == "facility"]
    async with room.house.here().read() as tx:
        whole = "".join([str(await tx.rows(f"SELECT t::text FROM {name} t")) for name in tables])
    forms = [form for text in SAID for form in (text, text.encode().hex())]
    assert [form for form in forms if form in whole] == []
    assert str(patient) in whole


async def test_search_finds_nothing_and_nothing_shows_them(room: Room) -> None:
    patient = await seen(room)
    async with room.live.staff(room.house, Role.ADMINISTRATOR) as ada:
        await erase(ada, patient)
        for query in ("Amina", "+97455550101", "55550101"):
            found = await ada.post("/api/v1/patients/search", json={"query": query})
            assert found.json()["items"] == []
        for path in ("", "/history", "/export"):
            answer = await ada.get(f"/api/v1/patients/{patient}{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "patient_not_found")
        words = (await ada.get("/api/v1/ratings")).json()
    assert (words["count"], words["words"]) == (1, [])


async def test_a_merged_record_goes_with_the_other(room: Room) -> None:
    first, second = await seen(room), await seen(room)
    here = room.house.here(room.house.rui)
    async with here.write() as tx:
        await patients.merge(tx, here, second, into=first)
    async with room.live.staff(room.house, Role.ADMINISTRATOR) as ada:
        answer = await erase(ada, first)
    assert sorted(answer.json()["records"]) == sorted([str(first), str(second)])
    assert (await key_of(room, first), await key_of(room, second)) == (None, None)
    after = await sealed_values(room)
    assert (after["ticket.name_sealed"], after["rating.word_sealed"]) == ([], [])


async def test_who_is_in_the_house_is_not_erased(room: Room) -> None:
    patient, visit = await room.visit()
    async with room.live.staff(room.house, Role.ADMINISTRATOR) as ada:
        answer = await erase(ada, patient)
    assert (answer.status_code, answer.json()["code"]) == (409, "still_in_use")
    assert (answer.json()["visits"], answer.json()["appointments"]) == ([str(visit)], [])
    assert await key_of(room, patient) is not None


async def test_asked_again_it_is_the_same_answer(room: Room) -> None:
    patient, key = await seen(room), uuid4().hex
    async with room.live.staff(room.house, Role.ADMINISTRATOR) as ada:
        answers = [await erase(ada, patient, **{"Idempotency-Key": key}) for _ in range(2)]
        assert answers[0].json() == answers[1].json()
        assert (await erase(ada, patient)).status_code == 404


async def test_nobody_but_an_administrator_erases(room: Room) -> None:
    patient = await seen(room)
    elsewhere = await found_house(room.house.services)
    async with (
        room.live.client(room.house) as stranger,
        room.live.staff(room.house, Role.RECEPTION) as rui,
        room.live.staff(elsewhere, Role.ADMINISTRATOR) as sam,
    ):
        answers: list[Any] = [await erase(one, patient) for one in (stranger, rui, room.doctor, sam)]
    assert [one.status_code for one in answers] == [401, 403, 403, 404]
    assert await key_of(room, patient) is not None
