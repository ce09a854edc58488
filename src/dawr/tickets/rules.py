"""The core, pure: what states a ticket has, which verb leads from where to where, in what order people are called.

Order: ``(rank, order_key, id)``, smallest first. ``rank`` is 0 for emergencies and 1 for all others; ``order_key`` is fixed when
a person joins: nanoseconds of the instant of joining, minus the credit of their priority. Waiting long therefore beats having
a class, and nobody's key changes because somebody else came. Who has an appointment stands where somebody would who joined
at its start, so their key alone may lie in the future: whoever joins before that moment goes before them.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from dawr.platform.errors import N_, Conflict, Forbidden, NotFound
from dawr.platform.values import value


class Status(StrEnum):
    WAITING = "waiting"
    CALLED = "called"
    SERVING = "serving"
    HELD = "held"
    DONE = "done"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    TRANSFERRED = "transferred"


OPEN = (Status.WAITING, Status.CALLED, Status.SERVING, Status.HELD)


def group(status: Status | None) -> str | None:
    """The group a screen shows a status in: waiting, called, serving, held, done or gone; nothing before the ticket exists."""
    if status is None or status in OPEN or status is Status.DONE:
        return status
    return "gone"


class Priority(StrEnum):
    NORMAL = "normal"
    PRIORITY = "priority"
    EMERGENCY = "emergency"


class Place(StrEnum):
    """Where a transferred ticket stands in the queue it comes to."""

    END = "end"
    FRONT = "front"
    BY_ARRIVAL = "by_arrival"


class Placed(StrEnum):
    """Why a ticket stands where it stands; shown to whoever asks for the reason of a position."""

    ARRIVAL = "arrival"
    PRIORITY = "priority"
    EMERGENCY = "emergency"
    REJOINED = "rejoined"
    LATE = "late"
    FRONT = "front"
    BY_ARRIVAL = "by_arrival"
    APPOINTMENT = "appointment"


class TicketNotFound(NotFound):
    code = "ticket_not_found"
    title = N_("There is no such ticket")


class WrongState(Conflict):
    code = "wrong_state"
    title = N_("The ticket is not in a state that allows this")


class QueueEmpty(Conflict):
    code = "queue_empty"
    title = N_("Nobody is waiting")


class QueueFull(Conflict):
    code = "queue_full"
    title = N_("This queue is full at the moment")


class AlreadyInQueue(Conflict):
    code = "already_in_queue"
    title = N_("This person is already in that queue")


class NothingToUndo(Conflict):
    code = "nothing_to_undo"
    title = N_("The last step can no longer be taken back")


class PriorityNotAllowed(Forbidden):
    code = "priority_not_allowed"
    title = N_("Only staff may give a priority")


class Verb(StrEnum):
    CALL = "call"
    RECALL = "recall"
    SERVE = "serve"
    DONE = "done"
    NO_SHOW = "no_show"
    REJOIN = "rejoin"
    HOLD = "hold"
    RESUME = "resume"
    CANCEL = "cancel"
    LATE = "late"
    TRANSFER = "transfer"
    EXPIRE = "expire"
    RESET = "reset"


TRANSITIONS: dict[Verb, tuple[tuple[Status, ...], Status]] = {
    Verb.CALL: ((Status.WAITING,), Status.CALLED),
    Verb.RECALL: ((Status.CALLED,), Status.CALLED),
    Verb.SERVE: ((Status.CALLED,), Status.SERVING),
    Verb.DONE: ((Status.CALLED, Status.SERVING), Status.DONE),
    Verb.NO_SHOW: ((Status.CALLED,), Status.NO_SHOW),
    Verb.REJOIN: ((Status.NO_SHOW,), Status.WAITING),
    Verb.HOLD: ((Status.WAITING, Status.CALLED, Status.SERVING), Status.HELD),
    Verb.RESUME: ((Status.HELD,), Status.WAITING),
    Verb.CANCEL: ((Status.WAITING, Status.CALLED, Status.HELD), Status.CANCELLED),
    Verb.LATE: ((Status.CALLED,), Status.WAITING),
    Verb.TRANSFER: (OPEN, Status.TRANSFERRED),
    Verb.EXPIRE: (OPEN, Status.EXPIRED),
    Verb.RESET: (OPEN, Status.CANCELLED),
}

BY_PATIENT = frozenset({Verb.CANCEL, Verb.LATE})
SECRET_OUTLIVES = timedelta(hours=24)
BEHIND_AT_MOST = 2
NANOSECONDS = 1_000_000_000
STEP = 1_000


@value(frozen=True, slots=True)
class Queue:
    """The serial object: whoever changes anything in a clinic's queue holds its row. ``last_key`` is the last joining key given.

    ``carries`` says whether the clinic was open when its service day turned, so that people who waited over it stay.
    ``waiting`` is how many wait, so that nobody has to count them.
    """

    clinic: str
    service_day: date
    series: int
    version: int
    last_key: int
    carries: bool
    waiting: int

    @property
    def stream(self) -> str:
        return f"queue:{self.clinic}"


@value(frozen=True, slots=True)
class Ticket:
    id: UUID
    clinic: str
    service_day: date
    series: int
    number: int
    code: str
    status: Status
    priority: Priority
    rank: int
    order_key: int
    placed: Placed
    doctor: str | None
    desk: str | None
    language: str | None
    entered_at: datetime
    called_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    ended_day: date | None = None
    calls: int = 0
    changed_version: int = 0
    previous: UUID | None = None

    def shown_code(self, today: date) -> str:
        """The code people see; a ticket carried over from an earlier service day is marked with its day of the month."""
        return self.code if self.service_day == today else f"{self.code}/{self.service_day.day:02d}"

    def secret_is_dead(self, now: datetime) -> bool:
        """Whether the ticket ended so long ago that its secret opens nothing any more."""
        return self.ended_at is not None and now - self.ended_at > SECRET_OUTLIVES

    @property
    def duration(self) -> timedelta | None:
        """How long the service took: from its start (where only the call is known, from the call) to its end."""
        begun = self.started_at or self.called_at
        if self.status is not Status.DONE or begun is None or self.ended_at is None:
            return None
        return max(self.ended_at - begun, timedelta())


def series_letter(series: int) -> str:
    """A series after the first reads B, C … Z, AA, AB …, as the columns of a spreadsheet do."""
    letters = ""
    while series:
        series, rest = divmod(series - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def code(prefix: str, series: int, number: int) -> str:
    """``LAB-031``; from the second series on ``LAB-B031``."""
    return f"{prefix}-{series_letter(series) if series > 1 else ''}{number:03d}"


def joining_key(queue: Queue, now: datetime) -> int:
    """The key of whoever joins now: later than every key before it, even when the clock was set back."""
    return max(nanoseconds(now), queue.last_key + STEP)


def nanoseconds(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def placed_for(priority: Priority) -> Placed:
    return {Priority.NORMAL: Placed.ARRIVAL, Priority.PRIORITY: Placed.PRIORITY, Priority.EMERGENCY: Placed.EMERGENCY}[
        priority
    ]


def order_for(priority: Priority, *, key: int, credit: timedelta, day_start: datetime, number: int) -> tuple[int, int]:
    """``(rank, order_key)`` of a new ticket. A credit never reaches behind the start of the service day, so that
    whoever was carried over from the day before stays first."""
    if priority is Priority.EMERGENCY:
        return 0, key
    if priority is Priority.NORMAL:
        return 1, key
    return 1, max(key - credit // timedelta(microseconds=1) * 1000, min(nanoseconds(day_start) + number, key))


def place_near_front(front: Sequence[tuple[int, int]], *, key: int) -> tuple[int, int]:
    """``(rank, order_key)`` behind at most two of those who wait. ``front``: the first three orders; ``key``: a fresh key."""
    # Behind whoever came early to an appointment, everybody who joins until it begins would go before them.
    front = [one for one in front if one < (1, key)]
    if len(front) < BEHIND_AT_MOST + 1:
        return max([(1, key), *((rank, order + STEP) for rank, order in front[-1:])])
    for before, after in ((front[1], front[2]), (front[0], front[1])):
        if before[0] != after[0]:
            return after[0], after[1] - STEP
        if after[1] - before[1] > 1:
            return after[0], (before[1] + after[1]) // 2
    return place_first(front, key=key)


def place_first(front: Sequence[tuple[int, int]], *, key: int) -> tuple[int, int]:
    """``(rank, order_key)`` before everybody who waits."""
    return (front[0][0], front[0][1] - STEP) if front else (1, key)


def step(ticket: Ticket, verb: Verb, *, now: datetime, today: date, desk: str | None = None) -> Ticket:
    """The ticket after a verb; ``WrongState`` with the present state where the verb does not apply."""
    allowed, target = TRANSITIONS[verb]
    # Who was gone on an earlier service day counts there, and takes a ticket of today's.
    if ticket.status not in allowed or (verb is Verb.REJOIN and ticket.ended_day != today):
        raise WrongState(extra={"state": ticket.status.value})
    changed = replace(ticket, status=target)
    match verb:
        case Verb.CALL:
            return replace(changed, desk=desk, called_at=now, calls=ticket.calls + 1)
        case Verb.RECALL:
            return replace(changed, desk=desk or ticket.desk, calls=ticket.calls + 1)
        case Verb.SERVE:
            return replace(changed, started_at=now)
        case Verb.REJOIN | Verb.RESUME | Verb.LATE:
            return replace(changed, desk=None, called_at=None, started_at=None, ended_at=None, ended_day=None)
        case Verb.HOLD:
            return replace(changed, desk=None, started_at=None)
        case _:
            return replace(changed, ended_at=now, ended_day=today)


def expected(ticket: Ticket, at: datetime) -> Ticket:
    """The ticket of somebody whose appointment begins ``at`` an instant and who came in time: they stand as if they had joined
    at it, whether it is over or still to come. A priority that would stand earlier does, and an emergency always."""
    if ticket.rank == 0 or (ticket.priority is Priority.PRIORITY and ticket.order_key <= nanoseconds(at)):
        return ticket
    return replace(ticket, order_key=nanoseconds(at), placed=Placed.APPOINTMENT)


def reordered(ticket: Ticket, order: tuple[int, int], placed: Placed) -> Ticket:
    return replace(ticket, rank=order[0], order_key=order[1], placed=placed)


def is_late(ticket: Ticket, *, now: datetime, after: timedelta | None) -> bool:
    """Late is who was called and has not come; nobody who still waits can be."""
    return (
        ticket.status is Status.CALLED
        and after is not None
        and ticket.called_at is not None
        and now - ticket.called_at > after
    )
