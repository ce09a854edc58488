"""A process that hangs inside a transaction holds a queue's lock: it loses it, and the others go on."""

import asyncio
import time

import pytest

from dawr.facilities import queries as facilities
from dawr.platform.errors import Unavailable
from dawr.tickets import store
from tests.conftest import House
from tests.tickets.conftest import Floor


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
