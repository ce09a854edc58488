"""The house changes while somebody waits at the queue's lock: what counts is how it is when their turn comes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dawr.accounts.rules import SYSTEM
from dawr.facilities import commands as changes
from dawr.facilities import commands_people as people
from dawr.facilities.rules import ClinicClosed, ClinicNotFound, DoctorNotFound, QueuePaused
from dawr.platform.db import WriteTx
from dawr.tickets import commands
from dawr.tickets.rules import QueueFull, Status
from tests.conftest import House
from tests.tickets.conftest import Floor

Change = Callable[[WriteTx], Awaitable[Any]]


@asynccontextmanager
async def waiting_for_the_lock(floor: Floor, clinic: str, work: Coroutine[Any, Any, Any]) -> AsyncIterator[WriteTx]:
    """A transaction that holds a clinic's queue, in which ``work`` has come as far as to that lock.

    When the block ends the transaction is committed, and ``work`` ends as it ends.
    """
    async with floor.house.here().write() as tx:
        await commands.open_tickets(tx, floor.house.facility, clinic=clinic)
        task = asyncio.create_task(work)
        while not await tx.value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.005)
        yield tx
    await task


def archive(clinic: str) -> Change:
    return lambda tx: changes.archive_clinic(tx, SYSTEM, clinic=clinic, open_tickets=None)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (archive("lab"), ClinicNotFound),
        (lambda tx: changes.close_clinic(tx, SYSTEM, clinic="lab"), ClinicClosed),
        (lambda tx: changes.pause_clinic(tx, SYSTEM, clinic="lab"), QueuePaused),
        (lambda tx: changes.pause_facility(tx, SYSTEM, reason="fire"), QueuePaused),
        (lambda tx: changes.change_clinic(tx, SYSTEM, clinic="lab", settings={"capacity": 1}), QueueFull),
    ],
    ids=["archived", "closed", "paused", "kill switch", "full"],
)
async def test_nobody_comes_into_a_clinic_that_takes_nobody(
    floor: Floor, change: Change, refusal: type[Exception]
) -> None:
    await floor.enter("first")
    with pytest.raises(refusal):
        async with waiting_for_the_lock(floor, "lab", floor.enter("amina")) as tx:
            await change(tx)


async def test_nobody_names_a_doctor_who_has_left(floor: Floor) -> None:
    with pytest.raises(DoctorNotFound):
        async with waiting_for_the_lock(floor, "lab", floor.enter("amina", doctor="omar")) as tx:
            await people.archive_doctor(tx, SYSTEM, doctor="omar", open_tickets=None)


async def test_nobody_is_passed_on_to_a_clinic_that_is_gone(floor: Floor, house: House) -> None:
    ticket = await floor.enter("amina")
    with pytest.raises(ClinicNotFound):
        async with waiting_for_the_lock(floor, "xray", floor.transfer(ticket, "xray")) as tx:
            await archive("xray")(tx)
    assert (await floor.ticket(ticket.id)).status is Status.WAITING


async def test_whoever_waits_is_served_in_the_order_of_the_lock(floor: Floor) -> None:
    first = await floor.enter("first")
    async with waiting_for_the_lock(floor, "lab", floor.enter("amina")) as tx:
        await commands.call_next(tx, floor.house.rui, floor.house.facility, clinic_id="lab", desk="1")
    assert [one.type for one in await floor.log()] == ["ticket_entered", "ticket_called", "ticket_entered"]
    assert (await floor.ticket(first.id)).status is Status.CALLED
