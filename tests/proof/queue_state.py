"""What the model of the queue keeps: tickets, who stands where, and what is known of the order.

The order of a queue is known through who was seen before whom. Whoever comes back after a no-show stands between the second
and the third who wait; how that compares with somebody who was on hold just there is open, and decided by the first answer
that shows it. So every ticket has a *place* in an ``Order``, also while it does not wait: ``resume`` and ``undo`` lead back to
it. A ticket has two places: the one it has and, after a step that gave it another, the one that ``undo`` returns it to.
Emergencies (rank 0) and all others (rank 1) have an order each, as no emergency ever stands behind another person.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tests.proof.order import Order

OPEN = ("waiting", "called", "serving", "held")
GROUPS = OPEN[1:]
Span = tuple[float, float]
Answer = dict[str, Any]
Key = tuple[str, int]
"""A ticket of the model: its clinic, and how many came there before it."""


class Place(NamedTuple):
    """``kind``: ``timed`` by when somebody joined (``since``: between these instants), ``credited`` with a priority's credit
    before that, or ``near`` others, with nothing known of the time it stands for. ``elsewhere``: timed by when they joined
    another queue."""

    id: int
    rank: int
    kind: str
    since: Span
    elsewhere: bool = False

    def surely_before(self, other: "Place") -> bool:
        """Whether this one's time was over when the other's began."""
        return self.since[1] < other.since[0]

    def may_touch(self, other: "Place") -> bool:
        """Whether there may be no room between the two. Whoever joins is given a time of their own, a little later than all
        before them in that queue. Nobody else is: two who joined two queues at one instant may stand at one place, and so may
        two who were put between the same others, the one while the other was on hold."""
        if self.kind == other.kind == "timed":
            overlap = not (self.surely_before(other) or other.surely_before(self))
            return overlap and (self.elsewhere or other.elsewhere)
        return "near" in (self.kind, other.kind)


class Ticket(NamedTuple):
    """``id``: ``None`` until an answer showed it. ``before``: status, place and desk before the last step, while it can be
    undone. ``touched``: when the last step's answer came. ``next``: the ticket that a transfer made; ``fresh``: nothing has
    happened to it since it was made."""

    person: str
    id: str | None
    series: int
    number: int
    status: str
    place: Place
    arrived: Span
    priority: str = "normal"
    doctor: str | None = None
    desk: str | None = None
    before: tuple[str, Place, str | None] | None = None
    touched: float = 0.0
    next: Key | None = None
    fresh: bool = True

    @property
    def label(self) -> str:
        """The code without the clinic's prefix: ``031``, and ``B031`` in the second series."""
        return f"{chr(ord('A') + self.series - 1) if self.series > 1 else ''}{self.number:03d}"


