"""Taking tickets for many who come together: one lock, one look, one write for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from dawr.accounts.rules import STRANGER
from dawr.facilities import queries as facilities
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


async def enter_crowd(
    tx: WriteTx, facility: Facility, clinic: Clinic, crowd: Sequence[Arrival]
) -> list[Entered | Problem | None]:
    """For each of several strangers without priority: the ticket, or why there is none.

    ``None`` is for whoever has to ask alone: a person who is in the queue already, or comes twice in the crowd.
    """
    queue = await store.lock_queue(tx, facility, clinic)
    # Read again under the lock: whoever archives a clinic holds it until nobody can come any more.
    clinic = await facilities.clinic(tx, clinic.id)
    room = None if clinic.capacity is None else clinic.capacity - await store.count_waiting(tx, clinic.id)
    persons = [one.personal.person or b"" for one in crowd]
    known = set(await store.active_of_each(tx, clinic.id, persons))
    answers: list[Entered | Problem | None] = []
    admitted: list[Arrival] = []
    for arrival, person in zip(crowd, persons, strict=True):
        if person in known:
            answers.append(None)
            continue
        refusal = _refusal(tx, facility, clinic, arrival, full=room is not None and len(admitted) >= room)
        answers.append(refusal)
        if refusal is None:
            known.add(person)
            admitted.append(arrival)
    entered = iter(await _issue(tx, clinic, queue, admitted) if admitted else [])
    ids = {one.id for one in admitted}
    return [next(entered) if one.id in ids else answer for one, answer in zip(crowd, answers, strict=True)]


def _refusal(tx: WriteTx, facility: Facility, clinic: Clinic, arrival: Arrival, *, full: bool) -> Problem | None:
    try:
        clinic.require_doctor(arrival.doctor)
        require_open(tx, facility, clinic)
    except Problem as problem:
        return problem
    return QueueFull() if full else None


async def _issue(tx: WriteTx, clinic: Clinic, queue: Queue, admitted: Sequence[Arrival]) -> list[Entered]:
    """Gives the admitted the next numbers in the order in which they came; nobody who waits is behind them."""
    key = rules.joining_key(queue, tx.now)
    number = await store.next_number(tx, queue, count=len(admitted))
    tickets = [
        fresh_ticket(one, clinic, queue, number=number + place, order=(1, key + place * rules.STEP), tx=tx)
        for place, one in enumerate(admitted)
    ]
    ahead = await store.count_ahead(tx, tickets[0])
    changes = [Change(ENTERED, None, one, ahead=ahead + place) for place, one in enumerate(tickets)]
    personal = {one.id: one.personal for one in admitted}
    advanced = replace(queue, last_key=tickets[-1].order_key)
    _, recorded = await store.record(tx, STRANGER, advanced, changes, personal=personal)
    return [Entered(one, queue.service_day, ahead + place) for place, one in enumerate(recorded)]
