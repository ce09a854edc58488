"""Who is admitted when too many ask: each lane has room of its own, refusals are at once and plain, and room comes back."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

import dawr.app
from dawr.accounts.rules import cookie_name
from dawr.facilities import queries as facilities
from dawr.platform.http.admission import LEAST, Lane, lane_of
from dawr.platform.services import Services
from dawr.tickets import store
from tests.conftest import PLAIN, House, found_house, make_services, serving

ENTER = "/api/v1/queue/enter"
STATUS = "/api/v1/queue/status"


def scope(method: str, path: str, root: str = "", **headers: str) -> dict[str, Any]:
    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": method, "path": root + path, "root_path": root, "headers": given}


@pytest.mark.parametrize("root", ["", "/f/city"])
@pytest.mark.parametrize(
    ("method", "path", "lane"),
    [
        ("POST", ENTER, "entering"),
        ("POST", "/c/lab", "entering"),
        ("GET", "/c/lab", "visiting"),
        ("GET", STATUS, "visiting"),
        ("POST", "/api/v1/queue/cancel", "visiting"),
        ("POST", "/api/v1/auth/login", "staff"),
        ("GET", "/desk", "staff"),
        ("GET", "/api/v1/events/stream", None),
        ("GET", "/api/v1/health/live", None),
        ("GET", "/metrics", None),
        ("GET", "/static/1/dawr.css", None),
    ],
)
def test_the_lane_follows_from_what_is_asked(root: str, method: str, path: str, lane: str | None) -> None:
    assert lane_of(scope(method, path, root)) == lane


@pytest.mark.parametrize("secure", [True, False])
def test_whoever_shows_a_session_is_taken_for_staff(secure: bool) -> None:
    session = f"dawr_lang=ar; {cookie_name(secure=secure)}=secret"
    assert lane_of(scope("POST", ENTER, cookie=session)) == "staff"
    assert lane_of(scope("POST", ENTER, authorization="Bearer token")) == "staff"


def test_the_cookies_of_every_phone_are_no_session() -> None:
    others = "dawr_device=d; dawr_lang=ar; dawr_ticket_0123=secret; __Host-dawr-known=k"
    assert lane_of(scope("POST", ENTER, cookie=others)) == "entering"


def filled(lane: Lane) -> Lane:
    while lane.enter():
        pass
    return lane


def test_a_lane_holds_no_more_than_its_limit() -> None:
    lane = filled(Lane(3, within=2))
    lane.leave(0.1, now=10)
    assert [lane.enter(), lane.enter()] == [True, False]


def test_slow_answers_make_a_crowded_lane_narrower_once_in_their_time_and_never_too_narrow() -> None:
    lane = Lane(100, within=2)
    for now, limit in ((10, 70), (11, 70), (12, 49), (20, 34), (30, LEAST), (40, LEAST)):
        filled(lane).leave(2.5, now=now)
        assert lane.limit == limit


def test_one_slow_answer_in_a_quiet_lane_changes_nothing() -> None:
    lane = Lane(100, within=2)
    lane.enter()
    lane.leave(60, now=10)
    assert lane.limit == 100


def test_quick_answers_make_a_narrow_lane_wide_again_and_no_wider() -> None:
    lane = Lane(100, within=2)
    filled(lane).leave(2.5, now=10)
    for _ in range(100):
        lane.enter()
        lane.leave(0.2, now=11)
    assert lane.limit == 100


def test_answers_that_are_neither_quick_nor_slow_leave_the_lane_as_it_is() -> None:
    lane = Lane(100, within=2)
    filled(lane).leave(2.5, now=10)
    filled(lane).leave(1.5, now=20)
    assert lane.limit == 70


class Site:
    """A server that works on two requests of a kind, on a clinic whose queue somebody may hold."""

    def __init__(self, url: str, house: House) -> None:
        self.url = url
        self.house = house

    def client(self) -> httpx2.AsyncClient:
        headers = {"X-Facility": self.house.facility.slug}
        return httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=20, verify=PLAIN)

    @asynccontextmanager
    async def full(
        self, client: httpx2.AsyncClient, people: int = 2
    ) -> AsyncIterator[list[asyncio.Task[httpx2.Response]]]:
        """As long as the block lasts, people wait for a ticket; with two the next one finds the lane full."""
        async with self.house.services.db.write(self.house.facility.id) as tx:
            # As long as it takes: nobody's transaction may be left open otherwise.
            await tx.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            await store.lock_queue(tx, self.house.facility, await facilities.clinic(tx, "lab"))
            asked = [{"clinic": "lab", "user": f"early-{n}"} for n in range(people)]
            waiting = [asyncio.create_task(client.post(ENTER, json=one)) for one in asked]
            await self.until_inside(people)
            yield waiting

    async def until_inside(self, people: int) -> None:
        while await self.inside("entering") < people:
            await asyncio.sleep(0.01)

    async def inside(self, lane: str) -> float:
        return await self.figure("lane_inside", lane)

    async def figure(self, name: str, lane: str) -> float:
        headers = {"Authorization": "Bearer figures"}
        async with httpx2.AsyncClient(base_url=self.url, timeout=20, verify=PLAIN) as client:
            text = (await client.get("/metrics", headers=headers)).text
        found = re.search(rf'^{name}{{lane="{lane}"}} (\S+)', text, re.MULTILINE)
        assert found, text
        return float(found[1])


@pytest.fixture
async def site(database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    services: Services = make_services(database_url, tmp_path, requests_at_once=2, metrics_token="figures")
    app = dawr.app.create_app(services)
    async with serving(app) as url:
        yield Site(url, await found_house(services))


async def test_who_finds_no_room_is_told_at_once_when_to_come_back(site: Site) -> None:
    async with site.client() as client, site.full(client):
        answer = await client.post(ENTER, json={"clinic": "lab", "user": "late"})
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert 1 <= int(answer.headers["retry-after"]) <= 4
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-request-id"]
    assert await site.figure("requests_refused_total", "entering") == 1


async def test_those_admitted_get_their_tickets_and_then_there_is_room_again(site: Site) -> None:
    async with site.client() as client:
        async with site.full(client) as waiting:
            assert (await client.post(ENTER, json={"clinic": "lab", "user": "late"})).status_code == 503
        assert [(await one).status_code for one in waiting] == [201, 201]
        assert (await client.post(ENTER, json={"clinic": "lab", "user": "late"})).json()["number"] == 3
    assert await site.inside("entering") == 0


async def test_a_crowd_at_the_door_keeps_nobody_else_waiting(site: Site) -> None:
    async with site.client() as client, site.full(client):
        assert (await client.get(STATUS, params={"clinic": "lab"})).status_code == 200
        assert (await client.get("/c/lab", headers={"Accept": "text/html"})).status_code == 200
        login = {"email": "nobody@test.example", "password": "wrong"}
        assert (await client.post("/api/v1/auth/login", json=login)).json()["code"] == "wrong_credentials"
        for path in ("/api/v1/health/live", "/static/0/dawr.css"):
            assert (await client.get(path)).status_code == 200
        async with client.stream("GET", "/api/v1/events/stream", params={"clinic": "lab"}) as stream:
            assert stream.status_code == 200


async def test_an_open_stream_takes_no_room(site: Site) -> None:
    async with site.client() as client:
        async with client.stream("GET", "/api/v1/events/stream", params={"clinic": "lab"}) as stream:
            assert stream.status_code == 200
            assert [await site.inside(lane) for lane in ("entering", "staff", "visiting")] == [0, 0, 0]


@pytest.mark.parametrize(("lang", "letters"), [("ar", "[\u0600-\u06ff]"), ("en", "[A-Z]"), ("hi", "[\u0900-\u097f]")])
async def test_a_reader_without_script_gets_a_page_that_tries_again(site: Site, lang: str, letters: str) -> None:
    headers = {"Accept": "text/html", "Accept-Language": lang}
    async with site.client() as client, site.full(client):
        answer = await client.post("/c/lab", data={"name": "Amina"}, headers=headers)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert '<meta http-equiv="refresh"' in answer.text
    assert re.search(rf"<h1>{letters}", answer.text)
    assert "content-security-policy" in answer.headers


async def test_a_plain_form_takes_one_place_not_two(site: Site) -> None:
    async with site.client() as client:
        async with site.full(client, people=1):
            form = client.post("/c/xray", data={"name": "Amina"}, headers={"Accept": "text/html"})
            joining = asyncio.create_task(form)
            await site.until_inside(2)
        assert (await joining).status_code == 303
    assert await site.inside("entering") == 0
