"""Tables and writes of the queue. ``load_for`` finds a ticket, asks for the right and locks its queue; there is no other way
to get one that may be changed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation

from dawr.accounts.rules import SYSTEM, Actor, Right
from dawr.facilities import queries as facilities
from dawr.facilities.rules import Clinic, Facility
from dawr.platform import events, listeners, numbers
from dawr.platform.db import Answers, ReadTx, WriteTx
from dawr.platform.errors import Forbidden
from dawr.platform.values import value
from dawr.tickets.events import SERVICE_DAY_TURNED, Change
from dawr.tickets.rules import BY_PATIENT, AlreadyInQueue, Placed, Priority, Queue, Status, Ticket, TicketNotFound, Verb
from dawr.tickets.store_tables import IS_OPEN

FIELDS = ", ".join(Ticket.__dataclass_fields__)
_QUEUE = f"""
SELECT {", ".join(Queue.__dataclass_fields__)} FROM queue
WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s
"""
_LOCK_QUEUE = _QUEUE + " FOR UPDATE"
_OPEN_QUEUE = """
INSERT INTO queue (facility_id, clinic, service_day) VALUES (%(facility_id)s, %(clinic)s, %(service_day)s)
ON CONFLICT DO NOTHING
"""
_SAVE_QUEUE = """
UPDATE queue SET service_day = %(service_day)s, series = %(series)s, version = %(version)s, last_key = %(last_key)s,
       carries = %(carries)s, waiting = %(waiting)s
WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s
"""
SAVE_QUEUES = """
UPDATE queue q SET service_day = r.service_day, series = r.series, version = r.version, last_key = r.last_key,
       carries = r.carries, waiting = r.waiting
FROM json_populate_recordset(NULL::queue, %(rows)s) r WHERE q.facility_id = %(facility_id)s AND q.clinic = r.clinic
"""
_CLINIC_OF = "SELECT clinic FROM ticket WHERE facility_id = %(facility_id)s AND id = %(id)s"
_TICKET = f"SELECT {FIELDS} FROM ticket WHERE facility_id = %(facility_id)s AND id = %(id)s"
INSERT = f"""
INSERT INTO ticket (facility_id, {FIELDS}, person, device, name_sealed, phone_sealed)
SELECT %(facility_id)s, {FIELDS}, person, device, name_sealed, phone_sealed
FROM json_populate_recordset(NULL::ticket, %(rows)s)
"""
_UPDATE = """
UPDATE ticket SET status = %(status)s, rank = %(rank)s, order_key = %(order_key)s, placed = %(placed)s, desk = %(desk)s,
       called_at = %(called_at)s, started_at = %(started_at)s, ended_at = %(ended_at)s, ended_day = %(ended_day)s,
       calls = %(calls)s, changed_version = %(changed_version)s
