"""The program is killed while people join; what was answered is there afterwards, and numbers go on."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.proof.program import Program, program

ENTER = "/api/v1/queue/enter"


@pytest.fixture(scope="module")
async def started() -> AsyncIterator[Program]:
    async with program() as made:
        yield made


@pytest.fixture
async def server(started: Program) -> Program:
    """It runs, whatever the test before did to it."""
    if not started.runs:
        await started.start()
    return started


async def join_until_cut(client: httpx2.AsyncClient, who: str, answered: dict[str, int]) -> None:
    """One person after the other joins until the server is gone; ``answered`` keeps what was acknowledged."""
    for n in range(10_000):
        user = f"{who}-{n}"
        try:
            answer = await client.post(ENTER, json={"clinic": "lab", "user": user})
        except httpx2.TransportError:
            return
        if answer.status_code != 201:
            return
        answered[user] = answer.json()["number"]


async def crowd_then_kill(server: Program, answered: dict[str, int], *, round_: int) -> None:
    async with server.client() as client:
        joining = [asyncio.create_task(join_until_cut(client, f"r{round_}-p{n}", answered)) for n in range(8)]
        enough = len(answered) + 30
        while len(answered) < enough:
            await asyncio.sleep(0.01)
        await server.kill()
        await asyncio.gather(*joining)


async def test_killed_twice_nothing_answered_is_lost_and_no_number_repeats(server: Program) -> None:
    answered: dict[str, int] = {}
    for round_ in range(2):
        await crowd_then_kill(server, answered, round_=round_)
        await server.start()
    async with server.client() as client:
        status = (await client.get("/api/v1/queue/status", params={"clinic": "lab"})).json()
        again = [(await client.post(ENTER, json={"clinic": "lab", "user": user})).json() for user in answered]
    assert len(set(answered.values())) == len(answered)
    assert {one["existing"] for one in again} == {True}
    assert [one["number"] for one in again] == list(answered.values())
    assert status["waiting"] == [f"LAB-{n:03d}" for n in range(1, status["last_number"] + 1)]


async def first_event(server: Program) -> tuple[str, dict[str, Any]]:
    async with server.client() as client, client.stream("GET", "/api/v1/events/stream?clinic=lab") as stream:
        name = ""
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            if line.startswith("data: "):
                return name, json.loads(line.removeprefix("data: "))
    raise AssertionError("the stream ended before its first event")


async def test_told_to_end_it_ends_its_streams_and_itself_within_five_seconds(server: Program) -> None:
    assert (await first_event(server))[0] == "connected"
    async with server.client() as client, client.stream("GET", "/api/v1/events/stream?clinic=lab") as stream:
        seconds, rest = await asyncio.gather(server.stop(), stream.aread())
    assert seconds < 5
    assert b"retry:" in rest
    assert server.process is not None
    assert server.process.returncode == 0


async def test_it_is_back_soon_and_small(started: Program) -> None:
    await started.stop()
    seconds = await started.start()
    assert started.process is not None
    status = Path(f"/proc/{started.process.pid}/status").read_text()
    resident = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
    print(f"warm start {seconds:.2f} s, resident {resident // 1024} MiB")
    assert resident < 200 * 1024
