"""Coming back: what was missed comes once and in order; where that cannot be, a fresh snapshot."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from tests.conftest import House, found_house, new_database
from tests.realtime.conftest import base_of, floor_of, process
from tests.realtime.folding import Fold, fresh
from tests.realtime.sse import Event, Stream, connect
from tests.tickets.conftest import Floor

SOME = 6


async def _heard(base: str, floor: Floor) -> list[Event]:
    """``connected`` and the updates of a few people coming and being called."""
    async with connect(base, clinic="lab") as stream:
        heard = [await stream.one("connected")]
        for number in range(SOME // 2):
            await floor.enter(f"person-{number}")
            await floor.call(desk="1")
        return [*heard, *[await stream.one() for _ in range(SOME)]]


async def _resumed(stream: Stream, last: Event) -> None:
    first = await stream.one("connected")
    assert first.data == {"resumed": True}
    assert first.id == last.id


@pytest.mark.parametrize("watched", [True, False], ids=["from memory", "from the log"])
async def test_what_was_missed_comes_once_after_a_cut_at_every_position(base: str, floor: Floor, watched: bool) -> None:
    async with _watching(base, watched):
        heard = await _heard(base, floor)
        for cut, last in enumerate(heard):
            async with connect(base, clinic="lab", headers={"Last-Event-ID": last.id or ""}) as stream:
                await _resumed(stream, last)
                missed = [await stream.one() for _ in heard[cut + 1 :]]
                assert [(one.id, one.data) for one in missed] == [(one.id, one.data) for one in heard[cut + 1 :]]
                assert await stream.quiet(0.05)


@asynccontextmanager
async def _watching(base: str, really: bool) -> AsyncIterator[None]:
    """Somebody else who listens keeps the queue's latest events in memory."""
    if not really:
        yield
        return
    async with connect(base, clinic="lab") as other:
        await other.one("connected")
        yield


@pytest.mark.parametrize("watched", [True, False], ids=["from memory", "from the log"])
async def test_goes_on_live_after_what_was_missed(base: str, floor: Floor, watched: bool) -> None:
    async with _watching(base, watched):
        heard = await _heard(base, floor)
        async with connect(base, clinic="lab", last_event_id=heard[-2].id or "") as stream:
            await _resumed(stream, heard[-2])
            assert (await stream.one()).id == heard[-1].id
            await floor.enter("late comer")
            assert (await stream.one()).data["number"] == SOME // 2 + 1
            assert await stream.quiet()


async def test_the_header_counts_more_than_the_address(base: str, floor: Floor) -> None:
    heard = await _heard(base, floor)
    newest = {"Last-Event-ID": heard[-1].id or ""}
    async with connect(base, clinic="lab", last_event_id=heard[0].id or "", headers=newest) as stream:
        await _resumed(stream, heard[-1])
        assert await stream.quiet()


async def test_the_cursor_of_the_status_opens_the_stream_there(base: str, floor: Floor) -> None:
    await floor.enter("amina")
    status = await fresh(base, "lab")
    await floor.enter("noor")
    async with connect(base, clinic="lab", last_event_id=status["cursor"]) as stream:
        assert (await stream.one("connected")).data == {"resumed": True}
        assert (await stream.one()).data["code"] == "LAB-002"
        assert await stream.quiet()


async def test_a_reset_among_what_was_missed_gives_a_snapshot(base: str, floor: Floor) -> None:
    async with connect(base, clinic="lab") as stream:
        first = await stream.one("connected")
    await floor.enter("amina")
    await floor.reset()
    await floor.enter("noor")
    async with connect(base, clinic="lab", last_event_id=first.id or "") as stream:
        fold = Fold(first.data)
        assert (await stream.one("connected")).data == {"resumed": True}
        for name in ("queue_update", "queue_update", "reset"):
            fold.take(await stream.one(name))
        assert fold.state == Fold(await fresh(base, "lab")).state
        assert await stream.quiet()


