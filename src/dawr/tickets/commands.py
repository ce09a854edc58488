"""The verbs of the queue: load (find, authorise, lock) → decide (rules) → record (rows and events, one transaction)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from dawr.accounts.rules import SYSTEM, Actor, Right, Role
from dawr.facilities import queries as facilities
from dawr.facilities.rules import Clinic, ClinicClosed, Facility, QueuePaused
from dawr.platform import events
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.values import value
from dawr.tickets import rules, store
from dawr.tickets.events import ENTERED, SERIES_STARTED, TYPES, UNDOABLE, UNDONE, WITHDRAWN, Change, restored
from dawr.tickets.rules import NothingToUndo, Place, Placed, Priority, Queue, Status, Ticket, Verb
from dawr.tickets.store import Loaded, Personal


@value(frozen=True, slots=True)
class Arrival:
    """Who asks for a ticket. ``personal`` is sealed before it comes here, under the ticket's future ``id``. ``not_before``
    is the start of the appointment for which somebody came in time: they stand as if they had joined then."""

    id: UUID
    doctor: str | None
    priority: Priority
    language: str | None
    personal: Personal
    not_before: datetime | None = None


@value(frozen=True, slots=True)
class Stepped:
    """A ticket after a step, as its transaction leaves it: on which day of its queue, and how many wait before it."""

    ticket: Ticket
    today: date
    ahead: int

    @property
    def id(self) -> UUID:
        return self.ticket.id


def fresh_ticket(
    arrival: Arrival, clinic: Clinic, queue: Queue, *, number: int, order: tuple[int, int], tx: WriteTx, nth: int = 0
) -> Ticket:
    """The ticket that an arrival gets: waiting, with this number and place in the order; ``nth`` of those entered at once."""
    return Ticket(
        id=arrival.id,
        clinic=clinic.id,
        service_day=queue.service_day,
        series=queue.series,
        number=number,
        code=rules.code(clinic.prefix, queue.series, number),
        status=Status.WAITING,
        priority=arrival.priority,
        rank=order[0],
        order_key=order[1],
        placed=rules.placed_for(arrival.priority),
        doctor=arrival.doctor,
        desk=None,
        language=arrival.language,
        entered_at=tx.now,
        changed_version=queue.version + 1 + nth,
    )


def require_open(tx: ReadTx, facility: Facility, clinic: Clinic) -> None:
    """Raises ``ClinicClosed`` or ``QueuePaused`` where the clinic takes nobody at this time."""
    if not clinic.is_open(tx.now, facility.zone):
        raise ClinicClosed
    if clinic.paused:
        raise QueuePaused


async def call_next(tx: WriteTx, actor: Actor, facility: Facility, *, clinic_id: str, desk: str | None) -> Stepped:
    """The first in order becomes called, at the desk. Two desks that call at once get two people."""
    actor.require(Right.QUEUE)
    if not actor.may(Right.QUEUE, clinic_id):
        # One that does not exist is told first.
        actor.require(Right.QUEUE, (await facilities.clinic(tx, clinic_id)).id)
    # A doctor whom tickets cannot name has no name to look for, and takes those that name nobody.
    doctor = actor.doctor or "" if actor.role is Role.DOCTOR else None
    loaded = await store.load_first(tx, facility, clinic_id, doctor)
    loaded.clinic.require_desk(desk)
    if loaded.ticket is None:
        raise rules.QueueEmpty
    return await _step(tx, actor, Loaded(loaded.clinic, loaded.queue, loaded.ticket), Verb.CALL, desk=desk)


async def call(
    tx: WriteTx, actor: Actor, facility: Facility, *, ticket_id: UUID, desk: str | None, verb: Verb = Verb.CALL
) -> Stepped:
    """That ticket, out of order (``Verb.CALL``), or announced again (``Verb.RECALL``)."""
    loaded = await store.load_for(tx, actor, facility, ticket_id, verb)
    loaded.clinic.require_desk(desk)
    return await _step(tx, actor, loaded, verb, desk=desk)


async def move(tx: WriteTx, actor: Actor, facility: Facility, *, ticket_id: UUID, verb: Verb) -> Stepped:
    """The verbs that need nothing but a ticket: serve, done, no-show, rejoin, hold, resume, cancel, late, expire."""
    loaded = await store.load_for(tx, actor, facility, ticket_id, verb)
    return await _step(tx, actor, loaded, verb)


async def _step(
    tx: WriteTx,
    actor: Actor,
    loaded: Loaded,
    verb: Verb,
    *,
    desk: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> Stepped:
    queue, before = loaded.queue, loaded.ticket
    if desk is None and len(loaded.clinic.desks) == 1:
        desk = loaded.clinic.desks[0]
    after = rules.step(before, verb, now=tx.now, today=queue.service_day, desk=desk)
    if verb in (Verb.REJOIN, Verb.LATE):
        queue, after = await _near_front(tx, queue, after, Placed.LATE if verb is Verb.LATE else Placed.REJOINED)
    return await _record_one(tx, actor, queue, Change(TYPES[verb], before, after, extra=extra or {}))


async def _near_front(tx: WriteTx, queue: Queue, ticket: Ticket, placed: Placed) -> tuple[Queue, Ticket]:
    key = rules.joining_key(queue, tx.now)
    front = await store.front(tx, queue.clinic, without=ticket.id)
    order = rules.place_near_front(front, key=key)
    return replace(queue, last_key=key), rules.reordered(ticket, order, placed)


async def _record_one(
    tx: WriteTx, actor: Actor, queue: Queue, change: Change, *, personal: Mapping[UUID, Personal] | None = None
) -> Stepped:
    if change.after.status is Status.WAITING:
        change = replace(change, ahead=await store.count_ahead(tx, change.after))
    saved, recorded = await store.record(tx, actor, queue, [change], personal=personal)
    return Stepped(recorded[0], saved.service_day, change.ahead or 0)


@dataclass(frozen=True, slots=True)
class Handover:
    """A transfer: from which ticket to which clinic and place; ``id`` and ``personal`` are the next ticket's."""

    ticket: UUID
    to: str
    place: Place
    id: UUID
    personal: Personal


