"""Shorthands for the tests of facilities: one command is one transaction, as a request makes it."""

from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, TypeVar

from dawr.accounts.rules import Actor
from dawr.facilities import queries
from dawr.facilities.rules import Clinic, Facility
from dawr.platform import events
from dawr.platform.db import WriteTx
from dawr.platform.events import Recorded
from tests.conftest import House

T = TypeVar("T")
Command = Callable[Concatenate[WriteTx, Actor, ...], Awaitable[T]]


async def run(house: House, actor: Actor, command: Command[T], **arguments: Any) -> T:
    async with house.here(actor).write() as tx:
        return await command(tx, actor, **arguments)


async def clinic_of(house: House, clinic: str = "lab") -> Clinic:
    async with house.here().read() as tx:
        return await queries.clinic(tx, clinic)


async def facility_of(house: House) -> Facility:
    async with house.here().read() as tx:
        found = await queries.facility(tx)
    assert found is not None
    return found


async def log_of(house: House, stream: str) -> list[Recorded]:
    """Every event of a stream. Its versions have no gap: that is checked at each look."""
    async with house.here().read() as tx:
        found = await events.since(tx, stream=stream, version=0)
    assert [one.version for one in found] == list(range(1, len(found) + 1))
    return found