def _forged(cursor: str, **changes: object) -> str:
    epoch, facility, series, versions = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    parts = {"epoch": epoch, "facility": facility, "series": series, "versions": versions} | changes
    return base64.urlsafe_b64encode(json.dumps(list(parts.values())).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "broken",
    [
        "x",
        "%00",
        "🂡",
        "W10",
        "a" * 4000,
        {"versions": {"lab": 10**9}},
        {"versions": {"lab": -1}},
        {"versions": {"lab": "1"}},
        {"versions": {"xray": 0}},
        {"versions": {}},
        {"versions": {"lab": 0, "xray": 0}},
        {"versions": {"lab": 2**70}},
        {"epoch": "000000000000"},
        {"facility": "000000000000"},
        {"epoch": None},
    ],
    ids=str,
)
async def test_a_cursor_that_means_nothing_here_gives_a_snapshot(base: str, floor: Floor, broken: object) -> None:
    await floor.enter("amina")
    cursor = broken
    if isinstance(broken, dict):
        cursor = _forged((await fresh(base, "lab"))["cursor"], **broken)
    async with connect(base, clinic="lab", last_event_id=str(cursor)) as stream:
        assert stream.status == 200
        reset = await stream.one("reset")
        assert reset.data["waiting"] == ["LAB-001"]
        await floor.enter("noor")
        assert (await stream.one()).data["code"] == "LAB-002"


async def test_too_much_missed_gives_a_snapshot(database_url: str, tmp_path: Path) -> None:
    async with process(database_url, tmp_path, pace={"replay": SOME - 3}) as started:
        house = await found_house(started.services)
        heard = await _heard(base_of(started, house), floor_of(started, house))
        async with connect(base_of(started, house), clinic="lab", last_event_id=heard[0].id or "") as stream:
            assert (await stream.one("reset")).id == heard[-1].id
        async with connect(base_of(started, house), clinic="lab", last_event_id=heard[3].id or "") as stream:
            await _resumed(stream, heard[3])


async def test_events_no_longer_kept_give_a_snapshot(base: str, house: House, floor: Floor, database_url: str) -> None:
    heard = await _heard(base, floor)
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("DELETE FROM event WHERE facility_id = %s AND version <= 2", [house.facility.id])
    async with connect(base, clinic="lab", last_event_id=heard[1].id or "") as stream:
        assert (await stream.one("reset")).id == heard[-1].id
    async with connect(base, clinic="lab", last_event_id=heard[2].id or "") as stream:
        await _resumed(stream, heard[2])


async def test_another_life_of_the_log_ends_streams_and_gives_a_snapshot(server_url: str, tmp_path: Path) -> None:
    url = new_database(server_url)
    async with process(url, tmp_path) as started:
        house = await found_house(started.services)
        base, floor = base_of(started, house), floor_of(started, house)
        await floor.enter("amina")
        async with connect(base, clinic="lab") as stream:
            first = await stream.one("connected")
            with psycopg.connect(url, autocommit=True) as owner:
                owner.execute("INSERT INTO log_epoch DEFAULT VALUES")
            assert [event.name for event in await stream.end()] == []
            assert stream.retry
        async with connect(base, clinic="lab", last_event_id=first.id or "") as stream:
            reset = await stream.one("reset")
            assert reset.data["waiting"] == ["LAB-001"]
            assert reset.id != first.id


async def test_a_restarted_process_goes_on(database_url: str, tmp_path: Path) -> None:
    async with process(database_url, tmp_path) as first:
        house = await found_house(first.services)
        heard = await _heard(base_of(first, house), floor_of(first, house))
    async with process(database_url, tmp_path) as second:
        async with connect(base_of(second, house), clinic="lab", last_event_id=heard[2].id or "") as stream:
            await _resumed(stream, heard[2])
            assert [(await stream.one()).id for _ in heard[3:]] == [one.id for one in heard[3:]]


async def test_nothing_is_lost_when_a_queue_moves_while_clients_come_and_go(base: str, floor: Floor) -> None:
    """A client that stays for one event at a time hears every event exactly once."""
    last, numbers = "", []
    async with connect(base, clinic="lab") as stream:
        last = (await stream.one("connected")).id or ""
    for number in range(12):
        await floor.enter(f"person-{number}")
        async with connect(base, clinic="lab", last_event_id=last) as stream:
            await stream.one("connected")
            event = await stream.one()
            numbers.append(event.data["number"])
            last = event.id or ""
    assert numbers == list(range(1, 13))
