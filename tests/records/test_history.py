"""A patient's whole history: newest first, page by page, for whoever may read it, and every reading is kept."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2

from dawr.accounts.rules import Role
from dawr.patients import commands as patients
from dawr.platform.http.paging import cursor_of
from tests.conftest import found_house
from tests.consultations.conftest import DANA, NOTES, Room
from tests.consultations.conftest import room as room


async def page(client: httpx2.AsyncClient, patient: UUID, **asked: Any) -> dict[str, Any]:
    answer = await client.get(f"/api/v1/patients/{patient}/history", params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_all_that_happened_newest_first(room: Room) -> None:
    patient, ticket = await room.patient()
    room.house.clock.offset += timedelta(minutes=1)
    made = await room.consulted(ticket, outcome="follow_up")
    room.house.clock.offset += timedelta(minutes=1)
    visit = await room.again(patient)
    found = await page(room.doctor, patient)
    assert [one["kind"] for one in found["items"]] == ["visit", "consultation", "visit"]
    assert found["items"][0]["visit"] == str(visit)
    assert found["items"][1] | made == found["items"][1]
    assert found["items"][1]["notes"] == NOTES
    assert [one["clinic"] for one in found["items"][2]["tickets"]] == ["lab"]
    assert found["next"] is None


async def test_pages_follow_each_other_without_gap_or_repetition(room: Room) -> None:
    patient, ticket = await room.patient()
    await room.consulted(ticket)
    for _ in range(4):
        room.house.clock.offset += timedelta(seconds=1)
        await room.again(patient)
        await room.consulted(await room.serving())
    whole = await page(room.doctor, patient)
    for size in (1, 3, 4, 10):
        items, cursor = [], None
        while True:
            part = await page(room.doctor, patient, limit=size, **({"cursor": cursor} if cursor else {}))
            items += part["items"]
            cursor = part["next"]
            assert len(part["items"]) == size or cursor is None
            if cursor is None:
                break
        assert items == whole["items"]
    assert len(whole["items"]) == 10


async def test_what_was_found_is_for_doctors_alone(room: Room) -> None:
    patient, ticket = await room.patient()
    await room.consulted(ticket, outcome="unfit")
    for role in (Role.RECEPTION, Role.ADMINISTRATOR):
        async with room.live.staff(room.house, role) as client:
            [consultation, _] = (await page(client, patient))["items"]
        assert {"notes", "outcome"}.isdisjoint(consultation)
        assert consultation["clinic"] == "lab"


async def test_every_page_is_in_the_patients_trail(room: Room) -> None:
    patient, _ = await room.patient()
    before = await trail(room, patient)
    await page(room.doctor, patient)
    await page(room.doctor, patient)
    assert (await trail(room, patient))[len(before) :] == [("history", False)] * 2


async def trail(room: Room, patient: UUID) -> list[tuple[str, bool]]:
    async with room.house.here().read() as tx:
        rows = await tx.rows(
            "SELECT purpose, break_glass FROM patient_access WHERE patient = %(p)s ORDER BY at, access", p=patient
        )
    return [(row["purpose"], row["break_glass"]) for row in rows]


async def test_a_stranger_among_doctors_gives_a_reason(room: Room) -> None:
    patient, ticket = await room.patient()
    await room.consulted(ticket)
    async with room.live.staff(room.house, Role.DOCTOR, clinics=["xray"], doctor="omar") as omar:
        path = f"/api/v1/patients/{patient}/history"
        refused = await omar.get(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "record_needs_reason")
        opened = await omar.post(path, json={"reason": "Emergency, brought in unconscious"})
    assert opened.json()["items"][0]["notes"] == NOTES
    assert (await trail(room, patient))[-1] == ("history", True)


async def test_whoever_may_not_reads_nothing(room: Room) -> None:
    patient, _ = await room.patient()
    path = f"/api/v1/patients/{patient}/history"
    elsewhere = await found_house(room.house.services)
    async with (
        room.live.client(room.house) as stranger,
        room.live.staff(room.house, Role.DISPLAY) as display,
        room.live.staff(elsewhere, Role.DOCTOR, **DANA) as sam,
    ):
        assert [(await one.get(path)).status_code for one in (stranger, display, sam)] == [401, 403, 404]
    for wrong in ("x", "AAAA", "A" * 63, cursor_of([]), cursor_of([None, None, "x"])):
        assert (await room.doctor.get(path, params={"cursor": wrong})).status_code == 422


async def test_a_merged_record_is_one_history_and_two_again(room: Room) -> None:
    first, ticket = await room.patient()
    await room.consulted(ticket)
    second, other = await room.patient()
    here = room.house.here(room.house.rui)
    async with here.write() as tx:
        await patients.merge(tx, here, second, into=first)
    made = await room.consulted(other)
    assert made["patient"] == str(second)
    assert len((await page(room.doctor, first))["items"]) == 4
    async with here.write() as tx:
        await patients.unmerge(tx, here, second)
    mine = (await page(room.doctor, second))["items"]
    assert [one.get("consultation") for one in mine] == [made["consultation"], None]
    assert mine[0]["notes"] == NOTES
    assert len((await page(room.doctor, first))["items"]) == 2
