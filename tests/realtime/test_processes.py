"""Several processes on one database: each hears what the others commit, whatever happens to the connections between."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from dawr.realtime.mount import announcing
from tests.conftest import House, Live, found_house, make_services, new_database
from tests.realtime.conftest import base_of, floor_of, hub_of, process
from tests.realtime.folding import proves_stream
from tests.realtime.sse import Stream, connect
from tests.tickets.conftest import Floor

NEVER = 3600.0
LATEST = 0.25


@asynccontextmanager
async def _listening(live: Live, house: House) -> AsyncIterator[Stream]:
    async with connect(base_of(live, house), clinic="lab") as stream:
        await stream.one("connected")
        yield stream


@pytest.fixture
async def deaf_to_polls(database_url: str, tmp_path: Path) -> AsyncIterator[Live]:
    """A process that hears of others by notifications alone."""
    async with process(database_url, tmp_path / "deaf", pace={"poll": NEVER}) as started:
        await _until(lambda: not hub_of(started).troubles)
        yield started


async def _until(holds: Callable[[], bool], *, within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not holds():
            await asyncio.sleep(0.01)


async def test_hears_of_another_process_by_notification(
    live: Live, house: House, deaf_to_polls: Live, record_property: Callable[[str, object], None]
) -> None:
    late = []
    async with _listening(deaf_to_polls, house) as stream:
        for number in range(10):
            await floor_of(live, house).enter(f"person-{number}")
            committed = time.monotonic()
            event = await stream.one()
            assert event.data["number"] == number + 1
            late.append(event.at - committed)
    record_property("median_milliseconds", round(sorted(late)[5] * 1000, 1))
    assert sorted(late)[5] < LATEST


async def test_two_processes_change_one_queue_and_both_tell_the_same(
    live: Live, house: House, deaf_to_polls: Live
) -> None:
    async with proves_stream(base_of(live, house), "lab") as here:
        async with proves_stream(base_of(deaf_to_polls, house), "lab") as there:
            await asyncio.gather(
                *(_come_and_go(floor_of(one, house), name) for one, name in ((live, "a"), (deaf_to_polls, "b")))
            )
    assert len(here) == 20
    assert [(one.id, one.data) for one in here] == [(one.id, one.data) for one in there]


async def _come_and_go(floor: Floor, name: str) -> None:
    for number in range(5):
        await floor.enter(f"{name}-{number}")
        await floor.call(desk="1")


async def test_a_lost_notification_costs_the_time_until_the_poll(
    house: House, database_url: str, tmp_path: Path
) -> None:
    """The one who commits here has no hub, so nobody is notified."""
    mute = make_services(database_url, tmp_path / "mute")
    await mute.db.open()
    try:
        async with process(database_url, tmp_path / "polling", pace={"poll": 0.3}) as started:
            async with _listening(started, house) as stream:
                await Floor(House(mute, house.facility)).enter("amina")
                assert (await stream.one()).data["number"] == 1
                await Floor(House(mute, house.facility)).enter("noor")
                assert (await stream.one()).data["number"] == 2
                assert await stream.quiet(0.7)
    finally:
        await mute.db.close()


async def test_a_worker_without_streams_tells_what_it_commits(
    house: House, deaf_to_polls: Live, database_url: str, tmp_path: Path
) -> None:
    worker = make_services(database_url, tmp_path / "worker")
    await worker.db.open()
    try:
        async with announcing(worker), _listening(deaf_to_polls, house) as stream:
            await Floor(House(worker, house.facility)).enter("amina")
            assert (await stream.one()).data["number"] == 1
    finally:
        await worker.db.close()


def _kill(url: str, kind: str) -> int:
    """Ends the connections of this database whose latest statement begins so; how many there were."""
    with psycopg.connect(url, autocommit=True) as owner:
        found = owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE %s",
            [kind + "%"],
        )
        return len(found.fetchall())


async def test_listens_again_after_its_connection_was_killed(
    live: Live, house: House, deaf_to_polls: Live, database_url: str
) -> None:
    hub = hub_of(deaf_to_polls)
    async with _listening(deaf_to_polls, house) as stream:
        assert _kill(database_url, "LISTEN") >= 1
        await _until(lambda: "not_listening" in hub.troubles)
        await floor_of(live, house).enter("while deaf")
        assert (await stream.one()).data["number"] == 1
        await _until(lambda: not hub.troubles)
        await floor_of(live, house).enter("afterwards")
        assert (await stream.one()).data["number"] == 2
        assert await stream.quiet()


async def test_notifies_again_after_its_connection_was_killed(
    live: Live, house: House, deaf_to_polls: Live, database_url: str
) -> None:
    async with _listening(deaf_to_polls, house) as stream:
        await floor_of(live, house).enter("first")
        await stream.one()
        assert _kill(database_url, "SELECT pg_notify") >= 1
        await floor_of(live, house).enter("second")
        assert (await stream.one()).data["number"] == 2


async def test_streams_outlive_all_connections(server_url: str, tmp_path: Path) -> None:
    url = new_database(server_url)
    async with process(url, tmp_path, pace={"poll": 0.2}) as started:
        house = await found_house(started.services)
        async with _listening(started, house) as stream:
            assert _kill(url, "") >= 3
            floor = floor_of(started, house)
            await _until_possible(lambda: floor.enter("amina"))
            assert (await stream.one()).data["number"] == 1
            await _until(lambda: not hub_of(started).troubles)


async def _until_possible(work: Callable[[], object]) -> None:
    for _ in range(20):
        try:
            await work()  # type: ignore[misc]
            return
        except Exception:
            await asyncio.sleep(0.1)
    raise TimeoutError