async def transfer(tx: WriteTx, actor: Actor, facility: Facility, handover: Handover) -> Stepped:
    """Ends the ticket here and enters the person there, linked; the ticket there. The right on the clinic left is enough."""
    loaded = await _load_pair(tx, actor, facility, handover)
    target = await facilities.clinic(tx, handover.to)
    left = await _step(tx, actor, loaded, Verb.TRANSFER, extra={"next": str(handover.id)})
    target, queue = await store.lock_clinic(tx, facility, target.id)
    key = rules.joining_key(queue, tx.now)
    number = await store.next_number(tx, queue)
    order, placed = await _transfer_order(tx, queue, left.ticket, handover.place, key=key)
    arrival = Arrival(handover.id, None, loaded.ticket.priority, loaded.ticket.language, handover.personal)
    ticket = replace(
        fresh_ticket(arrival, target, queue, number=number, order=order, tx=tx), placed=placed, previous=left.id
    )
    return await _record_one(
        tx, actor, replace(queue, last_key=key), Change(ENTERED, None, ticket), personal={ticket.id: handover.personal}
    )


async def _load_pair(tx: WriteTx, actor: Actor, facility: Facility, handover: Handover) -> Loaded:
    """Both queues locked in the order of their names, so that two transfers crossing each other cannot deadlock."""
    target = await facilities.clinic(tx, handover.to)
    source = await store.clinic_of(tx, actor, handover.ticket, Verb.TRANSFER)
    if source == target.id:
        raise rules.AlreadyInQueue
    if target.id < source:
        await store.lock_queue(tx, facility, target)
    return await store.load_for(tx, actor, facility, handover.ticket, Verb.TRANSFER)


async def _transfer_order(
    tx: WriteTx, queue: Queue, left: Ticket, place: Place, *, key: int
) -> tuple[tuple[int, int], Placed]:
    rank = 0 if left.priority is Priority.EMERGENCY else 1
    if place is Place.FRONT:
        first = rules.place_first(await store.front(tx, queue.clinic, without=left.id), key=key)
        # At the front an emergency is one still: the next emergency stands behind it.
        return min(first, (rank, key)), Placed.FRONT
    if place is Place.BY_ARRIVAL:
        return (rank, rules.nanoseconds(left.entered_at)), Placed.BY_ARRIVAL
    return (rank, key), rules.placed_for(left.priority) if rank == 0 else Placed.ARRIVAL


