"""Who waits in a queue, folded from its log, is who waits in the store."""

from datetime import UTC, datetime

import pytest

from dawr.platform import events
from dawr.platform.events import Recorded
from dawr.realtime import queries
from dawr.realtime.line import Line
from dawr.tickets.rules import Place, Verb
from tests.tickets.conftest import Floor


def happened(version: int, ticket: str, leaving: str | None, coming: str, ahead: int | None = None) -> Recorded:
    data = {"from": leaving, "to": coming, "ahead": ahead}
    return Recorded("queue:lab", version, ticket, "ticket_moved", data, "system", datetime.now(UTC))


async def day(floor: Floor) -> None:
    """Every way into the line and out of it."""
    first, second, third = await floor.several(3)
    await floor.call(desk="1")
    await floor.move(first, Verb.NO_SHOW)
    await floor.move(third, Verb.HOLD)
    await floor.enter("fourth")
    await floor.move(first, Verb.REJOIN)
    await floor.move(third, Verb.RESUME)
    await floor.move(await floor.call(desk="2"), Verb.LATE)
    await floor.move(second, Verb.CANCEL)
    await floor.undo(second)
    sent = await floor.transfer(await floor.enter("elsewhere", clinic="xray"), "lab", place=Place.FRONT)
    await floor.move(await floor.call_ticket(sent), Verb.DONE)
    await floor.transfer(third, "xray")
    await floor.undo(third)


async def test_a_line_folded_from_the_log_is_the_line_in_the_store(floor: Floor) -> None:
    await day(floor)
    async with floor.house.here().read() as tx:
        (stored,) = await queries.lines(tx, ["lab"])
        log = await events.since(tx, stream="queue:lab", version=0)
    for begin in range(len(log)):
        line = Line("lab", 0, [])
        assert line.follow(log[:begin])
        assert line.follow(log)
        assert (line.places, line.version) == (stored.places, stored.version)
    assert stored.places


def test_what_it_knows_already_changes_nothing() -> None:
    line = Line("lab", 2, ["a", "b"])
    assert line.follow([happened(1, "a", None, "waiting", 0), happened(2, "b", None, "waiting", 1)])
    assert (line.places, line.version) == ({"a": 0, "b": 1}, 2)


@pytest.mark.parametrize(
    "news",
    [happened(4, "c", None, "waiting", 2), happened(3, "unknown", "waiting", "called")],
    ids=["a gap", "somebody who does not wait"],
)
def test_where_the_log_does_not_lead_on_it_has_to_be_read_anew(news: Recorded) -> None:
    assert not Line("lab", 2, ["a", "b"]).follow([news])
