"""The same request again: the same change once, and the answer to nobody who may not see it."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
import pytest

from dawr.accounts.rules import Role
from dawr.platform.db import WriteTx
from dawr.platform.http.once import once, outcome
from dawr.platform.idempotency import Key, KeyReused, Outcome
from dawr.platform.ids import new_id
from dawr.tickets import commands
from dawr.tickets.commands import Handover, Stepped
from dawr.tickets.people import passed_on
from dawr.tickets.rules import Place, QueueEmpty, Status
from tests.conftest import House, Live
from tests.tickets.conftest import Floor

QUEUE = "/api/v1/queue"
Doing = Callable[[WriteTx], Awaitable[Stepped]]


def signs(request: bytes) -> Callable[[int | None], tuple[int, bytes]]:
    return lambda key_id: (key_id or 1, request)


@pytest.fixture
def key() -> Key:
    return Key("account:rui", secrets.token_bytes(32), signs(b"the same request"))


async def asked(house: House, key: Key, doing: Doing) -> dict[str, Any]:
    """A request under a key: what it answers, and whether that was a replay."""

    async def work(tx: WriteTx) -> Outcome:
        return outcome((await doing(tx)).id)

    async def show(_: WriteTx, done: Outcome) -> dict[str, Any]:
        return {"ticket": done.record}

    answer = await once(replace(house.here(house.rui), idempotency_key=key), work, show)
    return {"replayed": "idempotent-replayed" in answer.headers, **orjson.loads(answer.body)}


def calling(house: House) -> Doing:
    return lambda tx: commands.call_next(tx, house.rui, house.facility, clinic_id="lab", desk="1")


async def test_a_repeated_call_calls_nobody_else(floor: Floor, house: House, key: Key) -> None:
    first, _ = await floor.several(2)
    answers = [await asked(house, key, calling(house)) for _ in range(3)]
    assert [one["replayed"] for one in answers] == [False, True, True]
    assert {one["ticket"] for one in answers} == {str(first.id)}
    assert await floor.waiting() == ["LAB-002"]


async def test_ten_at_once_under_one_key_are_one_call(floor: Floor, house: House, key: Key) -> None:
    await floor.several(10)
    answers = await asyncio.gather(*(asked(house, key, calling(house)) for _ in range(10)))
    assert len({one["ticket"] for one in answers}) == 1
    assert len(await floor.waiting()) == 9


async def test_a_repeated_undo_does_not_take_back_another_step(floor: Floor, house: House, key: Key) -> None:
    called = await floor.called("amina")

    async def undo(tx: WriteTx) -> Stepped:
        return await commands.undo(tx, house.rui, house.facility, ticket_id=called.id)

    await asked(house, key, undo)
    await floor.call_ticket(called)
    await asked(house, key, undo)
    assert (await floor.ticket(called.id)).status is Status.CALLED


async def test_a_repeated_transfer_makes_one_ticket(floor: Floor, house: House, key: Key) -> None:
    ticket, here = await floor.enter("amina", name="Amina"), house.here(house.rui)

    async def transfer(tx: WriteTx) -> Stepped:
        next_id = new_id(tx.now)
        personal = await passed_on(tx, here, ticket.id, to=next_id)
        return await commands.transfer(
            tx, here.actor, here.facility, Handover(ticket.id, "xray", Place.END, next_id, personal)
        )

    answers = [await asked(house, key, transfer) for _ in range(2)]
    assert answers[0]["ticket"] == answers[1]["ticket"]
    assert await floor.waiting("xray") == ["XR-001"]


async def test_what_was_refused_may_be_asked_again_under_the_key(floor: Floor, house: House, key: Key) -> None:
    with pytest.raises(QueueEmpty):
        await asked(house, key, calling(house))
    ticket = await floor.enter("amina")
    assert await asked(house, key, calling(house)) == {"ticket": str(ticket.id), "replayed": False}


async def test_another_request_under_the_key_changes_nothing(floor: Floor, house: House, key: Key) -> None:
    await floor.several(2)
    await asked(house, key, calling(house))
    with pytest.raises(KeyReused):
        await asked(house, replace(key, sign=signs(b"another")), calling(house))
    assert await floor.waiting() == ["LAB-002"]


async def test_a_colleague_or_another_facility_with_the_key_asks_for_themselves(
    floor: Floor, house: House, key: Key
) -> None:
    await floor.several(2)
    other = await floor.elsewhere()
    theirs = await other.enter("amina")
    first = await asked(house, key, calling(house))
    colleague = await asked(house, replace(key, caller="account:dana"), calling(house))
    assert first["ticket"] != colleague["ticket"]
    assert (await asked(other.house, key, calling(other.house)))["ticket"] == str(theirs.id)


# Over HTTP


async def test_who_replays_a_patients_request_without_the_secret_learns_nothing(live: Live, house: House) -> None:
    async with live.client(house) as phone, live.client(house) as mallory:
        ticket = (await phone.post(f"{QUEUE}/enter", json={"clinic": "lab", "user": "amina"})).json()
        body, key = {"ticket": ticket["ticket"]}, {"Idempotency-Key": "cancel-0123456789"}
        secret = {"Ticket-Secret": ticket["follow"].removeprefix("/t/")}
        assert (await phone.post(f"{QUEUE}/cancel", json=body, headers=key | secret)).status_code == 200
        assert (await phone.post(f"{QUEUE}/cancel", json=body, headers=key | secret)).status_code == 200
        stolen = await mallory.post(f"{QUEUE}/cancel", json=body, headers=key)
    assert stolen.status_code == 401
    assert "follow" not in stolen.json()


async def test_a_secret_of_another_ticket_opens_no_replay(live: Live, house: House, floor: Floor) -> None:
    async with live.client(house) as phone:
        mine, other = [
            (await phone.post(f"{QUEUE}/enter", json={"clinic": "lab", "user": user})).json() for user in ("a", "b")
        ]
        key = {"Idempotency-Key": "cancel-0123456789"}
        for one, status in ((mine, 200), (other, 404)):
            secret = {"Ticket-Secret": one["follow"].removeprefix("/t/")}
            answer = await phone.post(f"{QUEUE}/cancel", json={"ticket": mine["ticket"]}, headers=key | secret)
            assert answer.status_code == status
    assert (await floor.ticket(UUID(other["ticket"]))).status is Status.WAITING


async def test_a_desk_that_lost_its_answer_asks_again(live: Live, house: House, floor: Floor) -> None:
    await floor.several(2)
    key = {"Idempotency-Key": "call-0123456789abc"}
    async with live.staff(house, Role.RECEPTION) as rui, live.staff(house, Role.ADMINISTRATOR) as ada:
        answers = [await rui.post(f"{QUEUE}/call", json={"clinic": "lab"}, headers=key) for _ in range(2)]
        other = await ada.post(f"{QUEUE}/call", json={"clinic": "lab"}, headers=key)
    assert [one.json()["number"] for one in (*answers, other)] == [1, 1, 2]
