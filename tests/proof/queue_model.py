"""What one clinic's queue may answer, one request after the other: the specification that histories are checked against.

It is written from the contract and shares no code with the product. It covers one service day and one series, people without
a priority or a doctor, and the verbs that stay within the clinic. An answer's members that a history leaves out are not
compared, and those of ``output`` that it has must all agree.

The order of a queue is known through who was seen before whom. Whoever comes back after a no-show stands between the second
and the third who wait; how that compares with somebody who was on hold just there is open, and decided by the first answer
that shows it. So everybody has a *place*, and ``QueueState.places`` holds for each one a bit for every place known to be before
it. A ticket has two: the one it has and, after a step that gave it another, the one that ``undo`` returns it to.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from tests.proof.linearizability import Operation

OPEN = ("waiting", "called", "serving", "held")
STEPS: dict[str, tuple[tuple[str, ...], str]] = {
    "call": (("waiting",), "called"),
    "recall": (("called",), "called"),
    "serve": (("called",), "serving"),
    "done": (("called", "serving"), "done"),
    "no_show": (("called",), "no_show"),
    "rejoin": (("no_show",), "waiting"),
    "hold": (("waiting", "called", "serving"), "held"),
    "resume": (("held",), "waiting"),
    "cancel": (("waiting", "called", "held"), "cancelled"),
    "late": (("called",), "waiting"),
}
NEAR_FRONT = ("rejoin", "late")
BEHIND = 2
Answer = dict[str, Any]


class Ticket(NamedTuple):
    """``id``: ``None`` until an answer showed it. ``before``: status and place before the last step, while it can be undone.
    ``touched``: when the last step's answer came."""

    user: str
    id: str | None
    status: str
    place: int
    before: tuple[str, int] | None = None
    touched: float = 0.0


class QueueState(NamedTuple):
    """``tickets``: number n at index n - 1. ``line``: the numbers that wait, first in order first. ``places``: of ticket n at
    2n - 2 and 2n - 1, whatever happened in between, so that what comes to the same is the same state."""

    tickets: tuple[Ticket, ...] = ()
    line: tuple[int, ...] = ()
    places: tuple[int, ...] = ()

    def ticket(self, number: int) -> Ticket:
        return self.tickets[number - 1]

    def active(self, user: str, *, but: int = 0) -> int | None:
        """The number of a person's open ticket, other than this one."""
        found = (n for n, one in enumerate(self.tickets, 1) if one.user == user and one.status in OPEN and n != but)
        return next(found, None)

    def numbered(self, ticket_id: str) -> int | None:
        return next((n for n, one in enumerate(self.tickets, 1) if one.id == ticket_id), None)

    def everybody(self) -> int:
        """The bits of all places that are anybody's."""
        bits = 0
        for one in self.tickets:
            bits |= 1 << one.place
            if one.before:
                bits |= 1 << one.before[1]
        return bits

    def having(self, number: int, ticket: Ticket) -> "QueueState":
        return self._replace(tickets=(*self.tickets[: number - 1], ticket, *self.tickets[number:]))


class QueueModel:
    """``capacity``: the most who may wait, as the clinic's setting says."""

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = capacity

    def initial(self) -> QueueState:
        return QueueState()

    def step(self, state: QueueState, operation: Operation) -> Sequence[QueueState]:
        """An unknown outcome leaves every state that any answer would."""
        seen = operation.output
        found = (_with_id(answer, after, seen) for answer, after in self.outcomes(state, operation))
        return [after for answer, after in found if seen is None or _agrees(answer, seen)]

    def only_looks(self, operation: Operation) -> bool:
        seen = operation.output
        return seen is not None and (operation.verb == "status" or seen["http"] >= 400 or seen.get("existing", False))

    def outcomes(self, state: QueueState, operation: Operation) -> Iterator[tuple[Answer, QueueState]]:
        """Every answer the queue may give now and the state it then has."""
        match operation.verb:
            case "status":
                return iter([(board(state), state)])
            case "enter":
                return iter([self._enter(state, operation.input["user"])])
            case "call_next":
                return _call_next(state, operation)
        number = state.numbered(operation.input["ticket"])
        if number is None:
            return iter([({"http": 404, "code": "ticket_not_found"}, state)])
        return (_undo if operation.verb == "undo" else _step)(state, number, operation)

    def _enter(self, state: QueueState, user: str) -> tuple[Answer, QueueState]:
        present = state.active(user)
        if present:
            return shown(state, present) | {"existing": True}, state
        if self.capacity is not None and len(state.line) >= self.capacity:
            return refused("queue_full"), state
        number = len(state.tickets) + 1
        after = QueueState(
            (*state.tickets, Ticket(user, None, "waiting", place=2 * number - 2)),
            (*state.line, number),
            (*state.places, state.everybody(), 0),
        )
        return shown(after, number) | {"http": 201}, after


def _agrees(answer: Mapping[str, Any], seen: Mapping[str, Any]) -> bool:
    return all(answer.get(name) == value for name, value in seen.items())


def _with_id(answer: Answer, after: QueueState, seen: Mapping[str, Any] | None) -> tuple[Answer, QueueState]:
    """A ticket whose id nobody has seen has the one that is seen now, unless that is another's."""
    shown_id = seen and seen.get("ticket")
    if not shown_id or answer.get("ticket", "") is not None or after.numbered(shown_id):
        return answer, after
    number = answer["number"]
    return answer | {"ticket": shown_id}, after.having(number, after.ticket(number)._replace(id=shown_id))


