"""The places that appointments take in a queue, by themselves: what the core does with a key that lies in the future."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dawr.platform.ids import new_id
from dawr.tickets import commands_crowd, store_crowd
from dawr.tickets.commands import Arrival
from dawr.tickets.commands_crowd import Entered
from dawr.tickets.commands_enter import enter
from dawr.tickets.people import keep_person
from dawr.tickets.rules import STEP, Placed, Priority, Status, Ticket, expected, nanoseconds, place_near_front
from tests.appointments.conftest import Practice, at
from tests.conftest import House

SLOT = datetime(2031, 3, 3, 7, tzinfo=UTC)
KEY = nanoseconds(SLOT)
AWAY = st.integers(-7200, 7200).map(lambda seconds: seconds * 10**9)


def joined(key: int, priority: Priority = Priority.NORMAL) -> Ticket:
    return Ticket(
        id=uuid4(),
        clinic="lab",
        service_day=date(2031, 3, 3),
        series=1,
        number=1,
        code="LAB-001",
        status=Status.WAITING,
        priority=priority,
        rank=0 if priority is Priority.EMERGENCY else 1,
        order_key=key,
        placed=Placed.ARRIVAL,
        doctor=None,
        desk=None,
        language=None,
        entered_at=SLOT,
    )


@given(AWAY)
def test_who_came_in_time_stands_at_the_start_of_the_slot(away: int) -> None:
    placed = expected(joined(KEY + away), SLOT)
    assert (placed.rank, placed.order_key, placed.placed) == (1, KEY, Placed.APPOINTMENT)


@given(AWAY)
def test_a_priority_is_never_worse_off_for_an_appointment(away: int) -> None:
    placed = expected(joined(KEY + away, Priority.PRIORITY), SLOT)
    assert placed.order_key == min(KEY, KEY + away)


@given(AWAY)
def test_an_emergency_waits_for_no_slot(away: int) -> None:
    hurt = joined(KEY + away, Priority.EMERGENCY)
    assert expected(hurt, SLOT) == hurt


@given(st.lists(st.integers(-50, 50), min_size=0, max_size=3, unique=True))
def test_who_comes_back_stands_before_all_who_join_from_now_on(offsets: list[int]) -> None:
    front = [(1, KEY + one * 10 * STEP) for one in sorted(offsets)]
    place = place_near_front(front, key=KEY)
    assert place <= (1, KEY)
    assert len([one for one in front if one < place]) <= 2


async def crowd(house: House, count: int) -> list[Entered]:
    """Strangers who enter the lab together."""
    here = house.here()
    async with here.write() as tx:
        arrivals = []
        for n in range(count):
            ticket_id = new_id(tx.now)
            personal = keep_person(here, ticket_id, user=f"crowd-{n}", name=None, phone=None)
            arrivals.append(Arrival(ticket_id, None, Priority.NORMAL, None, personal))
        doors = await store_crowd.answered(tx, here.facility, await store_crowd.ask(tx, [("lab", b"")]))
        async with commands_crowd.entering(tx, here.facility, [(doors["lab"], arrivals)]) as entered:
            found = entered[0]
    assert all(isinstance(one, Entered) for one in found)
    return [one for one in found if isinstance(one, Entered)]


async def check_in(house: House, start: datetime) -> Ticket:
    here = house.here(house.rui)
    async with here.write() as tx:
        ticket_id = new_id(tx.now)
        personal = keep_person(here, ticket_id, user=f"patient {start}", name=None, phone=None)
        arrival = Arrival(ticket_id, None, Priority.NORMAL, None, personal, start)
        return (await enter(tx, here.actor, here.facility, "lab", arrival))[0]


async def test_a_crowd_goes_before_who_is_early(practice: Practice) -> None:
    await check_in(practice.house, at("10:00"))
    assert [one.ahead for one in await crowd(practice.house, 3)] == [0, 1, 2]


@pytest.mark.parametrize(("nth", "ahead"), [(0, [0, 1, 2, 3]), (1, [1, 2, 3, 4]), (3, [0, 1, 3, 4]), (5, [0, 1, 2, 3])])
async def test_an_appointment_may_begin_amid_a_crowd(practice: Practice, nth: int, ahead: list[int]) -> None:
    slot = at("10:00")
    # A clock that was ahead gave keys close to the slot's own; the next ones follow by steps of a microsecond.
    last_key = nanoseconds(slot) - nth * STEP if nth != 0 else nanoseconds(slot) - 20 * STEP
    await check_in(practice.house, slot)
    async with practice.house.here().write() as tx:
        await tx.execute("UPDATE queue SET last_key = %(key)s WHERE facility_id = %(facility_id)s", key=last_key)
    told = await crowd(practice.house, 4)
    assert [one.ahead for one in told] == ahead
    assert [one.ticket.order_key - last_key for one in told] == [STEP * n for n in range(1, 5)]


async def test_the_last_key_given_is_never_one_to_come(practice: Practice) -> None:
    await check_in(practice.house, practice.house.clock.now() + timedelta(hours=3))
    async with practice.house.here().read() as tx:
        last = await tx.value("SELECT last_key FROM queue WHERE facility_id = %(facility_id)s AND clinic = 'lab'")
    assert last <= nanoseconds(practice.house.clock.now())
