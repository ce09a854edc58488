"""A doctor sends somebody on: the ticket goes to the other clinic, in the same visit."""

from uuid import UUID

from dawr.accounts.rules import Role
from dawr.tickets.rules import Status
from tests.consultations.conftest import Room


async def test_the_person_goes_on_in_the_same_visit(room: Room) -> None:
    patient, ticket = await room.patient()
    made = await room.consulted(ticket, refer_to="xray", outcome="referred")
    there = await room.floor.ticket(UUID(made["referred_to"]))
    assert (there.clinic, there.status, there.previous) == ("xray", Status.WAITING, ticket.id)
    assert (await room.floor.ticket(ticket.id)).status is Status.TRANSFERRED
    async with room.house.here().read() as tx:
        visits = await tx.rows("SELECT visit, ticket FROM visit_ticket ORDER BY ticket")
    assert [(str(one["visit"]), one["ticket"]) for one in visits] == [
        (made["visit"], ticket.id),
        (made["visit"], there.id),
    ]
    assert made["patient"] == str(patient)
    assert made["duration_seconds"] >= 0


async def test_the_log_names_the_ticket_there(room: Room) -> None:
    made = await room.consulted(await room.walk_in(), refer_to="xray")
    [event] = await room.log(made["consultation"])
    assert (event["type"], event["data"]["referred_to"]) == ("consultation_completed", made["referred_to"])


async def test_the_doctor_there_consults_in_turn(room: Room) -> None:
    """Each has their own consultation of one visit, each its own ticket."""
    _, ticket = await room.patient()
    first = await room.consulted(ticket, refer_to="xray")
    await room.floor.call(clinic="xray")
    async with room.live.staff(room.house, Role.DOCTOR, clinics=["xray"], doctor="omar") as omar:
        body = {"ticket": first["referred_to"], "notes": "Nothing broken."}
        second = (await omar.post("/api/v1/consultations", json=body)).json()
    assert (second["visit"], second["clinic"], second["doctor"]) == (first["visit"], "xray", "omar")