def shown(state: QueueState, number: int) -> Answer:
    one = state.ticket(number)
    ahead = state.line.index(number) if one.status == "waiting" else 0
    return {"http": 200, "ticket": one.id, "number": number, "status": one.status, "ahead": ahead, "existing": False}


def refused(code: str, **more: Any) -> Answer:
    return {"http": 409, "code": code} | more


def board(state: QueueState) -> Answer:
    """``/queue/status`` in numbers: who waits in order, who is called, served and held in the order of numbers."""
    groups: dict[str, list[int]] = {}
    for number, one in enumerate(state.tickets, 1):
        groups.setdefault(one.status, []).append(number)
    return {
        "http": 200,
        "waiting": list(state.line),
        **{status: groups.get(status, []) for status in ("called", "serving", "held")},
        "done": len(groups.get("done", [])),
        "gone": len(groups.get("no_show", [])) + len(groups.get("cancelled", [])),
        "last_number": len(state.tickets),
    }


# Verbs


def _call_next(state: QueueState, operation: Operation) -> Iterator[tuple[Answer, QueueState]]:
    if not state.line:
        yield refused("queue_empty"), state
        return
    yield from _changed(state, state.line[0], "called", operation)


def _step(state: QueueState, number: int, operation: Operation) -> Iterator[tuple[Answer, QueueState]]:
    one, (allowed, status) = state.ticket(number), STEPS[operation.verb]
    if one.status not in allowed:
        yield refused("wrong_state", state=one.status), state
    elif one.status not in OPEN and state.active(one.user, but=number):
        yield refused("already_in_queue"), state
    else:
        yield from _changed(state, number, status, operation)


def _undo(state: QueueState, number: int, operation: Operation) -> Iterator[tuple[Answer, QueueState]]:
    """Takes back the step that its caller could know of: one that was taken meanwhile may make it refuse instead."""
    one = state.ticket(number)
    if one.before is None or one.touched >= operation.call:
        yield refused("nothing_to_undo", state=one.status), state
    if one.before is None:
        return
    status, place = one.before
    if status in OPEN and one.status not in OPEN and state.active(one.user, but=number):
        yield refused("already_in_queue"), state
        return
    undone = one._replace(status=status, place=place, before=None, touched=operation.end)
    cleared = _without(_left(state, number).having(number, undone), place ^ 1)
    for after in _standing(cleared, number):
        yield shown(after, number), after


def _changed(state: QueueState, number: int, status: str, operation: Operation) -> Iterator[tuple[Answer, QueueState]]:
    one = state.ticket(number)
    changed = one._replace(status=status, before=(one.status, one.place), touched=operation.end)
    moved = _without(_left(state, number).having(number, changed), one.place ^ 1)
    if operation.verb in NEAR_FRONT:
        moved = _near_front(moved, number)
    for after in _standing(moved, number):
        yield shown(after, number), after


# The order


def _left(state: QueueState, number: int) -> QueueState:
    return state._replace(line=tuple(n for n in state.line if n != number)) if number in state.line else state


def _standing(state: QueueState, number: int) -> Iterator[QueueState]:
    """Where the ticket waits it stands in line, at every spot that what is known of the order allows."""
    if state.ticket(number).status != "waiting":
        yield state
        return
    place, line = state.ticket(number).place, state.line
    first = len([n for n in line if state.places[place] >> state.ticket(n).place & 1])
    last = len([n for n in line if not state.places[state.ticket(n).place] >> place & 1])
    for ahead in range(first, last + 1):
        in_line = (*line[:ahead], number, *line[ahead:])
        neighbours = in_line[max(ahead - 1, 0) : ahead + 2]
        yield state._replace(line=in_line, places=_in_order(state, neighbours))


def _in_order(state: QueueState, numbers: Sequence[int]) -> tuple[int, ...]:
    places = state.places
    for before, after in pairwise(numbers):
        places = known(places, state.ticket(before).place, state.ticket(after).place)
    return places


def _near_front(state: QueueState, number: int) -> QueueState:
    """The ticket's other place, behind the second who waits and before the third; behind everybody where there is no third."""
    one, line = state.ticket(number), state.line
    others = state.everybody()
    moved = state.having(number, one._replace(place=one.place ^ 1))
    if len(line) <= BEHIND:
        places = (*state.places[: one.place ^ 1], others, *state.places[(one.place ^ 1) + 1 :])
        return moved._replace(places=places)
    return moved._replace(places=_in_order(moved, (line[BEHIND - 1], number, line[BEHIND])))


def _without(state: QueueState, place: int) -> QueueState:
    """A place that nobody has or returns to is not ordered."""
    keep = ~(1 << place)
    return state._replace(places=tuple(0 if at == place else bits & keep for at, bits in enumerate(state.places)))


def known(places: tuple[int, ...], before: int, after: int) -> tuple[int, ...]:
    """The order with one place known to be before another, and everything that follows from it."""
    if places[after] >> before & 1:
        return places
    added = places[before] | 1 << before
    return tuple(bits | added if place == after or bits >> after & 1 else bits for place, bits in enumerate(places))
