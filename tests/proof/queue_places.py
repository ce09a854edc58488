"""Where the model puts people: whoever joins, comes from another clinic, or comes back near the front."""

from collections.abc import Iterator, Sequence

from tests.proof.linearizability import Operation
from tests.proof.queue_state import Place, QueueState, Span, Ticket

BEHIND = 2


def span(operation: Operation) -> Span:
    return operation.call, operation.end


def next_number(queue: QueueState) -> int:
    return len(queue.tickets) - queue.first + 1


def fresh_ticket(queue: QueueState, person: str, operation: Operation) -> Ticket:
    n = len(queue.tickets)
    when = span(operation)
    return Ticket(person, None, queue.series, next_number(queue), "waiting", Place(2 * n, 1, "timed", when), when)


def arrived(queue: QueueState, ticket: Ticket) -> Iterator[QueueState]:
    """With a ticket where its priority puts it."""
    place = ticket.place
    if ticket.priority == "emergency":
        place = place._replace(rank=0)
    elif ticket.priority == "priority":
        place = place._replace(kind="credited")
        known = list(queue.places(1))
        credited = [one.id for one in known if one.kind == "credited"]
        timed = [one.id for one in known if one.kind == "timed"]
        order = queue.usual.inserted(place.id, after=credited, before=timed)
        yield from _added(queue.with_order(1, order), ticket._replace(place=place))
        return
    yield from _added(
        queue.with_order(place.rank, queue.order(place.rank).appended(place.id)), ticket._replace(place=place)
    )


def _added(queue: QueueState, ticket: Ticket) -> Iterator[QueueState]:
    """With a ticket whose place the order knows."""
    n = len(queue.tickets)
    there = queue._replace(tickets=(*queue.tickets, ticket)).joined(n)
    return there.standing(n)


def passed_on(queue: QueueState, ticket: Ticket, *, arrived: Span, place: str) -> Iterator[QueueState]:
    """With somebody who comes from another clinic: at the end, before all who wait, or by when they came there. An emergency is
    one here too; a priority has no credit any more."""
    rank = 0 if ticket.priority == "emergency" else 1
    mine = ticket.place._replace(rank=rank)
    if place == "by_arrival":
        mine = mine._replace(since=arrived, elsewhere=True)
        others = list(queue.places(rank))
        early = [
            one.id for one in others if one.kind == "credited" or (one.kind == "timed" and one.surely_before(mine))
        ]
        late = [one.id for one in others if one.kind == "timed" and mine.surely_before(one)]
        order = queue.order(rank).inserted(mine.id, after=early, before=late)
    elif place == "front" and queue.line and queue.tickets[queue.line[0]].place.rank <= rank:
        first = queue.tickets[queue.line[0]].place
        mine = mine._replace(rank=first.rank, kind="near")
        order = queue.order(first.rank).inserted(mine.id, after=_close_before(queue, first), before=[first.id])
    else:
        order = queue.order(rank).appended(mine.id)
    yield from _added(queue.with_order(mine.rank, order), ticket._replace(place=mine))


def _close_before(queue: QueueState, place: Place) -> list[int]:
    """Who is behind nobody that is put right before a place."""
    if place.kind == "near":
        return []
    others = (one for one in queue.places(place.rank) if one.kind != "near")
    return [one.id for one in others if _is_earlier(one, place)]


def _is_earlier(one: Place, other: Place) -> bool:
    if one.kind == other.kind:
        return one.surely_before(other)
    return one.kind == "credited"


def near_front(queue: QueueState, n: int, operation: Operation) -> Iterator[QueueState]:
    """The ticket's other place: behind the second who waits and before the third, or further in front where there is no room
    between these; behind everybody where there is no third."""
    other, line = queue.tickets[n].place.id ^ 1, queue.line
    if len(line) <= BEHIND:
        place = Place(other, 1, "timed", span(operation))
        yield _placed(queue.with_order(1, queue.usual.appended(other)), n, place)
        return
    for ahead in _spots([queue.tickets[n].place for n in line[: BEHIND + 1]]):
        behind = queue.tickets[line[ahead]].place
        front = queue.tickets[line[ahead - 1]].place if ahead else None
        after = [front.id] if front and front.rank == behind.rank else _close_before(queue, behind)
        order = queue.order(behind.rank).inserted(other, after=after, before=[behind.id])
        yield _placed(queue.with_order(behind.rank, order), n, Place(other, behind.rank, "near", span(operation)))


def _spots(front: Sequence[Place]) -> Iterator[int]:
    """How many of the first three somebody may be put behind. Between an emergency and the others there is always room."""
    for ahead in range(BEHIND, -1, -1):
        yield ahead
        if ahead and (front[ahead - 1].rank != front[ahead].rank or not front[ahead - 1].may_touch(front[ahead])):
            return


def _placed(queue: QueueState, n: int, place: Place) -> QueueState:
    return queue.with_ticket(n, queue.tickets[n]._replace(place=place))
