"""Many people at one moment: each is told what is theirs, whatever happens to the others."""

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

import httpx2

from dawr.accounts.rules import Role
from dawr.tickets import commands_crowd
from tests.conftest import House, Live

ENTER = "/api/v1/queue/enter"


async def together(client: httpx2.AsyncClient, asked: list[dict[str, Any]]) -> list[httpx2.Response]:
    return await asyncio.gather(*(client.post(ENTER, json=one) for one in asked))


async def test_two_hundred_requests_of_fifty_people_are_fifty_tickets(live: Live, house: House) -> None:
    async with live.client(house) as phone:
        answers = await together(phone, [{"clinic": "lab", "user": f"user-{n % 50}"} for n in range(200)])
    assert Counter(one.status_code for one in answers) == {201: 50, 200: 150}
    assert {one.json()["number"] for one in answers} == set(range(1, 51))


async def test_what_is_told_at_once_is_what_is_read_later(live: Live, house: House) -> None:
    async with live.client(house) as phone:
        made = [one.json() for one in await together(phone, [{"clinic": "lab", "user": f"p{n}"} for n in range(40)])]
        for one in made:
            secret = one["follow"].removeprefix("/t/")
            read = await phone.get(f"/api/v1/queue/ticket/{one['ticket']}", headers={"Ticket-Secret": secret})
            assert read.json() == one
        waiting = (await phone.get("/api/v1/queue/status", params={"clinic": "lab"})).json()["waiting"]
    assert waiting == [one["code"] for one in sorted(made, key=lambda one: one["ahead"])]


async def test_each_is_refused_for_a_reason_of_their_own(live: Live, house: House) -> None:
    await house.change_clinic("xray", capacity=2)
    lab = [{"clinic": "lab", "user": f"lab-{n}"} for n in range(5)]
    xray = [{"clinic": "xray", "user": f"xray-{n}"} for n in range(5)]
    wrong = [{"clinic": "nowhere", "user": "lost"}, {"clinic": "lab", "user": "other", "doctor": "nobody"}]
    async with live.client(house) as phone:
        answers = await together(phone, lab + xray + wrong)
    assert [one.status_code for one in answers[:5]] == [201] * 5
    assert Counter(one.json().get("code") for one in answers[5:10])["queue_full"] == 3
    assert [one.json()["code"] for one in answers[10:]] == ["clinic_not_found", "doctor_not_found"]


async def test_a_key_repeated_in_the_crowd_is_one_ticket(live: Live, house: House) -> None:
    keys = [{"Idempotency-Key": f"0123456789abcdef-{n % 4}"} for n in range(24)]
    async with live.client(house) as phone:
        sent = [phone.post(ENTER, json={"clinic": "lab", "user": f"k{n % 4}"}, headers=keys[n]) for n in range(24)]
        answers = await asyncio.gather(*sent)
    assert {one.status_code for one in answers} == {201}
    assert sum("idempotent-replayed" not in one.headers for one in answers) == 4
    assert {one.json()["number"] for one in answers} == {1, 2, 3, 4}


async def test_staff_and_strangers_come_together(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as rui, live.client(house) as phone:
        strangers = together(phone, [{"clinic": "lab", "user": f"s{n}"} for n in range(10)])
        urgent = together(rui, [{"clinic": "lab", "user": f"u{n}", "priority": "emergency"} for n in range(3)])
        answers = [one.json() for group in await asyncio.gather(strangers, urgent) for one in group]
        waiting = (await phone.get("/api/v1/queue/status", params={"clinic": "lab"})).json()["waiting"]
    assert sorted(one["number"] for one in answers) == list(range(1, 14))
    assert set(waiting[:3]) == {one["code"] for one in answers if one["priority"] == "emergency"}


async def test_a_crowd_that_fails_together_is_served_one_by_one(live: Live, house: House, monkeypatch: Any) -> None:
    async def never(*_: Any, **__: Any) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(commands_crowd, "store_crowd", SimpleNamespace(write=never))
    async with live.client(house) as phone:
        answers = await together(phone, [{"clinic": "lab", "user": f"p{n}"} for n in range(12)])
    assert sorted(one.json()["number"] for one in answers) == list(range(1, 13))


async def test_whoever_came_back_is_counted_by_those_who_come_afterwards(live: Live, house: House) -> None:
    async with live.client(house) as phone, live.staff(house, Role.RECEPTION) as rui:
        (first,) = await together(phone, [{"clinic": "lab", "user": "amina"}])
        for verb in ("call", "no_show", "rejoin"):
            answer = await rui.post(f"/api/v1/queue/{verb}", json={"ticket": first.json()["ticket"]})
            assert answer.status_code == 200
        (after,) = await together(phone, [{"clinic": "lab", "user": "zahra"}])
    assert after.json()["ahead"] == 1