class QueueState(NamedTuple):
    """One clinic's queue. ``line``: who waits, first in order first; the other groups in the order of the step that led there.
    ``first``: the first ticket of the present series."""

    tickets: tuple[Ticket, ...] = ()
    line: tuple[int, ...] = ()
    called: tuple[int, ...] = ()
    serving: tuple[int, ...] = ()
    held: tuple[int, ...] = ()
    urgent: Order = Order()
    usual: Order = Order()
    series: int = 1
    first: int = 0
    done: int = 0
    gone: int = 0
    ids: Mapping[str, int] = {}
    present: Mapping[str, int] = {}

    def __hash__(self) -> int:
        # Cheap, and rarely the same for two states that are not.
        return hash((self.line, self.called, self.serving, self.held, len(self.tickets), self.done, self.gone))

    # What is known

    def order(self, rank: int) -> Order:
        return self.usual if rank else self.urgent

    def group(self, name: str) -> tuple[int, ...]:
        """``called``, ``serving`` or ``held``."""
        found: tuple[int, ...] = getattr(self, name)
        return found

    def urgent_waiting(self) -> int:
        """How many of those who wait are before all others; they lead the line."""
        return next((at for at, n in enumerate(self.line) if self.tickets[n].place.rank), len(self.line))

    def places(self, rank: int) -> Iterator[Place]:
        """All that somebody has or may return to."""
        for one in self.tickets:
            for place in (one.place, one.before[1] if one.before else one.place):
                if place.rank == rank and place.id in self.order(rank).at:
                    yield place

    # What is changed

    def with_order(self, rank: int, order: Order) -> "QueueState":
        return self._replace(usual=order) if rank else self._replace(urgent=order)

    def with_group(self, name: str, group: tuple[int, ...]) -> "QueueState":
        """With another group than the line."""
        match name:
            case "called":
                return self._replace(called=group)
            case "serving":
                return self._replace(serving=group)
        return self._replace(held=group)

    def with_ticket(self, n: int, ticket: Ticket) -> "QueueState":
        return self._replace(tickets=(*self.tickets[:n], ticket, *self.tickets[n + 1 :]))

    def without_place(self, place: Place) -> "QueueState":
        return self.with_order(place.rank, self.order(place.rank).without(place.id))

    def named(self, n: int, ticket_id: str) -> "QueueState":
        """With a ticket's id, which somebody was shown."""
        found = self.with_ticket(n, self.tickets[n]._replace(id=ticket_id))
        return found._replace(ids={**self.ids, ticket_id: n})

    def left(self, n: int) -> "QueueState":
        """Without the ticket in any group."""
        one = self.tickets[n]
        if one.status == "waiting":
            return self._replace(line=_but(self.line, n))
        if one.status in GROUPS:
            return self.with_group(one.status, _but(self.group(one.status), n))
        return self._replace(done=self.done - 1) if one.status == "done" else self._replace(gone=self.gone - 1)

    def joined(self, n: int) -> "QueueState":
        """With the ticket in the group of its status, but for the line, where ``standing`` puts it."""
        one = self.tickets[n]
        present = self.present
        if one.status in OPEN and one.person not in present:
            present = {**present, one.person: n}
        elif one.status not in OPEN and present.get(one.person) == n:
            present = {person: at for person, at in present.items() if at != n}
        found = self if present is self.present else self._replace(present=present)
        if one.status in GROUPS:
            return found.with_group(one.status, (*self.group(one.status), n))
        if one.status == "waiting":
            return found
        return found._replace(done=self.done + 1) if one.status == "done" else found._replace(gone=self.gone + 1)

    def standing(self, n: int) -> Iterator["QueueState"]:
        """Where the ticket waits it stands in line, at every spot that what is known of the order allows."""
        one = self.tickets[n]
        if one.status != "waiting":
            yield self
            return
        rank, urgent = one.place.rank, self.urgent_waiting()
        order, place = self.order(rank), one.place.id
        mine = [self.tickets[m].place.id for m in (self.line[urgent:] if rank else self.line[:urgent])]
        start = urgent if rank else 0
        if order.row[-1] == place and not order.open:
            first = last = len(mine)
        else:
            first = len([other for other in mine if order.known(other, place)])
            last = len([other for other in mine if not order.known(place, other)])
        for ahead in range(first, last + 1):
            seen = order.learned(mine[ahead - 1], place) if ahead else order
            seen = seen.learned(place, mine[ahead]) if ahead < len(mine) else seen
            line = (*self.line[: start + ahead], n, *self.line[start + ahead :])
            yield self.with_order(rank, seen)._replace(line=line)


def _but(group: tuple[int, ...], n: int) -> tuple[int, ...]:
    at = group.index(n)
    return group[:at] + group[at + 1 :]


EMPTY = QueueState()


class House(NamedTuple):
    """The queues of clinics that people are passed on between; a clinic that nobody came to has none."""

    queues: tuple[tuple[str, QueueState], ...] = ()

    def queue(self, clinic: str) -> QueueState:
        return next((queue for name, queue in self.queues if name == clinic), EMPTY)

    def having(self, clinic: str, queue: QueueState) -> "House":
        others = [one for one in self.queues if one[0] != clinic]
        return House(tuple(sorted([*others, (clinic, queue)], key=lambda one: one[0])))

    def ticket(self, key: Key) -> Ticket:
        return self.queue(key[0]).tickets[key[1]]

    def find(self, ticket_id: str) -> Key | None:
        return next(((name, queue.ids[ticket_id]) for name, queue in self.queues if ticket_id in queue.ids), None)
