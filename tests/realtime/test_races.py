"""What happens between a newcomer's snapshot and the reading of a queue's news, held still to be looked at."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.conftest import House, Live
from tests.realtime.conftest import append_events, base_of, floor_of, process
from tests.realtime.folding import version_of
from tests.realtime.sse import connect

NEVER = 3600.0


@pytest.fixture
async def asleep(database_url: str, tmp_path: Path) -> AsyncIterator[Live]:
    """A process that never asks by itself."""
    async with process(database_url, tmp_path, pace={"poll": NEVER}) as started:
        yield started


@contextmanager
def _clinics_locked(url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Whoever reads clinics waits, with the snapshot it has taken already."""
    with psycopg.connect(url) as owner:
        owner.execute("LOCK TABLE clinic IN ACCESS EXCLUSIVE MODE")
        yield owner
        owner.rollback()


async def _somebody_waits(url: str) -> None:
    async with asyncio.timeout(10):
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as owner:
            while True:
                found = await owner.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                if (await found.fetchone()) != (0,):
                    return
                await asyncio.sleep(0.01)


async def test_what_is_committed_after_the_first_snapshot_of_a_queue_is_told(
    asleep: Live, house: House, database_url: str
) -> None:
    base = base_of(asleep, house)
    await floor_of(asleep, house).enter("amina")

    async def watch() -> list[int]:
        async with connect(base, clinic="lab") as stream:
            first, update = await stream.one("connected"), await stream.one()
            assert await stream.quiet()
            return [version_of(one.id or "", "lab") for one in (first, update)]

    with _clinics_locked(database_url):
        watching = asyncio.create_task(watch())
        await _somebody_waits(database_url)
        append_events(database_url, house.facility.id, 1)
    assert await watching == [1, 2]


async def test_a_newcomer_who_knows_more_than_the_others_is_not_told_it_again(
    asleep: Live, house: House, database_url: str
) -> None:
    base, floor = base_of(asleep, house), floor_of(asleep, house)
    await floor.enter("amina")
    async with connect(base, clinic="lab") as early:
        await early.one("connected")
        assert await early.quiet()
        append_events(database_url, house.facility.id, 1)
        async with connect(base, clinic="lab") as late:
            first = await late.one("connected")
            assert version_of(first.id or "", "lab") == 2
            await floor.enter("noor")
            assert version_of((await late.one()).id or "", "lab") == 3
            assert [version_of((await early.one()).id or "", "lab") for _ in range(2)] == [2, 3]
            assert await late.quiet()
