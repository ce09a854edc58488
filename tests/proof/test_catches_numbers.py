"""A number belongs to the transaction that takes it."""

import pytest
from psycopg.errors import NotNullViolation

from dawr.accounts.rules import STRANGER
from dawr.facilities.queries import Context
from dawr.platform.db import WriteTx
from dawr.platform.ids import new_id
from dawr.platform.numbers import next_number
from dawr.tickets import commands_enter
from dawr.tickets.commands import Arrival
from dawr.tickets.commands_enter import Entry, enter
from dawr.tickets.people import keep_person
from dawr.tickets.rules import Priority
from tests.conftest import House
from tests.tickets.conftest import Floor


class LostError(Exception):
    """Whatever ends a transaction after it has taken its number."""


def arrival(here: Context, tx: WriteTx) -> Arrival:
    ticket_id = new_id(tx.now)
    return Arrival(
        ticket_id, None, Priority.NORMAL, None, keep_person(here, ticket_id, user="nobody", name=None, phone=None)
    )


async def entered_and_lost(house: House) -> None:
    here = house.here()
    async with here.write() as tx:
        lost, _ = await enter(tx, STRANGER, here.facility, "lab", arrival(here, tx))
        assert lost.number == 2
        raise LostError


async def entered_while_numbers_move(house: House) -> None:
    here = house.here()
    async with here.write() as tx:
        async with tx.one_trip():
            asked = await commands_enter.ask(tx, "lab", None)
        at = await commands_enter.door(tx, here.facility, asked)
        entry = await commands_enter.prepare(tx, STRANGER, here.facility, at, arrival(here, tx))
        assert isinstance(entry, Entry)
        async with here.write() as other:
            assert await next_number(other, kind="ticket", scope="lab", service_day=at.queue.service_day) == 2
        async with commands_enter.writing(tx, entry):
            pass


async def test_a_number_that_was_not_committed_was_never_taken(house: House) -> None:
    floor = Floor(house)
    await floor.enter("amina")
    with pytest.raises(LostError):
        await entered_and_lost(house)
    assert [(await floor.enter(user)).number for user in ("noor", "omar")] == [2, 3]


async def test_a_number_that_was_taken_past_the_lock_is_not_given_again(house: House) -> None:
    """Nobody takes one without holding the queue; whoever did would be found out, not written over."""
    floor = Floor(house)
    await floor.enter("amina")
    with pytest.raises(NotNullViolation):
        await entered_while_numbers_move(house)
    assert (await floor.enter("noor")).number == 3
