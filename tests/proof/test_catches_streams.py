"""What was told while nobody could hear it."""

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import House, Live
from tests.realtime.conftest import append_events, base_of, floor_of, hub_of, process
from tests.realtime.folding import version_of
from tests.realtime.sse import connect
from tests.realtime.test_processes import NEVER, _until

_KILL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
)


@pytest.fixture
async def asleep(database_url: str, tmp_path: Path) -> AsyncIterator[Live]:
    """A process that never asks by itself."""
    async with process(database_url, tmp_path, pace={"poll": NEVER}) as started:
        await _until(lambda: not hub_of(started).troubles)
        yield started


async def test_whoever_listens_again_asks_for_what_was_missed(asleep: Live, house: House, database_url: str) -> None:
    """Nobody is notified of what is committed meanwhile, so that only asking can find it."""
    await floor_of(asleep, house).enter("amina")
    async with connect(base_of(asleep, house), clinic="lab") as stream:
        await stream.one("connected")
        assert await stream.quiet()
        with psycopg.connect(database_url, autocommit=True) as owner:
            assert owner.execute(_KILL).fetchall()
        # This process does nothing else until the event is there: it cannot listen again before.
        append_events(database_url, house.facility.id, 1)
        assert version_of((await stream.one()).id or "", "lab") == 2