WHERE facility_id = %(facility_id)s AND id = %(id)s
"""
_FIRST = f"""
SELECT {FIELDS} FROM ticket
WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s AND status = 'waiting'
ORDER BY rank, order_key, id LIMIT 1
"""
_FIRST_FOR_DOCTOR = f"""
WITH first AS MATERIALIZED (
  (SELECT id, rank, order_key FROM ticket WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s
   AND status = 'waiting' AND doctor IS NULL ORDER BY rank, order_key, id LIMIT 1)
  UNION ALL
  (SELECT id, rank, order_key FROM ticket WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s
   AND status = 'waiting' AND doctor = %(doctor)s ORDER BY rank, order_key, id LIMIT 1)
  ORDER BY rank, order_key, id LIMIT 1
)
SELECT {FIELDS} FROM ticket WHERE facility_id = %(facility_id)s AND id = (SELECT id FROM first)
"""
_FRONT = """
SELECT rank, order_key FROM ticket
WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s AND status = 'waiting' AND id <> %(without)s
ORDER BY rank, order_key, id LIMIT 3
"""
_ALL_OPEN = f"""
SELECT {FIELDS} FROM ticket WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s AND {IS_OPEN}
ORDER BY rank, order_key, id
"""
_PERSONAL = """
SELECT person, device, name_sealed, phone_sealed FROM ticket WHERE facility_id = %(facility_id)s AND id = %(id)s
"""
_AHEAD = """
SELECT count(*) FROM ticket WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s AND status = 'waiting'
AND (rank, order_key, id) < (%(rank)s, %(order_key)s, %(id)s)
"""
_BEHIND = _AHEAD.replace("<", ">")
_ACTIVE = f"""
SELECT {FIELDS} FROM ticket
WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s AND person = %(person)s AND {IS_OPEN}
"""


def as_ticket(row: dict[str, Any]) -> Ticket:
    kinds = {"status": Status(row["status"]), "priority": Priority(row["priority"]), "placed": Placed(row["placed"])}
    return Ticket(**(row | kinds))


@value(frozen=True, slots=True)
class Personal:
    """What a ticket keeps of a person: blind indexes (who it is, which device asked) and sealed fields."""

    person: bytes | None = None
    device: bytes | None = None
    name_sealed: bytes | None = None
    phone_sealed: bytes | None = None


_NOBODY = Personal()


@value(frozen=True, slots=True)
class Loaded:
    """A ticket that may be changed: authorised, its queue locked."""

    clinic: Clinic
    queue: Queue
    ticket: Ticket


async def load_for(tx: WriteTx, actor: Actor, facility: Facility, ticket_id: UUID, verb: Verb | None) -> Loaded:
    """Finds, authorises and locks. ``verb`` is what is about to be done; ``None`` is undo. A stranger is asked to sign in before
    anything is looked up; another facility's ticket does not exist here."""
    clinic_id = await clinic_of(tx, actor, ticket_id, verb)
    async with tx.one_trip():
        asked = await _ask_locked(tx, clinic_id)
        row = await tx.asked(_TICKET, id=ticket_id)
    held = await _held(tx, facility, asked)
    if held is None:
        return await load_for(tx, actor, facility, ticket_id, verb)
    found = as_ticket(await row.fetchone() or {})
    if actor.kind == "patient" and found.secret_is_dead(tx.now):
        raise TicketNotFound
    return Loaded(*held, found)


@value(frozen=True, slots=True)
class First:
    """A clinic whose queue is locked, and who is next there, if anybody waits."""

    clinic: Clinic
    queue: Queue
    ticket: Ticket | None


async def load_first(tx: WriteTx, facility: Facility, clinic_id: str, doctor: str | None) -> First:
    """Locks the queue and finds who is next, for whoever was asked for the right; ``ClinicNotFound``. For a ``doctor``: the
    first who names them or names nobody; ``None`` is whoever takes the first of all."""
    # The queue's lock keeps other desks out. Skipping locked rows would pass over whoever a visit is just being linked to.
    async with tx.one_trip():
        asked = await _ask_locked(tx, clinic_id)
        row = await tx.asked(_FIRST if doctor is None else _FIRST_FOR_DOCTOR, clinic=clinic_id, doctor=doctor)
    held = await _held(tx, facility, asked)
    if held is None:
        return await load_first(tx, facility, clinic_id, doctor)
    first = await row.fetchone()
    return First(*held, as_ticket(first) if first else None)


async def lock_clinic(tx: WriteTx, facility: Facility, clinic_id: str) -> tuple[Clinic, Queue]:
    """A clinic as it is under its queue's lock, and the queue; ``ClinicNotFound``."""
    async with tx.one_trip():
        asked = await _ask_locked(tx, clinic_id)
    return await _held(tx, facility, asked) or await lock_clinic(tx, facility, clinic_id)


async def _ask_locked(tx: WriteTx, clinic_id: str) -> tuple[Answers, Answers]:
    """Locks a queue and reads its clinic under the lock, in a trip of the caller's."""
    queue = await tx.asked(_LOCK_QUEUE, clinic=clinic_id)
    return queue, await facilities.clinic_asked(tx, clinic_id)


async def _held(tx: WriteTx, facility: Facility, asked: tuple[Answers, Answers]) -> tuple[Clinic, Queue] | None:
    """The clinic, and its queue, locked. ``None`` where nobody was ever there, so that there was nothing to lock: it is now, and
    what was read in that trip, which may be older than the lock, is to be read again."""
    row = await asked[0].fetchone()
    clinic = await facilities.clinic_found(asked[1])
    if row is None:
        await lock_queue(tx, facility, clinic)
        return None
    return clinic, await _turned(tx, facility, clinic, Queue(**row))


async def clinic_of(tx: ReadTx, actor: Actor, ticket_id: UUID, verb: Verb | None) -> str:
    """The clinic of a ticket that the actor may change with this verb."""
    _require(actor, ticket_id, verb)
    clinic_id: str | None = await tx.value(_CLINIC_OF, id=ticket_id)
    if clinic_id is None:
        raise TicketNotFound
    if actor.kind != "patient":
        actor.require(Right.QUEUE, clinic_id)
    return clinic_id


