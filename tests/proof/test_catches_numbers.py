"""A number belongs to the transaction that takes it."""

import pytest

from dawr.accounts.rules import STRANGER
from dawr.platform.ids import new_id
from dawr.tickets.commands import Arrival
from dawr.tickets.commands_enter import enter
from dawr.tickets.people import keep_person
from dawr.tickets.rules import Priority
from tests.conftest import House
from tests.tickets.conftest import Floor


class LostError(Exception):
    """Whatever ends a transaction after it has taken its number."""


async def entered_and_lost(house: House) -> None:
    here = house.here()
    async with here.write() as tx:
        ticket_id = new_id(tx.now)
        personal = keep_person(here, ticket_id, user="nobody", name=None, phone=None)
        arrival = Arrival(ticket_id, None, Priority.NORMAL, None, personal)
        lost, _ = await enter(tx, STRANGER, here.facility, "lab", arrival)
        assert lost.number == 2
        raise LostError


async def test_a_number_that_was_not_committed_was_never_taken(house: House) -> None:
    floor = Floor(house)
    await floor.enter("amina")
    with pytest.raises(LostError):
        await entered_and_lost(house)
    assert [(await floor.enter(user)).number for user in ("noor", "omar")] == [2, 3]