async def undo(tx: WriteTx, actor: Actor, facility: Facility, *, ticket_id: UUID) -> Stepped:
    """Takes back the ticket's last step, if nothing followed it and its service day is not over."""
    clinic_id = await store.clinic_of(tx, actor, ticket_id, None)
    last = await events.last(tx, ticket_id)
    made = await _made_by_transfer(tx, last)
    if made and made.clinic < clinic_id:
        await store.lock_queue(tx, facility, await facilities.clinic(tx, made.clinic))
    loaded = await store.load_for(tx, actor, facility, ticket_id, None)
    before = loaded.ticket
    unchanged = last == await events.last(tx, ticket_id)
    after = _taken_back(before, last, loaded.queue) if unchanged else None
    if after is None:
        raise NothingToUndo(extra={"state": before.status.value})
    if made:
        await _withdraw(tx, actor, facility, made, left=before)
    return await _record_one(tx, actor, loaded.queue, Change(UNDONE, before, after))


def _taken_back(ticket: Ticket, last: events.Recorded | None, queue: Queue) -> Ticket | None:
    """The ticket as it was before its last step; ``None`` where that step stays, and what an earlier day counted stays."""
    if last is None or last.type not in UNDOABLE:
        return None
    earlier = replace(ticket, **restored(last.data["before"]))
    days = (ticket.ended_day, earlier.ended_day)
    return earlier if all(day in (None, queue.service_day) for day in days) else None


async def _made_by_transfer(tx: WriteTx, last: events.Recorded | None) -> Ticket | None:
    if last is None or last.type != TYPES[Verb.TRANSFER]:
        return None
    return await store.ticket(tx, UUID(last.data["next"]))


async def _withdraw(tx: WriteTx, actor: Actor, facility: Facility, made: Ticket, *, left: Ticket) -> None:
    """Takes away the ticket that a transfer made, if nothing has happened to it since."""
    clinic = await facilities.clinic(tx, made.clinic)
    queue = await store.lock_queue(tx, facility, clinic)
    entered = await store.ticket(tx, made.id)
    last = await events.last(tx, made.id)
    if entered.status is not Status.WAITING or last is None or last.type != ENTERED:
        raise NothingToUndo(extra={"state": left.status.value})
    after = rules.step(entered, Verb.CANCEL, now=tx.now, today=queue.service_day)
    await _record_one(tx, actor, queue, Change(WITHDRAWN, entered, after))


async def reset(tx: WriteTx, actor: Actor, facility: Facility, *, clinic_id: str, reason: str) -> Queue:
    """Cancels every open ticket with the reason and starts the next series, whose numbers begin at 1."""
    actor.require(Right.QUEUE_RESET)
    clinic, queue = await store.lock_clinic(tx, facility, clinic_id)
    tickets = await store.all_open(tx, clinic.id)
    queue = await end_all(tx, actor, queue, tickets, verb=Verb.RESET, extra={"reason": reason})
    data = {"from": queue.series, "to": queue.series + 1, "reason": reason}
    return await store.note(tx, actor, replace(queue, series=queue.series + 1), type_=SERIES_STARTED, data=data)


async def end_all(
    tx: WriteTx, actor: Actor, queue: Queue, tickets: Sequence[Ticket], *, verb: Verb, extra: Mapping[str, str]
) -> Queue:
    """Ends these tickets of one queue, which is locked; the queue with its next version."""
    ended = [rules.step(one, verb, now=tx.now, today=queue.service_day) for one in tickets]
    changes = [Change(TYPES[verb], one, after, extra=extra) for one, after in zip(tickets, ended, strict=True)]
    saved, _ = await store.record(tx, actor, queue, changes)
    return saved


async def turn(tx: WriteTx, facility: Facility, *, clinic_id: str) -> Queue:
    """Brings a queue to the present service day. Where the clinic was closed at the turn, the tickets of earlier days
    expire once the facility's grace is over; where it was open they stay, first in order."""
    clinic, queue = await store.lock_clinic(tx, facility, clinic_id)
    grace_ends = facility.day_start(queue.service_day) + timedelta(minutes=facility.grace_minutes)
    if queue.carries or tx.now < grace_ends:
        return queue
    left_over = [one for one in await store.all_open(tx, clinic.id) if one.service_day < queue.service_day]
    return await end_all(tx, SYSTEM, queue, left_over, verb=Verb.EXPIRE, extra={}) if left_over else queue


async def open_tickets(
    tx: WriteTx, facility: Facility, *, clinic: str, desk: str | None = None, doctor: str | None = None
) -> int:
    """How many tickets are open in a clinic (at one desk, for one doctor), its queue locked so that nobody comes meanwhile."""
    await store.lock_queue(tx, facility, await facilities.clinic(tx, clinic))
    found = await store.all_open(tx, clinic)
    return len([one for one in found if desk in (None, one.desk) and doctor in (None, one.doctor)])
