"""Taking tickets for many who come together, at all clinics of a facility: one lock, one look, one write for all of them."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from dawr.accounts.rules import STRANGER
from dawr.facilities.rules import Clinic, Facility
from dawr.platform.db import WriteTx
from dawr.platform.errors import Problem
from dawr.tickets import rules, store, store_crowd
from dawr.tickets.commands import Arrival, fresh_ticket, require_open
from dawr.tickets.events import ENTERED, Change
from dawr.tickets.rules import QueueFull, Ticket
from dawr.tickets.store import Plan
from dawr.tickets.store_crowd import Door


@dataclass(frozen=True, slots=True)
class Entered:
    """A ticket just taken, its queue's service day and how many wait before it."""

    ticket: Ticket
    today: date
    ahead: int


Answer = Entered | Problem | None


@dataclass(frozen=True, slots=True)
class _Admitted:
    """The answers of a clinic's crowd so far, and who of it gets a ticket."""

    door: Door
    asked: Sequence[Arrival]
    answers: list[Answer]
    arrivals: list[Arrival]


async def enter_crowds(
    tx: WriteTx, facility: Facility, crowds: Sequence[tuple[Door, Sequence[Arrival]]]
) -> list[list[Answer]]:
    """For each of the strangers without priority at each door the ticket, or why there is none.

    ``None`` is for whoever has to ask alone: a person who is in the queue already, or comes twice in the crowd.
    """
    told = [_admit(tx, facility, door, asked) for door, asked in crowds]
    entering = [one for one in told if one.arrivals]
    plans = [_plan(tx, one) for one in entering]
    if plans:
        await store_crowd.write(tx, plans, personal={who.id: who.personal for one in entering for who in one.arrivals})
    issued = iter(plans)
    return [_answers(one, next(issued).tickets if one.arrivals else ()) for one in told]


def _person(arrival: Arrival) -> bytes:
    return arrival.personal.person or b""


def _admit(tx: WriteTx, facility: Facility, door: Door, asked: Sequence[Arrival]) -> _Admitted:
    room = None if door.clinic.capacity is None else door.clinic.capacity - door.waiting
    shut, known = _why_shut(tx, facility, door.clinic), set(door.known)
    answers: list[Answer] = []
    admitted: list[Arrival] = []
    for arrival in asked:
        if _person(arrival) in known:
            answers.append(None)
            continue
        refusal = _refusal(door.clinic, arrival, shut, full=room is not None and len(admitted) >= room)
        answers.append(refusal)
        if refusal is None:
            known.add(_person(arrival))
            admitted.append(arrival)
    return _Admitted(door, asked, answers, admitted)


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
    return store.plan(STRANGER, replace(queue, last_key=tickets[-1].order_key), changes, now=tx.now)


def _ahead(door: Door, nth: int, ticket: Ticket) -> int:
    """How many wait before the ``nth`` of the crowd: an appointment may begin while the crowd's keys are given out."""
    return door.ahead + nth + bisect_right(door.later, ticket.order_key)


def _answers(told: _Admitted, tickets: Sequence[Ticket]) -> list[Answer]:
    door, day = told.door, told.door.queue.service_day
    issued = {ticket.id: Entered(ticket, day, _ahead(door, n, ticket)) for n, ticket in enumerate(tickets)}
    return [issued.get(one.id, answer) for one, answer in zip(told.asked, told.answers, strict=True)]
