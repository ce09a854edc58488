"""What boards, desks and patients see of a queue."""

from datetime import timedelta
from uuid import uuid4

import pytest

from dawr.facilities.rules import ClinicNotFound
from dawr.tickets import api, queries
from dawr.tickets.people import shown_person
from dawr.tickets.queries import TicketView
from dawr.tickets.rules import Status, TicketNotFound, Verb
from tests.conftest import House
from tests.tickets.conftest import Floor


async def test_every_group_shows_its_codes(floor: Floor) -> None:
    for status in Status:
        await floor.in_state(f"person {status}", status)
    answer = (await floor.status()).answer()
    assert answer["waiting"] == ["LAB-001"]
    assert answer["called"] == [{"code": "LAB-002", "desk": "1"}]
    assert answer["serving"] == [{"code": "LAB-003", "desk": "1"}]
    assert answer["held"] == ["LAB-004"]
    assert answer["counts"] == {"waiting": 1, "called": 1, "serving": 1, "held": 1, "done": 1, "gone": 4}
    assert answer["last_number"] == 9


async def test_before_the_first_ticket_everything_is_empty(floor: Floor) -> None:
    answer = (await floor.status()).answer()
    assert (answer["waiting"], answer["last_number"], answer["mean_wait_minutes"]) == ([], 0, None)
    assert set(answer["counts"].values()) == {0}


async def test_the_called_stand_in_the_order_of_their_calls(floor: Floor) -> None:
    tickets = await floor.several(3)
    for one in (tickets[2], tickets[0], tickets[1]):
        await floor.call_ticket(one, desk="1")
    assert [code for code, _ in (await floor.status()).called] == ["LAB-003", "LAB-001", "LAB-002"]


async def test_the_mean_wait_counts_until_the_call(floor: Floor, house: House) -> None:
    for minutes in (10, 20):
        ticket = await floor.enter(f"waits {minutes}")
        house.clock.offset += timedelta(minutes=minutes)
        await floor.call_ticket(ticket)
    assert (await floor.status()).mean_wait_minutes == 15.0


async def test_nothing_in_it_names_a_person(floor: Floor) -> None:
    await floor.enter("amina", name="Amina Haddad")
    assert "mina" not in repr((await floor.status()).answer())
    assert "mina" not in repr(await floor.log())


async def test_an_unknown_clinic_is_not_found(floor: Floor) -> None:
    with pytest.raises(ClinicNotFound):
        await floor.status("nowhere")


async def test_asking_turns_the_day_that_is_due(floor: Floor, house: House) -> None:
    ticket = await floor.enter("amina")
    house.clock.offset += timedelta(days=1)
    found, _ = await api.current(house.here(), "lab")
    assert found.service_day == ticket.service_day + timedelta(days=1)
    assert found.waiting == (f"LAB-001/{ticket.service_day.day:02d}",)


async def test_positions_are_those_of_the_status(floor: Floor) -> None:
    tickets = await floor.several(6)
    await floor.move(tickets[1], Verb.HOLD)
    await floor.call()
    waiting = await floor.waiting()
    async with floor.house.here().read() as tx:
        views = await queries.views(tx, floor.house.here(), [one.id for one in tickets])
    found = {one.ticket.code: one.ahead for one in views.values() if one.ticket.status is Status.WAITING}
    assert found == {code: place for place, code in enumerate(waiting)}


async def test_what_does_not_exist_is_missing(floor: Floor) -> None:
    with pytest.raises(TicketNotFound):
        await floor.view(uuid4())


async def test_another_facilitys_tickets_are_missing(floor: Floor) -> None:
    ticket, other = await floor.enter("amina"), await floor.elsewhere()
    with pytest.raises(TicketNotFound):
        await other.view(ticket.id)


# The staff's list


async def at_desk(floor: Floor, *, ended: bool = False) -> list[TicketView]:
    async with floor.house.here().read() as tx:
        _, found = await queries.at_desk(tx, floor.house.here(), "lab", ended=ended)
        return found


async def test_staff_see_every_open_ticket_with_its_place_and_name(floor: Floor, house: House) -> None:
    await floor.called("first")
    await floor.enter("amina", name="Amina")
    await floor.enter("second")
    views = await at_desk(floor)
    assert [(one.ticket.number, one.ahead) for one in views] == [(1, 0), (2, 0), (3, 1)]
    assert shown_person(house.here(), views[1]) == {"name": "Amina", "phone": None}


async def test_staff_see_the_last_that_ended_first(floor: Floor) -> None:
    for n in range(22):
        await floor.in_state(f"person-{n}", Status.CANCELLED)
    assert [one.ticket.number for one in await at_desk(floor, ended=True)] == list(range(22, 2, -1))
