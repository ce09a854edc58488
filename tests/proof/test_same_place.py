"""Two people may stand at one place in the order. As nobody fits between them, whoever comes back then goes before both; the
model knows of it."""

import pytest

from dawr.accounts.rules import STRANGER
from dawr.platform.ids import new_id
from dawr.tickets.commands import Arrival
from dawr.tickets.commands_enter import enter
from dawr.tickets.people import keep_person
from dawr.tickets.rules import Place, Priority, Ticket, Verb
from tests.conftest import House
from tests.proof.linearizability import Operation
from tests.proof.test_stateful import Day
from tests.tickets.conftest import Floor

USERS = {"lab": "amina", "xray": "noor"}


async def at_one_instant(day: Day) -> dict[str, Ticket]:
    """Two people who join two queues in one transaction, as those of a crowd do."""
    here, tickets = day.floor.house.here(), {}
    async with here.write() as tx:
        for clinic, user in USERS.items():
            ticket_id = new_id(tx.now)
            personal = keep_person(here, ticket_id, user=user, name=None, phone=None)
            arrival = Arrival(ticket_id, None, Priority.NORMAL, None, personal)
            tickets[clinic], _ = await enter(tx, STRANGER, here.facility, clinic, arrival)
    for clinic, user in USERS.items():
        seen = {"http": 201, "ticket": str(tickets[clinic].id), "ahead": 0}
        # Answered before all that the day is asked later.
        both = Operation(0, -2, -1, "enter", {"clinic": clinic, "user": user}, seen)
        day.states = frozenset(after for state in day.states for after in day.model.step(state, both))
    return tickets


async def came(day: Day, user: str, priority: Priority = Priority.NORMAL) -> Ticket:
    doing = day.floor.enter_or_find(user, actor=day.floor.house.rui, priority=priority)
    await day.do("enter", doing, clinic="lab", user=user, priority=priority.value)
    return await last(day)


async def last(day: Day) -> Ticket:
    assert day.story[-1].output
    return await day.floor.ticket(day.story[-1].output["ticket"])


async def moved(day: Day, ticket: Ticket, *verbs: Verb) -> Ticket:
    for verb in verbs:
        doing = day.floor.call_ticket(ticket) if verb is Verb.CALL else day.floor.move(ticket, verb)
        await day.do(verb.value, doing, ticket=str(ticket.id))
    return await last(day)


def place_of(ticket: Ticket) -> tuple[int, int]:
    return ticket.rank, ticket.order_key


@pytest.fixture
def day(house: House) -> Day:
    return Day(Floor(house))


async def test_two_who_joined_two_queues_at_one_instant(day: Day) -> None:
    tickets = await at_one_instant(day)
    doing = day.floor.transfer(tickets["xray"], "lab", place=Place.BY_ARRIVAL)
    await day.do("transfer", doing, ticket=str(tickets["xray"].id), to="lab", place="by_arrival")
    assert place_of(await last(day)) == place_of(tickets["lab"])
    await came(day, "urgent", Priority.EMERGENCY)
    await moved(day, await came(day, "late"), Verb.CALL, Verb.LATE)
    assert (await day.floor.waiting())[:2] == ["LAB-003", "LAB-004"]
    await day.look("lab")


async def test_two_who_were_put_between_the_same_two(day: Day) -> None:
    missed = [await moved(day, await came(day, f"missed-{n}"), Verb.CALL, Verb.NO_SHOW) for n in range(3)]
    line = [await came(day, f"person-{n}") for n in range(4)]
    await moved(day, missed[0], Verb.REJOIN, Verb.HOLD)
    beside = await moved(day, missed[1], Verb.REJOIN)
    assert place_of(await moved(day, missed[0], Verb.RESUME)) == place_of(beside)
    await moved(day, line[0], Verb.CALL)
    await moved(day, missed[2], Verb.REJOIN)
    assert (await day.floor.waiting())[:2] == [line[1].code, missed[2].code]
    await day.look("lab")
