"""The same request again: the same answer, and no number burnt."""

import asyncio

from dawr.accounts.rules import Role
from tests.conftest import House, Live

ENTER = "/api/v1/queue/enter"
KEY = {"Idempotency-Key": "0123456789abcdef-amina"}
AMINA = {"clinic": "lab", "user": "amina"}


async def test_a_replay_answers_the_same_and_says_so(live: Live, house: House) -> None:
    async with live.client(house) as phone, live.client(house) as after_a_lost_answer:
        first = await phone.post(ENTER, json=AMINA, headers=KEY)
        again = await after_a_lost_answer.post(ENTER, json=AMINA, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    same = ("ticket", "number", "code", "follow", "existing")
    assert [again.json()[name] for name in same] == [first.json()[name] for name in same]


async def test_twenty_at_once_with_one_key_are_one_ticket(live: Live, house: House) -> None:
    async with live.client(house) as phone:
        answers = await asyncio.gather(*(phone.post(ENTER, json=AMINA, headers=KEY) for _ in range(20)))
        following = await phone.post(ENTER, json={"clinic": "lab", "user": "next"})
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["ticket"] for answer in answers}) == 1
    assert following.json()["number"] == 2


async def test_another_request_under_the_key_is_refused(live: Live, house: House) -> None:
    async with live.client(house) as phone:
        await phone.post(ENTER, json=AMINA, headers=KEY)
        other = await phone.post(ENTER, json=AMINA | {"clinic": "xray"}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_refusal_leaves_the_key_free(live: Live, house: House) -> None:
    await house.change_clinic("lab", capacity=0)
    async with live.client(house) as phone:
        assert (await phone.post(ENTER, json=AMINA, headers=KEY)).status_code == 409
        await house.change_clinic("lab", capacity=None)
        assert (await phone.post(ENTER, json=AMINA, headers=KEY)).status_code == 201


async def test_a_key_has_a_form(live: Live, house: House) -> None:
    async with live.client(house) as phone:
        answer = await phone.post(ENTER, json=AMINA, headers={"Idempotency-Key": "short"})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_invalid")


async def test_a_replay_shows_the_ticket_as_it_is_now(live: Live, house: House) -> None:
    async with live.client(house) as phone, live.staff(house, Role.RECEPTION) as rui:
        await phone.post(ENTER, json=AMINA, headers=KEY)
        await rui.post("/api/v1/queue/call", json={"clinic": "lab"})
        again = await phone.post(ENTER, json=AMINA, headers=KEY)
    assert (again.status_code, again.json()["status"]) == (201, "called")


async def test_calls_are_repeatable_too(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        for user in ("amina", "second"):
            await rui.post(ENTER, json={"clinic": "lab", "user": user})
        calls = [await rui.post("/api/v1/queue/call", json={"clinic": "lab"}, headers=KEY) for _ in range(3)]
    assert {call.json()["code"] for call in calls} == {"LAB-001"}


async def test_the_existing_ticket_is_shown_without_its_secret_to_others(live: Live, house: House) -> None:
    async with live.client(house) as mine, live.client(house) as other:
        first = (await mine.post(ENTER, json=AMINA)).json()
        same_device = await mine.post(ENTER, json=AMINA)
        stranger = await other.post(ENTER, json=AMINA)
    assert (same_device.status_code, same_device.json()["follow"]) == (200, first["follow"])
    assert (stranger.status_code, stranger.json()["follow"]) == (200, None)
    assert stranger.json()["existing"] is True