def _require(actor: Actor, ticket_id: UUID, verb: Verb | None) -> None:
    if actor.kind != "patient":
        actor.require(Right.QUEUE)
    elif actor.ticket != ticket_id:
        raise TicketNotFound
    elif verb not in BY_PATIENT:
        raise Forbidden


async def lock_queue(tx: WriteTx, facility: Facility, clinic: Clinic) -> Queue:
    """The clinic's queue, locked until the transaction ends and turned to the present service day."""
    row = await tx.row(_LOCK_QUEUE, clinic=clinic.id)
    if row is None:
        await tx.execute(_OPEN_QUEUE, clinic=clinic.id, service_day=facility.service_day(tx.now))
        row = await tx.row(_LOCK_QUEUE, clinic=clinic.id)
    assert row is not None
    return await _turned(tx, facility, clinic, Queue(**row))


async def _turned(tx: WriteTx, facility: Facility, clinic: Clinic, locked: Queue) -> Queue:
    """The service day never goes back, whatever the clock does: a number given stays given."""
    today = facility.service_day(tx.now)
    if today <= locked.service_day:
        return locked
    carries = clinic.is_open(facility.day_start(today), facility.zone)
    turned = replace(locked, service_day=today, series=1, carries=carries)
    data = {"from": locked.service_day.isoformat(), "to": today.isoformat(), "carries": carries}
    return await note(tx, SYSTEM, turned, type_=SERVICE_DAY_TURNED, data=data)


async def note(tx: WriteTx, actor: Actor, changed: Queue, *, type_: str, data: dict[str, Any]) -> Queue:
    """Saves a change of the queue itself and its event; the queue with its new version."""
    saved = replace(changed, version=changed.version + 1)
    await _save_queue(tx, saved)
    entity = f"queue:{saved.clinic}"
    await events.append(tx, [events.Recorded(saved.stream, saved.version, entity, type_, data, actor.label, tx.now)])
    return saved


@value(frozen=True, slots=True)
class Plan:
    """What is about to be written of one queue: the queue as it will be, what happens to its tickets, the tickets after it."""

    queue: Queue
    changes: Sequence[Change]
    tickets: Sequence[Ticket]
    actor: Actor
    at: datetime

    def events(self) -> list[events.Recorded]:
        """An event for each change, with the queue's next versions."""
        stream, day, actor = self.queue.stream, self.queue.service_day, self.actor.label
        told = enumerate(
            ((one.type, one.data(day)) for one in self.changes), self.queue.version - len(self.changes) + 1
        )
        return [events.Recorded(stream, n, data["ticket"], type_, data, actor, self.at) for n, (type_, data) in told]


def plan(actor: Actor, locked: Queue, changes: Sequence[Change], *, now: datetime, key: int | None = None) -> Plan:
    """Changes of one queue's tickets; ``key`` is the last joining key that they give."""
    tickets = [_changed_with(version, change) for version, change in enumerate(changes, locked.version + 1)]
    waiting = locked.waiting + sum(_waits(one.after) - _waits(one.before) for one in changes)
    queue = replace(locked, version=locked.version + len(changes), waiting=waiting, last_key=key or locked.last_key)
    return Plan(queue, changes, tickets, actor, now)


def _waits(one: Ticket | None) -> bool:
    return one is not None and one.status is Status.WAITING


def _changed_with(version: int, change: Change) -> Ticket:
    """The ticket as it will be. One that moves says with which version; a fresh one may say so already."""
    after = change.after
    moved = change.before is None or change.before.status is not after.status
    return replace(after, changed_version=version) if moved and after.changed_version != version else after


async def record(
    tx: WriteTx,
    actor: Actor,
    locked: Queue,
    changes: Sequence[Change],
    *,
    personal: Mapping[UUID, Personal] | None = None,
) -> tuple[Queue, list[Ticket]]:
    """Writes changes of one queue's tickets: the rows, the events with the queue's next versions, the queue.

    ``personal`` belongs to the tickets that enter, by id. A person who already waits there is ``AlreadyInQueue``.
    """
    made = plan(actor, locked, changes, now=tx.now)
    await write(tx, [made], personal=personal or {})
    return made.queue, list(made.tickets)


