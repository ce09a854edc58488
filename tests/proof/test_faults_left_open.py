"""A process that hangs inside a transaction holds a queue's lock: it loses it, and the others go on."""

import asyncio
import time
from pathlib import Path

import psycopg
import pytest

from dawr.facilities import queries as facilities
from dawr.platform import db
from dawr.platform.errors import Unavailable
from dawr.tickets import store, store_crowd
from tests.conftest import House, make_services
from tests.tickets.conftest import Floor

_FREE = "SELECT FROM queue WHERE facility_id = %s AND clinic = 'lab' FOR UPDATE SKIP LOCKED"


async def hang(house: House, locked: asyncio.Event, over: asyncio.Event) -> None:
    async with house.services.db.write(house.facility.id) as tx:
        await store.lock_queue(tx, house.facility, await facilities.clinic(tx, "lab"))
        locked.set()
        await over.wait()


async def test_whoever_hangs_with_a_queue_locked_loses_it_within_seconds(house: House) -> None:
    locked, over = asyncio.Event(), asyncio.Event()
    hanging = asyncio.create_task(hang(house, locked, over))
    await locked.wait()
    started = time.monotonic()
    ticket = await Floor(house).enter("amina")
    waited = time.monotonic() - started
    over.set()
    with pytest.raises(Unavailable):
        await hanging
    assert (ticket.number, 2 < waited < 7) == (1, True)


async def test_whoever_hangs_between_statements_that_go_together_loses_it_too(
    house: House, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database_url) as connection:
        if connection.info.server_version < 170000:
            pytest.skip("this server knows no limit for a whole transaction")
    monkeypatch.setattr(db, "TRANSACTION_TIMEOUT", "2s")
    elsewhere = make_services(database_url, tmp_path)
    await elsewhere.db.open()
    await Floor(house).enter("first")
    locked, over = asyncio.Event(), asyncio.Event()

    async def hang_there() -> None:
        async with elsewhere.db.write(house.facility.id) as tx, tx.one_trip():
            await store_crowd.ask(tx, [("lab", b"")])
            locked.set()
            await over.wait()

    hanging = asyncio.create_task(hang_there())
    await locked.wait()
    with psycopg.connect(database_url, autocommit=True) as connection:
        while connection.execute(_FREE, [house.facility.id]).fetchone():
            await asyncio.sleep(0.01)
    started = time.monotonic()
    await Floor(house).enter("amina")
    waited = time.monotonic() - started
    over.set()
    with pytest.raises(Unavailable):
        await hanging
    await elsewhere.db.close()
    assert 1 < waited < 6
