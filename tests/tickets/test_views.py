"""Several tickets seen at once are what each of them is seen as alone."""

from uuid import uuid4

from dawr.tickets import queries
from dawr.tickets.rules import Priority, Status, Verb
from tests.tickets.conftest import Floor


async def test_tickets_of_two_clinics_in_every_state(floor: Floor) -> None:
    tickets = [*await floor.several(4), *await floor.several(3, clinic="xray")]
    tickets += [await floor.in_state(f"{status}", status) for status in Status]
    tickets.append(await floor.enter("urgent", actor=floor.house.rui, priority=Priority.EMERGENCY))
    await floor.move(tickets[1], Verb.HOLD)
    ids = [one.id for one in tickets]
    async with floor.house.here().read() as tx:
        together = await queries.views(tx, floor.house.here(), [*ids, uuid4()])
        alone = {one: await queries.view(tx, floor.house.here(), one) for one in ids}
    assert together == alone
    assert together[ids[-1]].ahead == 0
    assert together[ids[3]].ahead == 3


async def test_who_ended_today_is_listed_last_first(floor: Floor) -> None:
    done = [await floor.in_state(name, Status.DONE) for name in ("first", "second")]
    await floor.enter("waits")
    async with floor.house.here().read() as tx:
        _, ended = await queries.at_desk(tx, floor.house.here(), "lab", ended=True)
    assert [one.ticket.id for one in ended] == [one.id for one in reversed(done)]
