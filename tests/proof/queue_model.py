"""What the queues of clinics may answer, one request after the other: the specification that histories are checked against.

It is written from the contract and shares no code with the product. It covers one service day. An answer's members that a
history leaves out are not compared, and those of ``output`` that it has must all agree, but for ``UNCHECKED``.

Order keys are instants that nobody is shown, so the model has none. What can be known of them is: whoever joins stands behind
all who joined before; an emergency behind all emergencies; a priority, whose credit is longer than any history, behind all
priorities and before all others who joined. Whoever is put somewhere stands between those who wait there, and open towards
those who do not wait just now, until an answer shows it (``queue_state``). A place by the time of arrival elsewhere is known
towards those whose joining did not overlap with that arrival. All this needs a clock that does not jump while people come with
priorities or by arrival; without them the clock does not matter.

A transfer takes a person out of one queue and into another at one instant, so two queues that people are passed on between are
one object, and so are all that are connected in that way. A history is linearizable if its part of every such object is
(``check_queues``): parts share no state, and each operation belongs to one part.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.proof.linearizability import Operation, Verdict, check_parts
from tests.proof.queue_places import arrived, fresh_ticket, near_front, next_number, passed_on
from tests.proof.queue_state import GROUPS, OPEN, Answer, House, Key, QueueState, Ticket

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
CALLS = ("call", "call_next", "recall")
LEAVES_DESK = ("rejoin", "late", "resume", "hold")
UNCHECKED = frozenset({"service_day"})
NOWHERE = ""
"""The clinic of a ticket that nobody was ever shown: it does not exist."""
Found = tuple[Answer, Key | None, House]


class QueueModel:
    """``capacity``: the most who may wait in a clinic, as its setting says. ``desks``: of each clinic; without them the desks
    of answers are not compared."""

    def __init__(self, capacity: int | None = None, desks: Mapping[str, Sequence[str]] | None = None) -> None:
        self.capacity, self.desks = capacity, desks
        self.unchecked = UNCHECKED if desks is not None else UNCHECKED | {"desk", "desks"}

    def initial(self) -> House:
        return House()

    def step(self, state: House, operation: Operation) -> Sequence[House]:
        """An unknown outcome leaves every state that any answer would."""
        seen = operation.output
        if seen is None:
            return [after for _, _, after in self.outcomes(state, operation)]
        possible = (one for one in self.outcomes(state, operation) if self._agrees(one[0], seen))
        return [after for one in possible for after in _shown_id(one, seen.get("ticket"))]

    def only_looks(self, operation: Operation) -> bool:
        seen = operation.output
        if seen is None:
            return False
        return operation.verb in ("status", "ticket") or seen["http"] >= 400 or seen.get("existing", False)

    def _agrees(self, answer: Answer, seen: Mapping[str, Any]) -> bool:
        return all(_same(name, answer.get(name), value) for name, value in seen.items() if name not in self.unchecked)

    def outcomes(self, state: House, operation: Operation) -> Iterator[Found]:
        """Every answer there may be now, the ticket that it is about, and the state afterwards. Of an operation whose answer is
        known those that cannot agree may be left out."""
        match operation.verb:
            case "status":
                return iter([(board(state.queue(operation.input["clinic"])), None, state)])
            case "reset":
                return iter([_reset(state, operation.input["clinic"])])
            case "enter":
                return self._enter(state, operation)
            case "call_next":
                return self._call_next(state, operation)
        key = state.find(operation.input["ticket"])
        if key is None:
            return iter([({"http": 404, "code": "ticket_not_found"}, None, state)])
        match operation.verb:
            case "ticket":
                return iter([(shown(state, key), key, state)])
            case "transfer":
                return _transfer(state, key, operation)
            case "undo":
                return _undo(state, key, operation)
        return self._step(state, key, operation)

    def _enter(self, state: House, operation: Operation) -> Iterator[Found]:
        asked = operation.input
        clinic, queue = asked["clinic"], state.queue(asked["clinic"])
        present = queue.present.get(asked["user"])
        if present is not None:
            yield shown(state, (clinic, present)) | {"existing": True}, (clinic, present), state
        elif self.capacity is not None and len(queue.line) >= self.capacity:
            yield refused("queue_full"), None, state
        elif may_answer(operation, http=201, number=next_number(queue)):
            ticket = fresh_ticket(queue, asked["user"], operation)._replace(
                priority=asked.get("priority", "normal"), doctor=asked.get("doctor")
            )
            for after in arrived(queue, ticket):
                key, house = (clinic, len(queue.tickets)), state.having(clinic, after)
                yield shown(house, key) | {"http": 201}, key, house

    def _call_next(self, state: House, operation: Operation) -> Iterator[Found]:
        """A doctor (``by``) takes the first who names them or nobody."""
        clinic, by = operation.input["clinic"], operation.input.get("by")
        queue = state.queue(clinic)
        if self._unknown_desk(clinic, operation):
            yield {"http": 404, "code": "desk_not_found"}, None, state
            return
        first = next((n for n in queue.line if by is None or queue.tickets[n].doctor in (None, by)), None)
        if first is None:
            yield refused("queue_empty"), None, state
        elif may_answer(operation, http=200, number=queue.tickets[first].number):
            yield from self._changed(state, (clinic, first), "called", operation)

    def _step(self, state: House, key: Key, operation: Operation) -> Iterator[Found]:
        one, (allowed, status) = state.ticket(key), STEPS[operation.verb]
        if self._unknown_desk(key[0], operation):
            yield {"http": 404, "code": "desk_not_found"}, None, state
        elif one.status not in allowed:
            yield refused("wrong_state", state=one.status), None, state
        elif one.status not in OPEN and state.queue(key[0]).present.get(one.person) is not None:
            yield refused("already_in_queue"), None, state
        elif may_answer(operation, http=200):
            yield from self._changed(state, key, status, operation)

    def _changed(self, state: House, key: Key, status: str, operation: Operation) -> Iterator[Found]:
        clinic, n = key
        queue, one = state.queue(clinic), state.ticket(key)
        changed = one._replace(
            status=status,
            desk=self._desk(clinic, one, operation),
            before=(one.status, one.place, one.desk),
            touched=operation.end,
            fresh=False,
        )
        if one.before and one.before[1].id != one.place.id:
            queue = queue.without_place(one.before[1])
        moved = _regrouped(queue, n, changed)
        for placed in near_front(moved, n, operation) if operation.verb in NEAR_FRONT else [moved]:
            for after in placed.standing(n):
                house = state.having(clinic, after)
                yield shown(house, key), key, house

    def _unknown_desk(self, clinic: str, operation: Operation) -> bool:
        desk = operation.input.get("desk")
        return desk is not None and self.desks is not None and desk not in self.desks[clinic]

    def _desk(self, clinic: str, one: Ticket, operation: Operation) -> str | None:
        """Where the ticket is after a step; the only desk of a clinic need not be named."""
        if operation.verb in CALLS:
            desks = (self.desks or {}).get(clinic, ())
            only = desks[0] if len(desks) == 1 else None
            return operation.input.get("desk") or only or (one.desk if operation.verb == "recall" else None)
        return None if operation.verb in LEAVES_DESK else one.desk


def may_answer(operation: Operation, **answer: Any) -> bool:
    """Whether such an answer agrees with the one that is known: to find out before the work of making the state."""
    seen = operation.output
    return seen is None or all(seen.get(name, value) == value for name, value in answer.items())


def _same(name: str, answered: Any, seen: Any) -> bool:
    """A ticket whose id nobody has seen may have any; codes are compared without the clinic's prefix."""
    if name == "ticket" and answered is None:
        return True
    return bool(answered == (seen.rpartition("-")[2] if name == "code" and answered is not None else seen))


