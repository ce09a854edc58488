"""The database goes away and comes back: people are told at once, and nothing has to be restarted."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

import dawr.app
from dawr.platform.embedded_postgres import EmbeddedPostgres
from tests.conftest import House, Live, found_house, make_services, new_database, serving

ENTER = "/api/v1/queue/enter"


@pytest.fixture
async def server() -> AsyncIterator[EmbeddedPostgres]:
    with tempfile.TemporaryDirectory(prefix="dawr-test-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        with EmbeddedPostgres(Path(folder) / "postgres") as running:
            yield running


@pytest.fixture
async def away(server: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[tuple[httpx2.AsyncClient, EmbeddedPostgres]]:
    """A product on a server of its own, which a test may stop."""
    services = make_services(new_database(server.url), tmp_path)
    app = dawr.app.create_app(services)
    async with serving(app) as url:
        house: House = await found_house(services)
        async with Live(url, app, services).client(house) as client:
            yield client, server


async def enter(client: httpx2.AsyncClient, user: str) -> httpx2.Response:
    return await client.post(ENTER, json={"clinic": "lab", "user": user})


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
    server.stop()
    for user in ("during", "during-too"):
        started = time.monotonic()
        refused = await enter(client, user)
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert (time.monotonic() - started < 2.0, int(refused.headers["retry-after"]) >= 1) == (True, True)
    assert (await client.get("/api/v1/health/live")).status_code == 200
    assert (await client.get("/api/v1/health/ready")).status_code == 503
    server.start()
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
    await enter(client, "before")
    backends = [int(pid) for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()]
    for pid in (server.pid, *backends):
        os.kill(pid, signal.SIGSTOP)
    started = time.monotonic()
    refused, page = await asyncio.gather(enter(client, "during"), client.get("/board"))
    took = time.monotonic() - started
    for pid in (server.pid, *backends):
        os.kill(pid, signal.SIGCONT)
    assert (refused.status_code, page.status_code, took < 2.0) == (503, 503, True)
    assert page.headers["content-type"].startswith("text/html")
    assert (await until_served(client, "after", within=5)).status_code == 201