async def write(tx: WriteTx, plans: Sequence[Plan], *, personal: Mapping[UUID, Personal]) -> None:
    """Writes the plans of several queues, all locked, in one trip, and tells of each change with its event."""
    with one_open_ticket_each():
        async with tx.one_trip():
            await _save_tickets(tx, plans, personal)
            if len(plans) == 1:
                await _save_queue(tx, plans[0].queue)
            else:
                await tx.insert_rows(SAVE_QUEUES, [one.queue for one in plans])
            await record_events(tx, plans)


async def record_events(tx: WriteTx, plans: Sequence[Plan]) -> None:
    """Writes the events of plans whose tickets and queues are written, and tells whoever listens of each change with its own."""
    recorded = [event for one in plans for event in one.events()]
    await events.append(tx, recorded)
    changes = [change for one in plans for change in one.changes]
    await listeners.tell(tx, "ticket", list(zip(changes, recorded, strict=True)))


@contextmanager
def one_open_ticket_each() -> Iterator[None]:
    """``AlreadyInQueue`` where the store refuses a person's second open ticket in a clinic."""
    try:
        yield
    except UniqueViolation as error:
        if error.diag.constraint_name == "ticket_person_key":
            raise AlreadyInQueue from error
        raise


async def _save_tickets(tx: WriteTx, plans: Sequence[Plan], personal: Mapping[UUID, Personal]) -> None:
    steps = [step for one in plans for step in zip(one.changes, one.tickets, strict=True)]
    entering = [after for change, after in steps if change.before is None]
    changed = [after for change, after in steps if change.before is not None]
    if entering:
        await tx.insert_rows(INSERT, entering_rows(entering, [personal.get(one.id, _NOBODY) for one in entering]))
    if changed:
        await tx.execute_many(_UPDATE, [_row(one) for one in changed])


def entering_rows(tickets: Sequence[Ticket], personal: Sequence[Personal]) -> list[dict[str, object]]:
    """The rows of ``INSERT``. A column that is not named in one has no value."""
    return [_known(one) | _known(who) for one, who in zip(tickets, personal, strict=True)]


def _known(one: Ticket | Personal) -> dict[str, object]:
    return {name: value for name in one.__slots__ if (value := getattr(one, name)) is not None}


def _row(one: Ticket | Queue) -> dict[str, object]:
    # ``asdict`` copies every value, which is most of what a ticket would cost.
    return {name: getattr(one, name) for name in one.__slots__}


async def _save_queue(tx: WriteTx, changed: Queue) -> None:
    await tx.execute(_SAVE_QUEUE, **_row(changed))


async def next_number(tx: WriteTx, locked: Queue) -> int:
    """The next number of the queue's service day and series."""
    return await numbers.next_number(
        tx, kind="ticket", scope=locked.clinic, service_day=locked.service_day, series=locked.series
    )


async def ticket(tx: ReadTx, ticket_id: UUID) -> Ticket:
    """A ticket as it is, without a lock and without asking for a right."""
    row = await tx.row(_TICKET, id=ticket_id)
    if row is None:
        raise TicketNotFound
    return as_ticket(row)


async def front(tx: WriteTx, clinic_id: str, *, without: UUID) -> list[tuple[int, int]]:
    """The order of the first three who wait, ``without`` one ticket."""
    return [(row["rank"], row["order_key"]) for row in await tx.rows(_FRONT, clinic=clinic_id, without=without)]


async def all_open(tx: WriteTx, clinic_id: str) -> list[Ticket]:
    return [as_ticket(row) for row in await tx.rows(_ALL_OPEN, clinic=clinic_id)]


async def count_ahead(tx: ReadTx, one: Ticket) -> int:
    """How many wait before this ticket in its clinic."""
    found: int = await tx.value(_AHEAD, clinic=one.clinic, rank=one.rank, order_key=one.order_key, id=one.id)
    return found


async def count_behind(tx: ReadTx, one: Ticket) -> int:
    """How many wait behind the place of this ticket in its clinic: nobody, mostly, of whoever joins."""
    found: int = await tx.value(_BEHIND, clinic=one.clinic, rank=one.rank, order_key=one.order_key, id=one.id)
    return found


async def active_of(tx: ReadTx, clinic_id: str, person: bytes) -> Ticket | None:
    """The open ticket of a person in a clinic."""
    row = await tx.row(_ACTIVE, clinic=clinic_id, person=person)
    return as_ticket(row) if row else None


async def personal_of(tx: ReadTx, ticket_id: UUID) -> Personal:
    row = await tx.row(_PERSONAL, id=ticket_id)
    if row is None:
        raise TicketNotFound
    return Personal(**row)
