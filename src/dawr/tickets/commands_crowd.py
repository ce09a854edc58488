"""Taking tickets for many who come together: one lock, one look, one write for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from dawr.accounts.rules import STRANGER
from dawr.facilities.rules import Clinic, Facility
from dawr.platform.db import WriteTx
from dawr.platform.errors import Problem
from dawr.tickets import rules, store
from dawr.tickets.commands import Arrival, fresh_ticket, require_open
from dawr.tickets.events import ENTERED, Change
from dawr.tickets.rules import Queue, QueueFull, Ticket


@dataclass(frozen=True, slots=True)
class Entered:
    """A ticket just taken, its queue's service day and how many wait before it."""

    ticket: Ticket
    today: date
    ahead: int


Answer = Entered | Problem | None


@dataclass(frozen=True, slots=True)
class Crowd:
    """Strangers without priority at one clinic. ``queue`` is locked, and ``clinic`` is as it is under that lock."""

    clinic: Clinic
    queue: Queue
    arrivals: Sequence[Arrival]


@dataclass(frozen=True, slots=True)
class _Admitted:
    """A crowd's answers so far, who of it gets a ticket, the key of the first of those, and how many wait before it."""

    crowd: Crowd
    answers: list[Answer]
    arrivals: list[Arrival]
    key: int
    ahead: int


async def enter_crowds(tx: WriteTx, facility: Facility, crowds: Sequence[Crowd]) -> list[list[Answer]]:
    """For each of a crowd the ticket, or why there is none. Crowds are named in the order in which queues are locked.

    ``None`` is for whoever has to ask alone: a person who is in the queue already, or comes twice in the crowd.
    """
    keys = [rules.joining_key(one.queue, tx.now) for one in crowds]
    asked = [
        (one.clinic.id, [_person(who) for who in one.arrivals], key) for one, key in zip(crowds, keys, strict=True)
    ]
    doors = await store.at_the_doors(tx, asked)
    told = [_admit(tx, facility, crowd, door, key=key) for crowd, door, key in zip(crowds, doors, keys, strict=True)]
    entering = [one for one in told if one.arrivals]
    issued = iter(await _issue(tx, entering) if entering else [])
    return [_answers(one, next(issued) if one.arrivals else []) for one in told]


def _person(arrival: Arrival) -> bytes:
    return arrival.personal.person or b""


def _admit(tx: WriteTx, facility: Facility, crowd: Crowd, door: store.Door, *, key: int) -> _Admitted:
    room = None if crowd.clinic.capacity is None else crowd.clinic.capacity - door.waiting
    known = set(door.known)
    answers: list[Answer] = []
    admitted: list[Arrival] = []
    for arrival in crowd.arrivals:
        if _person(arrival) in known:
            answers.append(None)
            continue
        refusal = _refusal(tx, facility, crowd.clinic, arrival, full=room is not None and len(admitted) >= room)
        answers.append(refusal)
        if refusal is None:
            known.add(_person(arrival))
            admitted.append(arrival)
    return _Admitted(crowd, answers, admitted, key, door.ahead)


def _refusal(tx: WriteTx, facility: Facility, clinic: Clinic, arrival: Arrival, *, full: bool) -> Problem | None:
    try:
        clinic.require_doctor(arrival.doctor)
        require_open(tx, facility, clinic)
    except Problem as problem:
        return problem
    return QueueFull() if full else None


async def _issue(tx: WriteTx, entering: Sequence[_Admitted]) -> list[list[Entered]]:
    """Gives the admitted of each crowd the next numbers in the order in which they came; nobody who waits is behind them."""
    firsts = await store.next_numbers(tx, [(one.crowd.queue, len(one.arrivals)) for one in entering])
    plans = [_plan(tx, one, number) for one, number in zip(entering, firsts, strict=True)]
    await store.write(tx, plans, personal={who.id: who.personal for one in entering for who in one.arrivals})
    return [
        [Entered(ticket, one.crowd.queue.service_day, one.ahead + n) for n, ticket in enumerate(plan.tickets)]
        for one, plan in zip(entering, plans, strict=True)
    ]


def _plan(tx: WriteTx, admitted: _Admitted, number: int) -> store.Plan:
    crowd, key = admitted.crowd, admitted.key
    tickets = [
        fresh_ticket(one, crowd.clinic, crowd.queue, number=number + n, order=(1, key + n * rules.STEP), tx=tx)
        for n, one in enumerate(admitted.arrivals)
    ]
    changes = [Change(ENTERED, None, one, ahead=admitted.ahead + n) for n, one in enumerate(tickets)]
    return store.plan(STRANGER, replace(crowd.queue, last_key=tickets[-1].order_key), changes, now=tx.now)


def _answers(told: _Admitted, entered: Sequence[Entered]) -> list[Answer]:
    issued = iter(entered)
    ids = {one.id for one in told.arrivals}
    return [
        next(issued) if arrival.id in ids else answer
        for arrival, answer in zip(told.crowd.arrivals, told.answers, strict=True)
    ]
