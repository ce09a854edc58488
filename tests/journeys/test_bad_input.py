"""What a stranger with a shell can send, and the problem it is answered with."""

from typing import Any

import httpx2
import pytest

from dawr.accounts.rules import Role
from tests.conftest import House, Live, found_house

ENTER = "/api/v1/queue/enter"
NO_TICKET = "018f0000-0000-7000-8000-000000000000"


def problem(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    return answer.status_code, body["code"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"clinic":', (422, "malformed_json")),
        (b"\xff\xfe", (422, "malformed_json")),
        (b"[" * 30_000, (422, "malformed_json")),
        (b'{"clinic":"lab"}', (422, "invalid_request")),
        (b'{"clinic":"lab","user":7}', (422, "invalid_request")),
        (b'{"clinic":"lab","user":"a","colour":"red"}', (422, "invalid_request")),
        (b'{"clinic":"lab","user":"a\\u0000b"}', (422, "invalid_request")),
        (b'{"clinic":"lab","user":"\\ud800"}', (422, "malformed_json")),
        (b'{"clinic":"lab","user":"' + b"a" * 200 + b'"}', (422, "invalid_request")),
        (b'{"clinic":"nowhere","user":"a"}', (404, "clinic_not_found")),
        (b'{"clinic":"lab","user":"a","doctor":"nobody"}', (404, "doctor_not_found")),
        (b'{"clinic":"lab","user":"a","priority":"emergency"}', (403, "priority_not_allowed")),
        (b" " * 70_000, (413, "body_too_large")),
        (b" " * 1_000_000, (413, "body_too_large")),
    ],
)
async def test_a_body_that_is_wrong(live: Live, house: House, content: bytes, expected: tuple[int, str]) -> None:
    async with live.client(house) as stranger:
        assert problem(await stranger.post(ENTER, content=content)) == expected


async def test_a_body_without_length_is_limited_too(live: Live, house: House) -> None:
    async def endless() -> Any:
        for _ in range(20):
            yield b" " * 10_000

    async with live.client(house) as stranger:
        assert problem(await stranger.post(ENTER, content=endless())) == (413, "body_too_large")


async def test_curl_without_a_content_type_is_understood(live: Live, house: House) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with live.client(house) as stranger:
        answer = await stranger.post(ENTER, content=b'{"clinic":"lab","user":"TEST_1"}', headers=form)
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/queue/status?clinic=nowhere", (404, "clinic_not_found")),
        ("/api/v1/queue/status?clinic=%00", (422, "invalid_request")),
        ("/api/v1/queue/status?clinic=%E2%80%AElab", (422, "invalid_request")),
        ("/api/v1/queue/status", (422, "invalid_request")),
        ("/api/v1/queue/status?clinic=No+such+clinic", (404, "clinic_not_found")),
        ("/api/v1/queue/ticket/not-an-id", (401, "unauthenticated")),
        (f"/api/v1/queue/ticket/{NO_TICKET}", (401, "unauthenticated")),
        ("/api/v1/nowhere", (404, "not_found")),
        ("/api/v1/queue/enter", (405, "method_not_allowed")),
        ("/f/nowhere/api/v1/queue/status?clinic=lab", (422, "facilities_disagree")),
        ("/api/v1/auth/me", (401, "unauthenticated")),
    ],
)
async def test_an_address_that_is_wrong(live: Live, house: House, path: str, expected: tuple[int, str]) -> None:
    async with live.client(house) as stranger:
        assert problem(await stranger.get(path)) == expected


@pytest.mark.parametrize(
    "verb", ["call", "serve", "done", "no_show", "hold", "undo", "recall", "rejoin", "cancel", "late"]
)
async def test_verbs_ask_strangers_to_sign_in(live: Live, house: House, verb: str) -> None:
    async with live.client(house) as stranger:
        answer = await stranger.post(f"/api/v1/queue/{verb}", json={"ticket": NO_TICKET})
    assert problem(answer) == (401, "unauthenticated")
    assert "Bearer" in answer.headers["www-authenticate"]


@pytest.mark.parametrize("token", ["x", "Bearer x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
async def test_a_forged_token_is_no_credential(live: Live, house: House, token: str) -> None:
    async with live.client(house, headers={"Authorization": f"Bearer {token}"}) as forger:
        assert problem(await forger.get("/api/v1/auth/me")) == (401, "unauthenticated")


async def test_another_facilitys_ticket_does_not_exist(live: Live, house: House) -> None:
    other = await found_house(house.services)
    async with live.client(house) as amina:
        ticket = (await amina.post(ENTER, json={"clinic": "lab", "user": "amina"})).json()["ticket"]
    async with live.staff(other, Role.RECEPTION) as sam:
        assert problem(await sam.post("/api/v1/queue/call", json={"ticket": ticket})) == (404, "ticket_not_found")
        here = {"X-Facility": house.facility.slug}
        assert problem(await sam.post("/api/v1/queue/call", json={"ticket": ticket}, headers=here))[0] == 404


async def test_a_wrong_state_is_told(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        ticket = (await rui.post(ENTER, json={"clinic": "lab", "user": "amina"})).json()["ticket"]
        answer = await rui.post("/api/v1/queue/serve", json={"ticket": ticket})
    assert problem(answer) == (409, "wrong_state")
    assert answer.json()["state"] == "waiting"


async def test_display_may_watch_and_not_call(live: Live, house: House) -> None:
    async with live.staff(house, Role.DISPLAY) as display:
        assert problem(await display.post("/api/v1/queue/call", json={"clinic": "lab"})) == (403, "forbidden")


async def test_problems_speak_the_readers_language(live: Live, house: House) -> None:
    async with live.client(house) as stranger:
        answer = await stranger.get("/api/v1/auth/me", headers={"Accept-Language": "ar"})
    assert answer.headers["content-language"] == "ar"
    assert any("\u0600" <= letter <= "\u06ff" for letter in answer.json()["title"])
