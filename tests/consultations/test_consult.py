"""A doctor ends a ticket with what they found."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from psycopg.errors import ForeignKeyViolation

from dawr.accounts.rules import Role
from dawr.tickets.rules import TRANSITIONS, Status, Verb
from tests.conftest import found_house
from tests.consultations.conftest import DANA, NOTES, Room
from tests.tickets.conftest import not_from


async def test_it_ends_the_ticket_and_keeps_what_was_found(room: Room) -> None:
    patient, ticket = await room.patient()
    room.house.clock.offset += timedelta(minutes=9)
    made = await room.consulted(ticket, outcome="follow_up")
    assert (made["ticket"], made["patient"], made["clinic"], made["doctor"]) == (
        str(ticket.id),
        str(patient),
        "lab",
        "dana",
    )
    assert 540 <= made["duration_seconds"] < 600
    assert (made["outcome"], made["status"], made["version"], made["referred_to"]) == ("follow_up", "final", 1, None)
    assert (await room.floor.ticket(ticket.id)).status is Status.DONE
    opened = (await room.doctor.get(f"/api/v1/consultations/{made['consultation']}")).json()
    assert (opened["notes"], len(opened["versions"])) == (NOTES, 1)


async def test_straight_from_the_call_it_counts_from_the_call(room: Room) -> None:
    await room.visit()
    ticket = await room.floor.call(desk="1")
    room.house.clock.offset += timedelta(minutes=4)
    made = await room.consulted(ticket)
    assert 240 <= made["duration_seconds"] < 300


async def test_a_ticket_without_a_patient_has_notes_too(room: Room) -> None:
    made = await room.consulted(await room.walk_in())
    assert (made["visit"], made["patient"]) == (None, None)
    opened = (await room.doctor.get(f"/api/v1/consultations/{made['consultation']}")).json()
    assert opened["notes"] == NOTES


async def test_its_average_goes_on_exactly(room: Room) -> None:
    assert await room.figures() == (0, None)
    lengths = []
    for number, minutes in enumerate((4, 5, 2), 1):
        await room.floor.enter(f"user {number}")
        ticket = await room.serving()
        room.house.clock.offset += timedelta(minutes=minutes)
        lengths.append((await room.consulted(ticket))["duration_seconds"])
        assert await room.figures() == (number, sum(lengths) / number)


async def test_the_same_request_again_is_one_consultation(room: Room) -> None:
    ticket, key = await room.walk_in(), uuid4().hex
    first = await room.consult(ticket, key=key)
    again = await room.consult(ticket, key=key)
    other = await room.consult(ticket, key=key, outcome="treated")
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert other.json()["code"] == "idempotency_key_reused"
    assert (await room.figures())[0] == 1


@pytest.mark.parametrize("refer", [False, True], ids=["ended", "referred"])
async def test_only_whom_the_doctor_has_before_them(room: Room, refer: bool) -> None:
    tickets = {status: await room.floor.in_state(status.value, status) for status in not_from(Verb.DONE)}
    before = await room.kept()
    for status, ticket in tickets.items():
        answer = await room.consult(ticket, **({"refer_to": "xray"} if refer else {}))
        assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
        assert answer.json()["state"] == status.value
    assert await room.kept() == before
    assert set(TRANSITIONS[Verb.DONE][0]).isdisjoint(tickets)


async def test_who_is_no_doctor_of_that_clinic_consults_nobody(room: Room) -> None:
    ticket = await room.walk_in()
    body = {"ticket": str(ticket.id), "notes": NOTES}
    async with room.live.client(room.house) as stranger:
        assert (await stranger.post("/api/v1/consultations", json=body)).status_code == 401
    for role, post in ((Role.ADMINISTRATOR, {}), (Role.RECEPTION, {}), (Role.DOCTOR, {"clinics": ["xray"]})):
        async with room.live.staff(room.house, role, **post) as other:
            assert (await other.post("/api/v1/consultations", json=body)).status_code == 403
    elsewhere = await found_house(room.house.services)
    async with room.live.staff(elsewhere, Role.DOCTOR, **DANA) as sam:
        assert (await sam.post("/api/v1/consultations", json=body)).status_code == 404
    assert (await room.floor.ticket(ticket.id)).status is Status.SERVING


async def test_a_doctor_whom_tickets_cannot_name_has_no_average(room: Room) -> None:
    ticket = await room.walk_in()
    async with room.live.staff(room.house, Role.DOCTOR, clinics=["lab"]) as other:
        made = (await other.post("/api/v1/consultations", json={"ticket": str(ticket.id), "notes": NOTES})).json()
    assert made["doctor"] is None
    assert await room.figures() == (0, None)


WRONG: list[dict[str, Any]] = [
    {"notes": ""},
    {"notes": "a\x00b"},
    {"notes": "a\u202eb"},
    {"notes": "x" * 20_001},
    {"outcome": "sent home with a letter"},
    {"refer_to": "a\nb"},
    {"unknown": 1},
]


async def test_what_cannot_be_said(room: Room) -> None:
    for wrong in WRONG:
        body = {"ticket": str(uuid4()), "notes": NOTES} | wrong
        answer = await room.doctor.post("/api/v1/consultations", json=body)
        assert answer.status_code == 422, wrong


async def test_nothing_that_was_said_can_be_read_at_rest(room: Room) -> None:
    _, ticket = await room.patient()
    made = await room.consulted(ticket)
    rows = str(await room.kept())
    assert [word for word in ("Cough", "Lungs", NOTES.encode().hex()) if word in rows] == []
    [event] = await room.log(made["consultation"])
    assert event["data"] == {
        "ticket": str(ticket.id),
        "clinic": "lab",
        "doctor": "dana",
        "seconds": made["duration_seconds"],
    }


async def test_a_doctor_who_leaves_takes_no_consultation_along(room: Room) -> None:
    made = await room.consulted(await room.walk_in())
    async with room.live.staff(room.house, Role.ADMINISTRATOR) as ada:
        assert (await ada.post("/api/v1/doctors/dana/archive")).status_code == 200
    async with room.house.here().write() as tx:
        with pytest.raises(ForeignKeyViolation):
            await tx.execute("DELETE FROM doctor WHERE doctor = 'dana'")
    found = await room.doctor.get(f"/api/v1/consultations/{made['consultation']}")
    assert (found.status_code, found.json()["doctor"]) == (200, "dana")
    assert (await room.figures())[0] == 1
