"""How long streams live, who is cut off, and how they end."""

import asyncio
import itertools
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Live, found_house
from tests.realtime.conftest import append_events, base_of, floor_of, hub_of, process
from tests.realtime.folding import version_of
from tests.realtime.sse import connect

BEAT = 0.3
MOST = 80_000


@pytest.fixture(scope="module")
async def brief(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    """A process whose streams beat fast and live for a second."""
    folder = tmp_path_factory.mktemp("brief")
    async with process(
        database_url, folder, heartbeat_seconds=BEAT, stream_seconds=1, stream_jitter_seconds=0
    ) as started:
        yield started


async def _until(holds: Callable[[], bool], *, within: float = 5.0) -> None:
    async with asyncio.timeout(within):
        while not holds():
            await asyncio.sleep(0.01)


async def test_beats_and_ends_of_age(brief: Live) -> None:
    house = await found_house(brief.services)
    started = time.monotonic()
    async with connect(base_of(brief, house), clinic="lab") as stream:
        await stream.one("connected")
        beats = await stream.end()
    assert 0.9 < time.monotonic() - started < 2
    assert [one.name for one in beats] == ["heartbeat"] * 3
    assert all(one.id is None and one.data["at"] for one in beats)
    gaps = [after.at - before.at for before, after in itertools.pairwise(beats)]
    assert all(abs(gap - BEAT) < 0.15 for gap in gaps), gaps
    assert stream.retry is not None
    assert 500 <= stream.retry <= 1000


async def test_nothing_is_lost_by_the_age(brief: Live) -> None:
    house = await found_house(brief.services)
    base, floor = base_of(brief, house), floor_of(brief, house)
    numbers: list[int] = []

    async def listen() -> None:
        async with connect(base, clinic="lab") as stream:
            await stream.one("connected")
            ready.set()
            events = await stream.end()
        while len(numbers) < 25:
            numbers.extend(one.data["number"] for one in events if one.name == "queue_update")
            async with connect(base, clinic="lab", last_event_id=stream.last_id or "") as stream:
                events = await stream.end()

    ready = asyncio.Event()
    listening = asyncio.create_task(listen())
    await ready.wait()
    for number in range(25):
        await floor.enter(f"person-{number}")
        await asyncio.sleep(0.05)
    await asyncio.wait_for(listening, 10)
    assert numbers == list(range(1, 26))


async def test_a_client_that_goes_is_forgotten(live: Live, base: str) -> None:
    hub = hub_of(live)
    before = hub.streams
    async with connect(base, clinic="lab") as stream:
        await stream.one("connected")
        assert hub.streams == before + 1
    await _until(lambda: hub.streams == before)


async def test_who_does_not_read_is_cut_off_and_nobody_waits_for_it(database_url: str, tmp_path: Path) -> None:
    async with process(database_url, tmp_path, pace={"poll": 0.05}, heartbeat_seconds=0.2) as started:
        hub, house = hub_of(started), await found_house(started.services)
        base = base_of(started, house)
        await floor_of(started, house).enter("amina")
        slow, cursor = await _open_and_sleep(base)
        heard = 0
        async with connect(base, clinic="lab") as stream:
            await stream.one("connected")
            while hub.streams > 1 and heard < MOST:
                append_events(database_url, house.facility.id, 4000)
                for _ in range(4000):
                    last = await stream.one()
                heard += 4000
            assert heard < MOST, "the kernel's buffers took it all"
            assert version_of(last.id or "", "lab") == heard + 1
        slow.close()
        async with connect(base, clinic="lab", last_event_id=cursor) as stream:
            assert version_of((await stream.one("reset")).id or "", "lab") == heard + 1


async def test_who_reads_late_gets_an_end_and_comes_back(database_url: str, tmp_path: Path) -> None:
    async with process(database_url, tmp_path, pace={"outbox": 1000, "poll": 0.05}) as started:
        house = await found_house(started.services)
        base = base_of(started, house)
        await floor_of(started, house).enter("amina")
        slow, _ = await _open_and_sleep(base)
        async with connect(base, clinic="lab") as stream:
            await stream.one("connected")
            for _ in range(12):
                append_events(database_url, house.facility.id, 4000)
                for _ in range(4000):
                    await stream.one()
        seen = await asyncio.wait_for(_rest(slow), 10)
        assert seen.endswith(b"\r\n0\r\n\r\n")
        last = seen.rsplit(b"\nid: ", 1)[1].split(b"\n")[0].decode()
        assert 4000 < version_of(last, "lab") < 48_001
        async with connect(base, clinic="lab", last_event_id=last) as stream:
            assert (await stream.next()) is not None


async def _rest(client: socket.socket) -> bytes:
    loop, seen = asyncio.get_running_loop(), b""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    with client:
        while chunk := await loop.sock_recv(client, 1 << 20):
            seen += chunk
            if seen.endswith(b"\r\n0\r\n\r\n"):
                break
    return seen


async def _open_and_sleep(base: str) -> tuple[socket.socket, str]:
    """A client with a small window that reads the beginning and then nothing more."""
    host, _, rest = base.removeprefix("http://").partition("/")
    name, port = host.split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, (name, int(port)))
    request = f"GET /{rest}/api/v1/events/stream?clinic=lab HTTP/1.1\r\nHost: {host}\r\n\r\n"
    await loop.sock_sendall(client, request.encode())
    text = ""
    while "event: connected" not in text:
        text += (await loop.sock_recv(client, 1024)).decode()
    return client, text.split("\nid: ")[1].split("\n")[0]


async def test_an_address_has_so_many_streams_and_no_more(database_url: str, tmp_path: Path) -> None:
    limited: dict[str, Any] = {"pace": {"per_address": 2}, "rate_limits": True}
    async with process(database_url, tmp_path, **limited) as started:
        house = await found_house(started.services)
        base = base_of(started, house)
        async with connect(base, clinic="lab") as one, connect(base, clinic="lab") as two:
            await one.one("connected")
            await two.one("connected")
            async with connect(base, clinic="lab") as three:
                assert three.status == 429
                assert int(three.headers["retry-after"]) > 0
                assert (await three.json())["code"] == "too_many_streams"
        await _until(lambda: hub_of(started).streams == 0)
        async with connect(base, clinic="lab") as again:
            assert again.status == 200


async def test_a_process_has_so_many_streams_and_no_more(database_url: str, tmp_path: Path) -> None:
    async with process(database_url, tmp_path, pace={"per_process": 1}) as started:
        house = await found_house(started.services)
        base = base_of(started, house)
        async with connect(base, clinic="lab") as one:
            await one.one("connected")
            async with connect(base, clinic="lab") as two:
                assert two.status == 503
                assert int(two.headers["retry-after"]) > 0
                assert (await two.json())["code"] == "streams_full"


async def test_a_stop_ends_every_stream_at_once(database_url: str, tmp_path: Path) -> None:
    async with process(database_url, tmp_path) as started:
        house = await found_house(started.services)
        base = base_of(started, house)
        async with connect(base, clinic="lab") as one, connect(base, clinic="xray") as two:
            await one.one("connected")
            await two.one("connected")
            asked = time.monotonic()
            for stop in started.app.state.on_stop:
                stop()
            assert await one.end() == await two.end() == []
            assert time.monotonic() - asked < 1
            assert one.retry is not None
            assert 1000 <= one.retry <= 5000
        async with connect(base, clinic="lab") as late:
            assert late.status == 503
            assert late.headers["retry-after"]
