"""The end of a ticket cannot be taken back under a consultation; its author can withdraw it."""

from typing import Any

import httpx2
import pytest

from dawr.accounts.rules import Role
from dawr.consultations.rules import ConsultationStands
from dawr.tickets.rules import Status
from tests.consultations.conftest import NOTES, Room
from tests.tickets.conftest import Floor


async def withdraw(client: httpx2.AsyncClient, made: dict[str, Any]) -> httpx2.Response:
    path = f"/api/v1/consultations/{made['consultation']}/withdraw"
    return await client.post(path, json={"reason": "Wrong person"})


@pytest.mark.parametrize("more", [{}, {"refer_to": "xray"}], ids=["ended", "referred"])
async def test_the_end_stays_while_a_consultation_is_kept(room: Room, more: dict[str, str]) -> None:
    ticket = await room.walk_in()
    made = await room.consulted(ticket, **more)
    async with room.live.staff(room.house, Role.RECEPTION) as rui:
        before = await room.kept()
        answer = await rui.post("/api/v1/queue/undo", json={"ticket": str(ticket.id)})
    assert (answer.status_code, answer.json()["code"]) == (409, "consultation_stands")
    assert answer.json()["consultation"] == made["consultation"]
    assert await room.kept() == before


async def test_what_its_author_withdraws_counts_no_longer_and_stays_readable(room: Room) -> None:
    kept = await room.consulted(await room.walk_in())
    before = await room.figures()
    made = await room.consulted(await room.walk_in())
    answer = await withdraw(room.doctor, made)
    assert (answer.status_code, answer.json()["status"]) == (200, "entered_in_error")
    assert await room.figures() == before == (1, float(kept["duration_seconds"]))
    found = (await room.doctor.get(f"/api/v1/consultations/{made['consultation']}")).json()
    assert [(one["notes"], one["status"]) for one in found["versions"]] == [
        (NOTES, "final"),
        ("Wrong person", "entered_in_error"),
    ]


async def test_then_the_ticket_comes_back_and_is_consulted_again(room: Room) -> None:
    _, ticket = await room.patient()
    first = await room.consulted(ticket)
    await withdraw(room.doctor, first)
    assert (await room.floor.undo(ticket)).status is Status.SERVING
    second = await room.consulted(ticket)
    assert second["consultation"] != first["consultation"]
    assert (await room.figures())[0] == 1


async def test_an_average_of_nothing_is_none(room: Room) -> None:
    await withdraw(room.doctor, await room.consulted(await room.walk_in()))
    assert await room.figures() == (0, None)


async def test_only_its_author_and_only_once(room: Room) -> None:
    made = await room.consulted(await room.walk_in())
    async with room.live.staff(room.house, Role.DOCTOR, clinics=["lab"], doctor="omar") as omar:
        assert (await withdraw(omar, made)).json()["code"] == "not_the_author"
    assert (await withdraw(room.doctor, made)).status_code == 200
    assert (await withdraw(room.doctor, made)).json()["code"] == "consultation_withdrawn"


async def test_other_steps_are_taken_back_as_ever(room: Room, floor: Floor) -> None:
    """Only the end is held: of one ticket's consultation another's undo knows nothing."""
    ticket = await room.walk_in()
    await room.consulted(ticket)
    called = await floor.called("another")
    assert (await floor.undo(called)).status is Status.WAITING
    done = await floor.in_state("third", Status.DONE)
    assert (await floor.undo(done)).status is Status.CALLED
    with pytest.raises(ConsultationStands):
        await floor.undo(ticket)
