"""Taking tickets for many who come together, at all clinics of a facility: one lock, one look, one write for all of them."""

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from dawr.accounts.rules import STRANGER
from dawr.facilities.rules import Clinic, Facility
from dawr.platform.db import WriteTx
from dawr.platform.errors import Problem
from dawr.platform.values import value
from dawr.tickets import rules, store, store_crowd
from dawr.tickets.commands import Arrival, fresh_ticket, require_open
from dawr.tickets.events import ENTERED, Change
from dawr.tickets.rules import QueueFull, Ticket
from dawr.tickets.store import Plan
from dawr.tickets.store_crowd import Door


@value(frozen=True, slots=True)
class Entered:
    """A ticket just taken, and how many wait before it."""

    ticket: Ticket
    ahead: int


Answer = Entered | Problem | None


@value(frozen=True, slots=True)
class _Admitted:
    """The answers of a clinic's crowd so far, and who of it gets a ticket, with their places in the crowd."""

    door: Door
    answers: list[Answer]
    arrivals: list[Arrival]
    places: list[int]


@asynccontextmanager
async def entering(
    tx: WriteTx, facility: Facility, crowds: Sequence[tuple[Door, Sequence[Arrival]]]
) -> AsyncIterator[list[list[Answer]]]:
    """For each of the strangers without priority at each door the ticket, or why there is none. They are written while the
    block makes answers of them, and committed, with what it writes, when it ends.

    ``None`` is for whoever has to ask alone: a person who is in the queue already, or comes twice in the crowd.
    """
    told = [_admit(tx, facility, door, asked) for door, asked in crowds]
    admitted = [one for one in told if one.arrivals]
    plans = [_plan(tx, one) for one in admitted]
    for one, made in zip(admitted, plans, strict=True):
        for place, ticket, change in zip(one.places, made.tickets, made.changes, strict=True):
            one.answers[place] = Entered(ticket, change.ahead or 0)
    answers = [one.answers for one in told]
    if not plans:
        yield answers
        return
    personal = [who.personal for one in admitted for who in one.arrivals]
    with store.one_open_ticket_each():
        async with tx.last_trip():
            await store_crowd.write(tx, plans, personal=personal)
            yield answers


def _admit(tx: WriteTx, facility: Facility, door: Door, asked: Sequence[Arrival]) -> _Admitted:
    room = None if door.clinic.capacity is None else door.clinic.capacity - door.queue.waiting
    shut, known = _why_shut(tx, facility, door.clinic), set(door.known)
    admitted = _Admitted(door, [None] * len(asked), [], [])
    for place, arrival in enumerate(asked):
        person = arrival.personal.person or b""
        if person in known:
            continue
        full = room is not None and len(admitted.arrivals) >= room
        refusal = admitted.answers[place] = _refusal(door.clinic, arrival, shut, full=full)
        if refusal is None:
            known.add(person)
            admitted.arrivals.append(arrival)
            admitted.places.append(place)
    return admitted


def _why_shut(tx: WriteTx, facility: Facility, clinic: Clinic) -> Problem | None:
    try:
        require_open(tx, facility, clinic)
    except Problem as problem:
        return problem
    return None


def _refusal(clinic: Clinic, arrival: Arrival, shut: Problem | None, *, full: bool) -> Problem | None:
    try:
        clinic.require_doctor(arrival.doctor)
    except Problem as problem:
        return problem
    return shut or (QueueFull() if full else None)


def _plan(tx: WriteTx, admitted: _Admitted) -> Plan:
    """Gives the admitted the next numbers in the order in which they came; nobody who waits is behind them."""
    door, queue = admitted.door, admitted.door.queue
    key, number = rules.joining_key(queue, tx.now), door.last + 1
    tickets = [
        fresh_ticket(one, door.clinic, queue, number=number + n, order=(1, key + n * rules.STEP), tx=tx, nth=n)
        for n, one in enumerate(admitted.arrivals)
    ]
    changes = [Change(ENTERED, None, one, ahead=_ahead(door, n, one)) for n, one in enumerate(tickets)]
    return store.plan(STRANGER, queue, changes, now=tx.now, key=tickets[-1].order_key)


def _ahead(door: Door, nth: int, ticket: Ticket) -> int:
    """How many wait before the ``nth`` of the crowd: an appointment may begin while the crowd's keys are given out."""
    return door.ahead + nth + bisect_right(door.later, ticket.order_key)
