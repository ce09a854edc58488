"""Entering one person in one clinic's queue: one look at the door, under the queue's lock, and one write."""

from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from dawr.accounts.rules import SYSTEM, Actor, Right
from dawr.facilities.rules import Clinic, ClinicNotFound, Facility
from dawr.platform.db import WriteTx
from dawr.platform.values import value
from dawr.tickets import rules, store, store_crowd
from dawr.tickets.commands import Arrival, end_all, fresh_ticket, require_open
from dawr.tickets.events import ENTERED, Change
from dawr.tickets.rules import Priority, PriorityNotAllowed, Queue, QueueFull, Status, Ticket, Verb
from dawr.tickets.store import Personal, Plan
from dawr.tickets.store_crowd import Asked, Door

__all__ = ["Door"]


@value(frozen=True, slots=True)
class Entry:
    """A ticket that is about to be written, and how many wait before it."""

    ticket: Ticket
    ahead: int
    clinic: Clinic
    plan: Plan
    personal: Personal


async def enter(tx: WriteTx, actor: Actor, facility: Facility, clinic_id: str, arrival: Arrival) -> tuple[Ticket, bool]:
    """The ticket and whether the person already had it. Raises ``ClinicNotFound``, ``DoctorNotFound``,
    ``PriorityNotAllowed``, ``ClinicClosed``, ``QueuePaused``, ``QueueFull``."""
    async with tx.one_trip():
        asked = await ask(tx, clinic_id, arrival.personal.person)
    found = await prepare(tx, actor, facility, await door(tx, facility, asked), arrival)
    if isinstance(found, Ticket):
        return found, True
    async with writing(tx, found):
        pass
    return found.ticket, False


async def ask(tx: WriteTx, clinic_id: str, person: bytes | None) -> Asked:
    """Goes to a clinic's door, in a trip of the caller's. To be followed by ``door``."""
    return await store_crowd.ask(tx, [(clinic_id, person or b"")])


async def door(tx: WriteTx, facility: Facility, asked: Asked) -> Door:
    """The clinic and its queue, which is locked from now on. Whoever archives a clinic holds that lock until nobody can come
    any more: then it is ``ClinicNotFound``."""
    for found in (await store_crowd.answered(tx, facility, asked)).values():
        return found
    raise ClinicNotFound


async def prepare(tx: WriteTx, actor: Actor, facility: Facility, at: Door, arrival: Arrival) -> Entry | Ticket:
    """What is to be written; the ticket itself where the person has one here already. Raises as ``enter``."""
    clinic, person = at.clinic, arrival.personal.person
    if arrival.priority is not Priority.NORMAL and not actor.may(Right.QUEUE, clinic.id):
        raise PriorityNotAllowed
    clinic.require_doctor(arrival.doctor)
    present = await store.active_of(tx, clinic.id, person) if person in at.known and person else None
    if present and not _left_over(present, at.queue):
        return present
    if present:
        # It would end with the grace, and the person is here now.
        await end_all(tx, SYSTEM, at.queue, [present], verb=Verb.EXPIRE, extra={})
        async with tx.one_trip():
            asked = await ask(tx, clinic.id, person)
        at = await door(tx, facility, asked)
    require_open(tx, facility, clinic)
    if clinic.capacity is not None and at.queue.waiting >= clinic.capacity:
        raise QueueFull
    return await _entry(tx, actor, facility, at, arrival)


@asynccontextmanager
async def writing(tx: WriteTx, entry: Entry) -> AsyncIterator[None]:
    """Writes the ticket, with what the block writes, in one trip. ``AlreadyInQueue`` where the person took one elsewhere in
    the meantime."""
    with store.one_open_ticket_each():
        async with tx.one_trip():
            await store_crowd.write(tx, [entry.plan], personal=[entry.personal])
            yield


def _left_over(ticket: Ticket, queue: Queue) -> bool:
    carried = queue.carries or ticket.service_day == queue.service_day
    return not carried and ticket.status in (Status.WAITING, Status.HELD)


async def _entry(tx: WriteTx, actor: Actor, facility: Facility, at: Door, arrival: Arrival) -> Entry:
    """The next number, and the place in the order."""
    clinic, queue, number = at.clinic, at.queue, at.last + 1
    key = rules.joining_key(queue, tx.now)
    order = rules.order_for(
        arrival.priority,
        key=key,
        credit=timedelta(seconds=clinic.priority_credit_seconds),
        day_start=facility.day_start(queue.service_day),
        number=number,
    )
    ticket = fresh_ticket(arrival, clinic, queue, number=number, order=order, tx=tx)
    if arrival.not_before:
        ticket = rules.expected(ticket, arrival.not_before)
    ahead = await _ahead(tx, at, ticket, joined=(1, key))
    change = Change(ENTERED, None, ticket, ahead=ahead)
    plan = store.plan(actor, queue, [change], now=tx.now, key=key)
    return Entry(plan.tickets[0], ahead, clinic, plan, arrival.personal)


async def _ahead(tx: WriteTx, at: Door, ticket: Ticket, *, joined: tuple[int, int]) -> int:
    """Who stands where they joined was counted for in the look."""
    if (ticket.rank, ticket.order_key) == joined:
        return at.ahead + bisect_right(at.later, ticket.order_key)
    return at.queue.waiting - await store.count_behind(tx, ticket)
