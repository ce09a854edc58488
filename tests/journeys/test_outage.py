"""The database goes away and comes back: people are told at once, and nothing has to be restarted."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

import dawr.app
from dawr.platform.embedded_postgres import EmbeddedPostgres
from tests.conftest import House, Live, found_house, make_services, new_database, serving

ENTER = "/api/v1/queue/enter"


@pytest.fixture
async def away(
    mortal_postgres: EmbeddedPostgres, tmp_path: Path
) -> AsyncIterator[tuple[httpx2.AsyncClient, EmbeddedPostgres]]:
    """A product on a server which a test may stop."""
    services = make_services(new_database(mortal_postgres.url), tmp_path)
    app = dawr.app.create_app(services)
    async with serving(app) as url:
        house: House = await found_house(services)
        async with Live(url, app, services).client(house) as client:
            yield client, mortal_postgres


async def enter(client: httpx2.AsyncClient, user: str) -> httpx2.Response:
    return await client.post(ENTER, json={"clinic": "lab", "user": user})


def kept_waiting() -> float:
    """Seconds in which this thread could have gone on and the machine was busy with something else, so far."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


def stopwatch() -> Callable[[], float]:
    """The seconds since then, without those in which other programs had the machine: they are none of the product's."""
    began = time.monotonic() - kept_waiting()
    return lambda: time.monotonic() - kept_waiting() - began


@contextmanager
def stopped(server: EmbeddedPostgres) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def hanging(server: EmbeddedPostgres) -> Iterator[None]:
    """Its lines stay open, and nobody answers on them."""
    backends = [int(pid) for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()]
    pids = (server.pid, *backends)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def until_served(client: httpx2.AsyncClient, user: str, *, within: float) -> httpx2.Response:
    deadline = time.monotonic() + within
    while True:
        answer = await enter(client, user)
        if answer.status_code != 503 or time.monotonic() > deadline:
            return answer
        await asyncio.sleep(0.05)


async def test_away_is_said_within_two_seconds_and_mends_itself(
    away: tuple[httpx2.AsyncClient, EmbeddedPostgres],
) -> None:
    client, server = away
    assert (await enter(client, "before")).json()["number"] == 1
    with stopped(server):
        for user in ("during", "during-too"):
            seconds = stopwatch()
            refused = await enter(client, user)
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            assert (seconds() < 2.0, int(refused.headers["retry-after"]) >= 1) == (True, True)
        assert (await client.get("/api/v1/health/live")).status_code == 200
        assert (await client.get("/api/v1/health/ready")).status_code == 503
    assert (await until_served(client, "after", within=5)).json()["number"] == 2


async def test_a_killed_server_loses_no_ticket_and_repeats_no_number(
    away: tuple[httpx2.AsyncClient, EmbeddedPostgres],
) -> None:
    client, server = away
    before = [(await enter(client, f"p{n}")).json()["number"] for n in range(3)]
    os.kill(server.pid, signal.SIGKILL)
    after = await until_served(client, "after", within=10)
    assert [*before, after.json()["number"]] == [1, 2, 3, 4]


async def test_a_server_that_hangs_is_away_too(away: tuple[httpx2.AsyncClient, EmbeddedPostgres]) -> None:
    client, server = away
    # What a page is made of is read once, by whoever asks first.
    assert ((await enter(client, "before")).status_code, (await client.get("/board")).status_code) == (201, 200)
    with hanging(server):
        seconds = stopwatch()
        refused, page = await asyncio.gather(enter(client, "during"), client.get("/board"))
        took = seconds()
    assert (refused.status_code, page.status_code, took < 2.0) == (503, 503, True), took
    assert page.headers["content-type"].startswith("text/html")
    assert (await until_served(client, "after", within=5)).status_code == 201