def _shown_id(found: Found, ticket_id: str | None) -> Iterator[House]:
    """A ticket whose id nobody has seen has the one that is seen now, unless that is another's."""
    answer, key, after = found
    if ticket_id is None or key is None or answer["ticket"] is not None:
        yield after
    elif after.find(ticket_id) is None:
        yield after.having(key[0], after.queue(key[0]).named(key[1], ticket_id))


def shown(state: House, key: Key) -> Answer:
    clinic, n = key
    queue, one = state.queue(clinic), state.ticket(key)
    ahead = queue.line.index(n) if one.status == "waiting" else 0
    return {
        "http": 200,
        "ticket": one.id,
        "clinic": clinic,
        "doctor": one.doctor,
        "number": one.number,
        "series": one.series,
        "code": one.label,
        "status": one.status,
        "priority": one.priority,
        "ahead": ahead,
        "position": ahead + 1 if one.status == "waiting" else 0,
        "desk": one.desk,
        "existing": False,
    }


def refused(code: str, **more: Any) -> Answer:
    return {"http": 409, "code": code} | more


def board(queue: QueueState) -> Answer:
    """``/queue/status``: who waits in order, and who is called, served and held in the order in which they came there."""
    groups = {name: [queue.tickets[n].label for n in queue.group(name)] for name in GROUPS}
    at_desks = [queue.tickets[n] for n in (*queue.called, *queue.serving)]
    return {
        "http": 200,
        "series": queue.series,
        "waiting": [queue.tickets[n].label for n in queue.line],
        **groups,
        "desks": {one.label: one.desk for one in at_desks},
        "done": queue.done,
        "gone": queue.gone,
        "last_number": len(queue.tickets) - queue.first,
    }


