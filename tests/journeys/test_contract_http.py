"""The contract's rules for every request: facilities, bodies, keys, limits, figures, and what the API says of itself."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

import dawr.app
from dawr.accounts.rules import Role
from dawr.platform.http import middleware
from tests.conftest import House, Live, found_house, make_services, serving
from tests.journeys.steps import QUEUE, act, enter, refusal, secret

KEY = {"Idempotency-Key": "0123456789abcdef"}
TOKEN = "a token for the figures"
AMINA = b'{"clinic":"lab","user":"amina"}'


@pytest.fixture
async def limited(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Live, House]]:
    """A server as it is by default, with its limits, and a facility."""
    services = make_services(database_url, tmp_path, rate_limits=True, metrics_token=TOKEN)
    app = dawr.app.create_app(services)
    async with serving(app) as url:
        yield Live(url, app, services), await found_house(services)


# Facilities


async def test_headers_that_name_two_facilities_disagree(live: Live, house: House) -> None:
    other = (await found_house(house.services)).facility.slug
    for named in ([house.facility.slug, other], [other, house.facility.slug]):
        async with live.client() as stranger:
            answer = await stranger.get(f"{QUEUE}/status?clinic=lab", headers=[("X-Facility", one) for one in named])
        assert refusal(answer) == (422, "facilities_disagree")


async def test_a_member_of_staff_is_nobody_in_another_facility(live: Live, house: House) -> None:
    other = await found_house(house.services)
    async with live.client(other) as phone, live.staff(house, Role.ADMINISTRATOR) as ada:
        ticket = await enter(phone, "sam")
        own = await act(ada, "call", ticket)
        there = {"X-Facility": other.facility.slug}
        named = await ada.post(f"{QUEUE}/call", json={"ticket": ticket["ticket"]}, headers=there)
        public = await ada.get(f"{QUEUE}/status?clinic=lab", headers=there)
    assert refusal(own) == (404, "ticket_not_found")
    assert refusal(named) == refusal(public) == (404, "facility_not_found")


# Requests


async def test_a_body_may_have_64_kib_and_no_more(live: Live, house: House) -> None:
    async with live.client(house) as phone:
        assert (await phone.post(f"{QUEUE}/enter", content=AMINA.ljust(64 * 1024))).status_code == 201
        assert refusal(await phone.post(f"{QUEUE}/enter", content=AMINA.ljust(64 * 1024 + 1)))[0] == 413


async def request_begun(
    live: Live, house: House, *headers: str, sent: bytes = AMINA
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request for a ticket whose head has gone out, and this much of its body."""
    parts = urlsplit(live.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = (f"POST {QUEUE}/enter HTTP/1.1", "Host: dawr", f"X-Facility: {house.facility.slug}", *headers, "", "")
    writer.write("\r\n".join(lines).encode() + sent)
    await writer.drain()
    return reader, writer


async def test_a_request_that_breaks_off_does_nothing(live: Live, house: House) -> None:
    _, writer = await request_begun(live, house, "Content-Length: 500")
    writer.close()
    await writer.wait_closed()
    async with live.client(house) as phone:
        assert (await enter(phone, "noor"))["number"] == 1


async def test_a_body_that_comes_after_its_head_is_read_whole(live: Live, house: House) -> None:
    headers = (f"Content-Length: {len(AMINA)}", "Expect: 100-continue", "Connection: close")
    reader, writer = await request_begun(live, house, *headers, sent=b"")
    # Said when the body is asked for.
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    for piece in (AMINA[:9], AMINA[9:]):
        writer.write(piece)
        await writer.drain()
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert answer.count(b'"number":1') == 1
    writer.close()


@pytest.mark.parametrize("sent", [b"", AMINA])
async def test_a_request_that_does_not_come_is_told_so(
    live: Live, house: House, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(middleware, "BODY_SECONDS", 0.1)
    reader, writer = await request_begun(live, house, "Content-Length: 500", sent=sent)
    assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_however_deeply_it_is_nested_a_wrong_body_is_a_mistake(live: Live, house: House) -> None:
    async with live.client(house) as phone:
        for depth in range(900, 1000, 4):
            body = f'{{"clinic":"lab","user":{"[" * depth}{"]" * depth}}}'
            assert (await phone.post(f"{QUEUE}/enter", content=body)).status_code == 422, depth


@pytest.mark.parametrize("text", ["\u202elab", "\u2066lab", "lab\x85", "lab\n", "\x00"])
async def test_control_characters_are_refused_everywhere(live: Live, house: House, text: str) -> None:
    async with live.client(house) as phone:
        in_body = await phone.post(f"{QUEUE}/enter", json={"clinic": "lab", "user": "amina", "name": text})
        in_address = await phone.get(f"{QUEUE}/status", params={"clinic": text})
    assert refusal(in_body) == refusal(in_address) == (422, "invalid_request")


async def test_a_wrong_method_is_told_which_are_right(live: Live) -> None:
    async with live.client() as stranger:
        answer = await stranger.put(f"{QUEUE}/enter")
    assert (*refusal(answer), answer.headers["allow"]) == (405, "method_not_allowed", "POST")


async def test_every_answer_has_an_id_that_the_log_keeps(live: Live) -> None:
    async with live.client() as stranger:
        made = (await stranger.get("/api/v1/health/live")).headers["x-request-id"]
        given = await stranger.get("/api/v1/nothing", headers={"X-Request-Id": "from-the-proxy-1"})
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert given.headers["x-request-id"] == "from-the-proxy-1"


# Keys


async def test_a_key_belongs_to_its_facility_and_caller(live: Live, house: House) -> None:
    other, body = await found_house(house.services), {"clinic": "lab", "user": "amina"}
    async with live.client(house) as phone, live.client(other) as elsewhere, live.staff(house, Role.RECEPTION) as rui:
        answers = [await one.post(f"{QUEUE}/enter", json=body, headers=KEY) for one in (phone, elsewhere, rui, phone)]
    assert [one.status_code for one in answers] == [201, 201, 200, 201]
    assert [one.headers.get("idempotent-replayed") for one in answers] == [None, None, None, "true"]


async def test_a_key_is_for_one_path_and_one_body(live: Live, house: House) -> None:
    async with live.client(house) as phone:
        ticket = (await phone.post(f"{QUEUE}/enter", content=AMINA, headers=KEY)).json()
        spaced = await phone.post(f"{QUEUE}/enter", content=AMINA + b" ", headers=KEY)
        cancel = await phone.post(f"{QUEUE}/cancel", json={"ticket": ticket["ticket"]}, headers=KEY | secret(ticket))
    assert refusal(spaced) == refusal(cancel) == (422, "idempotency_key_reused")


async def test_every_verb_can_be_repeated(live: Live, house: House) -> None:
    verbs = (
        "call",
        "recall",
        "serve",
        "hold",
        "resume",
        "call",
        "no_show",
        "rejoin",
        "call",
        "late",
        "transfer",
        "undo",
    )
    same = ("ticket", "number", "code", "follow")
    async with live.staff(house, Role.RECEPTION) as rui:
        ticket = await enter(rui, "amina")
        for number, verb in enumerate((*verbs, "cancel")):
            rui.headers["Idempotency-Key"] = f"step-{number:016}"
            first, again = await act(rui, verb, ticket), await act(rui, verb, ticket)
            assert again.headers["idempotent-replayed"] == "true", verb
            assert [again.json()[name] for name in same] == [first.json()[name] for name in same], verb
            assert (first.status_code, again.status_code) == (200, 200), verb


@pytest.mark.parametrize("key", ["a" * 15, "a" * 201, "with spaces in it", "\u00fc" * 16])
async def test_a_key_has_16_to_200_visible_characters(live: Live, house: House, key: str) -> None:
    async with live.client(house) as phone:
        headers = {b"Idempotency-Key": key.encode("latin-1")}
        answer = await phone.post(f"{QUEUE}/enter", content=AMINA, headers=headers)
    assert refusal(answer) == (422, "idempotency_key_invalid")


# Limits


async def ask(client: httpx2.AsyncClient, times: int) -> list[httpx2.Response]:
    return [await client.post(f"{QUEUE}/enter", json={"clinic": "lab", "user": f"u{one}"}) for one in range(times)]


async def test_the_eleventh_ticket_of_a_device_has_to_wait(limited: tuple[Live, House]) -> None:
    live, house = limited
    async with live.client(house) as phone, live.client(house) as neighbour:
        answers = await ask(phone, 11)
        assert (await ask(neighbour, 1))[0].status_code in (200, 201)
    assert [one.status_code for one in answers] == [201] * 10 + [429]
    assert refusal(answers[-1]) == (429, "too_many_requests")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


async def test_the_reception_is_not_slowed_down(limited: tuple[Live, House]) -> None:
    live, house = limited
    async with live.staff(house, Role.RECEPTION) as rui:
        assert {one.status_code for one in await ask(rui, 15)} == {201}


# What it says of itself


async def test_health_is_told_to_everybody(live: Live) -> None:
    async with live.client() as probe:
        alive, *full = [await probe.get(f"/api/v1/health{path}") for path in ("/live", "/ready", "")]
    assert (alive.status_code, alive.json()["status"], alive.json()["checks"]) == (200, "healthy", {})
    for one in full:
        assert one.json().keys() == {"status", "timestamp", "version", "checks"}
        assert (one.status_code, one.json()["checks"].keys()) == (200, {"database", "jobs", "events"})


async def test_prometheus_needs_its_token_and_sees_routes_not_addresses(limited: tuple[Live, House]) -> None:
    live, house = limited
    async with live.client() as probe:
        await probe.get(f"/f/{house.facility.slug}{QUEUE}/status?clinic=lab")
        await probe.get(f"/f/{house.facility.slug}/api/v1/events/stream?clinic=nowhere")
        figures = await probe.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert refusal(await probe.get("/metrics")) == (401, "unauthenticated")
    routes = set(re.findall('route="([^"]*)"', figures.text))
    assert routes >= {f"{QUEUE}/status", "/api/v1/events/stream"}
    assert house.facility.slug not in figures.text


async def test_the_document_tells_of_headers_and_answers(live: Live, house: House) -> None:
    async with live.client() as reader:
        plain = (await reader.get("/api/v1/openapi.json")).json()
        prefixed = (await reader.get(f"/f/{house.facility.slug}/api/v1/openapi.json")).json()
    repeatable = {
        path
        for path, item in plain["paths"].items()
        if {"$ref": "#/components/parameters/key"} in item.get("post", {}).get("parameters", [])
    }
    assert repeatable == {path for path, item in plain["paths"].items() if "post" in item and "/auth/" not in path}
    enter_answers = plain["paths"][f"{QUEUE}/enter"]["post"]["responses"]
    assert {one for one in enter_answers if "schema" in enter_answers[one]["content"].get("application/json", {})} == {
        "200",
        "201",
    }
    assert ("servers" in plain, prefixed["servers"]) == (False, [{"url": f"/f/{house.facility.slug}"}])


async def test_the_manual_needs_nothing_from_elsewhere(live: Live) -> None:
    async with live.client() as reader:
        page = (await reader.get("/api/docs")).text
        parts = re.findall('(?:src|href)="([^"]+)"', page)
        assert len(parts) >= 3
        assert {(await reader.get(part)).status_code for part in parts} == {200}
    assert "http" not in page.replace("http-equiv", "")