def _transfer(state: House, key: Key, operation: Operation) -> Iterator[Found]:
    one, to = state.ticket(key), operation.input["to"]
    target = state.queue(to)
    if to == key[0]:
        yield refused("already_in_queue"), None, state
    elif one.status not in OPEN:
        yield refused("wrong_state", state=one.status), None, state
    elif one.person in target.present:
        yield refused("already_in_queue"), None, state
    elif may_answer(operation, http=200, number=next_number(target)):
        there = (to, len(target.tickets))
        left = one._replace(
            status="transferred",
            before=(one.status, one.place, one.desk),
            touched=operation.end,
            next=there,
            fresh=False,
        )
        source = state.queue(key[0])
        if one.before and one.before[1].id != one.place.id:
            source = source.without_place(one.before[1])
        gone = state.having(key[0], _regrouped(source, key[1], left))
        ticket = fresh_ticket(target, one.person, operation)._replace(priority=one.priority)
        for after in passed_on(target, ticket, arrived=one.arrived, place=operation.input.get("place", "end")):
            house = gone.having(to, after)
            yield shown(house, there), there, house


# What happens to tickets


def _regrouped(queue: QueueState, n: int, changed: Ticket) -> QueueState:
    """With a ticket changed: in its new group, or where it stood in its old one."""
    if changed.status == queue.tickets[n].status:
        return queue.with_ticket(n, changed)
    return queue.left(n).with_ticket(n, changed).joined(n)


def _undo(state: House, key: Key, operation: Operation) -> Iterator[Found]:
    """Takes back the step that its caller could know of: one that was taken meanwhile may make it refuse instead."""
    clinic, n = key
    queue, one = state.queue(clinic), state.ticket(key)
    gone_on = one.next is not None and not state.ticket(one.next).fresh
    if one.before is None or gone_on or one.touched >= operation.call:
        yield refused("nothing_to_undo", state=one.status), None, state
    if one.before is None or gone_on:
        return
    status, place, desk = one.before
    if status in OPEN and one.status not in OPEN and one.person in queue.present:
        yield refused("already_in_queue"), None, state
        return
    undone = one._replace(status=status, place=place, desk=desk, before=None, touched=operation.end, next=None)
    if place.id != one.place.id:
        queue = queue.without_place(one.place)
    withdrawn = _withdrawn(state, one.next) if one.next else state
    for after in _regrouped(queue, n, undone).standing(n):
        house = withdrawn.having(clinic, after)
        yield shown(house, key), key, house


def _withdrawn(state: House, key: Key) -> House:
    """Without the ticket that a transfer made, as far as it can be undone: its number stays used."""
    queue, one = state.queue(key[0]), state.ticket(key)
    ended = _regrouped(queue, key[1], one._replace(status="cancelled", before=None, fresh=False))
    return state.having(key[0], ended.without_place(one.place))


def _reset(state: House, clinic: str) -> Found:
    """Every open ticket is cancelled for good, and the next number is 1 again."""
    queue = state.queue(clinic)
    for n, one in enumerate(queue.tickets):
        if one.status in OPEN:
            queue = _regrouped(queue, n, one._replace(status="cancelled", before=None, fresh=False))
            queue = queue.without_place(one.place)
            if one.before:
                queue = queue.without_place(one.before[1])
    queue = queue._replace(series=queue.series + 1, first=len(queue.tickets))
    return board(queue), None, state.having(clinic, queue)


# Several clinics


def check_queues(
    operations: Iterable[Operation], *, deadline: float, model: QueueModel | None = None
) -> dict[str, Verdict]:
    """A verdict for each group of clinics that people were passed on between, by its clinics' names: ``lab+xray``.

    ``deadline``: seconds for each group."""
    history = list(operations)
    homes = _homes(history)
    groups = _groups(history, homes)
    return check_parts(
        model or QueueModel(), history, part=lambda one: "+".join(groups[_clinic(one, homes)]), deadline=deadline
    )


def _homes(history: Iterable[Operation]) -> dict[str, str]:
    """The clinic of every ticket that somebody was shown."""
    homes = {}
    for one in history:
        if one.output and "ticket" in one.output:
            named = {"enter": "clinic", "call_next": "clinic", "transfer": "to"}.get(one.verb)
            clinic = one.output.get("clinic") or (one.input[named] if named else None)
            if clinic:
                homes[one.output["ticket"]] = clinic
    return homes


def _clinic(one: Operation, homes: Mapping[str, str]) -> str:
    return one.input.get("clinic") or homes.get(one.input.get("ticket", ""), NOWHERE)


def _groups(history: Iterable[Operation], homes: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """For each clinic the clinics that are one object with it."""
    groups: dict[str, set[str]] = {}
    for one in history:
        clinics = {_clinic(one, homes)}
        if one.verb == "transfer" and clinics != {NOWHERE}:
            clinics.add(one.input["to"])
        joined = clinics.union(*(groups.get(clinic, set()) for clinic in clinics))
        groups |= dict.fromkeys(joined, joined)
    return {clinic: tuple(sorted(group)) for clinic, group in groups.items()}
