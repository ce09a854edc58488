"""Writes of appointments and of the waiting list. Whoever changes an appointment holds its doctor's schedule
(``store_schedule.lock``), so a doctor's time is a serial object; ``load_for`` finds, authorises and locks.

``hold`` and ``release`` keep the rows that let nobody be in two places at once.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation

from dawr.accounts.rules import Actor, Right
from dawr.appointments import events, store_schedule
from dawr.appointments.rules import (
    ACTIVE,
    BY_PATIENT,
    LONGEST,
    AlreadyWaiting,
    Appointment,
    AppointmentNotFound,
    PatientBusy,
    SlotTaken,
    Status,
    Verb,
    Waiting,
    WaitingNotFound,
    WaitingStatus,
)
from dawr.appointments.rules_schedule import cells
from dawr.appointments.store_tables import IS_ACTIVE
from dawr.platform import outbox
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.errors import Forbidden
from dawr.platform.events import Recorded, append

FIELDS = ", ".join(Appointment.__dataclass_fields__)
_WAITING_FIELDS = ", ".join(Waiting.__dataclass_fields__)
_ONE = f"SELECT {FIELDS} FROM appointment WHERE facility_id = %(facility_id)s AND appointment = %(appointment)s"
_HELD = f"""
SELECT {FIELDS} FROM appointment
WHERE facility_id = %(facility_id)s AND doctor = %(doctor)s AND {IS_ACTIVE}
  AND starts >= %(earliest)s AND starts < %(ends)s AND ends > %(starts)s
ORDER BY starts, seat
"""
_INSERT = f"""
INSERT INTO appointment (facility_id, {FIELDS})
VALUES (%(facility_id)s, {", ".join(f"%({name})s" for name in Appointment.__dataclass_fields__)})
"""
_CHANGING = [name for name in Appointment.__dataclass_fields__ if name not in ("appointment", "patient", "created_at")]
_SAVE = f"""
UPDATE appointment SET {", ".join(f"{name} = %({name})s" for name in _CHANGING)}
WHERE facility_id = %(facility_id)s AND appointment = %(appointment)s
"""
_HOLD = """
INSERT INTO appointment_occupied (facility_id, who, at, appointment)
SELECT %(facility_id)s, %(who)s, at, %(appointment)s FROM unnest(%(cells)s::timestamptz[]) AS at ORDER BY at
ON CONFLICT DO NOTHING
"""
_RELEASE = """
DELETE FROM appointment_occupied WHERE facility_id = %(facility_id)s AND appointment = %(appointment)s
"""
_WAITING = f"SELECT {_WAITING_FIELDS} FROM appointment_waiting WHERE facility_id = %(facility_id)s"
_ONE_WAITING = _WAITING + " AND waiting = %(waiting)s"
_INSTEAD = _WAITING + " AND instead_of = %(appointment)s AND status IN ('waiting', 'offered')"
_LINE = _WAITING + " AND doctor = %(doctor)s AND status = 'waiting' ORDER BY created_at, waiting"
_REFUSED = """
SELECT waiting, array_agg(starts) AS starts FROM appointment
WHERE facility_id = %(facility_id)s AND waiting = ANY(%(entries)s) AND status IN ('declined', 'lapsed') GROUP BY waiting
"""
_INSERT_WAITING = f"""
INSERT INTO appointment_waiting (facility_id, {_WAITING_FIELDS})
VALUES (%(facility_id)s, {", ".join(f"%({name})s" for name in Waiting.__dataclass_fields__)})
"""
_SAVE_WAITING = """
UPDATE appointment_waiting SET status = %(status)s, lapses = %(lapses)s, version = %(version)s
WHERE facility_id = %(facility_id)s AND waiting = %(waiting)s
"""


def as_appointment(row: dict[str, Any]) -> Appointment:
    return Appointment(**(row | {"status": Status(row["status"])}))


def as_waiting(row: dict[str, Any]) -> Waiting:
    return Waiting(**(row | {"status": WaitingStatus(row["status"])}))


# Load: find, authorise, lock


def require(actor: Actor, appointment_id: UUID, verb: Verb | None) -> None:
    """``None`` is looking. A patient may do what is theirs to decide, with the one appointment whose secret they showed."""
    if actor.kind != "patient":
        actor.require(Right.APPOINTMENTS)
    elif actor.appointment != appointment_id:
        raise AppointmentNotFound
    elif verb is not None and verb not in BY_PATIENT:
        raise Forbidden


async def load_for(
    tx: WriteTx, actor: Actor, appointment_id: UUID, verb: Verb, *, doctors: Collection[str] = ()
) -> Appointment:
    """The appointment, its doctor's schedule locked, and those of further ``doctors`` too, in the order of their names."""
    require(actor, appointment_id, verb)
    found = await appointment(tx, appointment_id)
    while True:
        locked = {found.doctor, *doctors}
        for doctor in sorted(locked):
            await store_schedule.lock(tx, doctor)
        found = await appointment(tx, appointment_id)
        # Moved to another doctor while the lock was waited for.
        if found.doctor in locked:
            break
    if actor.kind == "patient" and found.secret_is_dead(tx.now):
        raise AppointmentNotFound
    return found


async def appointment(tx: ReadTx, appointment_id: UUID) -> Appointment:
    """An appointment as it is, without a lock and without asking for a right."""
    row = await tx.row(_ONE, appointment=appointment_id)
    if row is None:
        raise AppointmentNotFound
    return as_appointment(row)


async def held(tx: ReadTx, doctor: str, starts: datetime, ends: datetime) -> list[Appointment]:
    """Who holds a seat of the doctor's at any time of the span."""
    # None is longer than that: the bound keeps the search on the index.
    rows = await tx.rows(_HELD, doctor=doctor, starts=starts, ends=ends, earliest=starts - LONGEST)
    return [as_appointment(row) for row in rows]


# Save: the row with its next version, what it occupies, the event, and the work that follows


async def insert(tx: WriteTx, actor: Actor, made: Appointment, type_: str) -> Appointment:
    saved = replace(made, version=1)
    try:
        await tx.execute(_INSERT, **asdict(saved))
    except UniqueViolation as error:
        raise SlotTaken from error
    await hold(tx, saved)
    await _record(tx, actor, saved, type_, {})
    return saved


async def save(
    tx: WriteTx, actor: Actor, before: Appointment, after: Appointment, type_: str, **data: Any
) -> Appointment:
    """``data`` is what the event tells beside the state; see ``_record``."""
    saved = replace(after, version=before.version + 1)
    was, is_ = before.status in ACTIVE, saved.status in ACTIVE
    moves = (before.doctor, before.seat, before.starts, before.ends) != (
        saved.doctor,
        saved.seat,
        saved.starts,
        saved.ends,
    )
    if was and (moves or not is_):
        await tx.execute(_RELEASE, appointment=saved.appointment)
    try:
        await tx.execute(_SAVE, **asdict(saved))
    except UniqueViolation as error:
        raise SlotTaken from error
    if is_ and was and moves:
        await hold(tx, saved)
    await _record(tx, actor, saved, type_, data)
    return saved


async def hold(tx: WriteTx, one: Appointment) -> None:
    """Takes the time for the doctor's seat and for the patient. ``SlotTaken``, ``PatientBusy`` where it is somebody's already."""
    wanted = cells(one.starts, one.ends)
    for who, refusal in ((f"doctor:{one.doctor}/{one.seat}", SlotTaken), (f"patient:{one.patient}", PatientBusy)):
        if await tx.execute(_HOLD, who=who, cells=wanted, appointment=one.appointment) < len(wanted):
            raise refusal


async def _record(tx: WriteTx, actor: Actor, saved: Appointment, type_: str, data: dict[str, Any]) -> None:
    own = {
        "patient": str(saved.patient),
        "doctor": saved.doctor,
        "start": saved.starts.isoformat(),
        "status": saved.status.value,
    }
    await append(tx, [Recorded(saved.stream, saved.version, saved.stream, type_, own | data, actor.label, tx.now)])
    payload: dict[str, outbox.Scalar] = {"appointment": str(saved.appointment), "type": type_}
    await outbox.put(tx, "appointment_event", payload, key=f"{saved.stream}:{saved.version}")


async def remind(tx: WriteTx, one: Appointment, minutes: Sequence[int]) -> None:
    """Leaves the reminders behind that are still to come. Each names the start it was made for: where the appointment has
    moved or ended since, it reminds of nothing."""
    start = one.starts.isoformat()
    for each in minutes:
        moment = one.starts - timedelta(minutes=each)
        if moment > tx.now:
            payload: dict[str, outbox.Scalar] = {
                "appointment": str(one.appointment),
                "type": events.REMINDER,
                "start": start,
                "minutes": each,
            }
            await outbox.put(tx, "appointment_event", payload, key=f"{one.stream}:{start}:{each}", run_after=moment)


# The waiting list


async def load_waiting_for(tx: WriteTx, actor: Actor, waiting_id: UUID) -> Waiting:
    actor.require(Right.APPOINTMENTS)
    found = await waiting(tx, waiting_id)
    await store_schedule.lock(tx, found.doctor)
    return await waiting(tx, waiting_id)


async def waiting(tx: ReadTx, waiting_id: UUID) -> Waiting:
    row = await tx.row(_ONE_WAITING, waiting=waiting_id)
    if row is None:
        raise WaitingNotFound
    return as_waiting(row)


async def waits_instead(tx: ReadTx, appointment_id: UUID) -> Waiting | None:
    """The open place on a waiting list by which somebody waits for an earlier slot than this appointment's."""
    row = await tx.row(_INSTEAD, appointment=appointment_id)
    return as_waiting(row) if row else None


async def line(tx: ReadTx, doctor: str) -> list[Waiting]:
    """Who waits for a slot of this doctor, in the order in which they came."""
    return [as_waiting(row) for row in await tx.rows(_LINE, doctor=doctor)]


async def refused(tx: ReadTx, entries: Sequence[Waiting]) -> dict[UUID, list[datetime]]:
    """The starts of the offers that each has declined or left without an answer."""
    rows = await tx.rows(_REFUSED, entries=[one.waiting for one in entries])
    return {row["waiting"]: row["starts"] for row in rows}


async def insert_waiting(tx: WriteTx, actor: Actor, made: Waiting) -> Waiting:
    saved = replace(made, version=1)
    try:
        await tx.execute(_INSERT_WAITING, **asdict(saved))
    except UniqueViolation as error:
        raise AlreadyWaiting from error
    await _record_waiting(tx, actor, saved, events.WAITING_JOINED)
    return saved


async def save_waiting(tx: WriteTx, actor: Actor, after: Waiting, type_: str) -> Waiting:
    saved = replace(after, version=after.version + 1)
    await tx.execute(_SAVE_WAITING, **asdict(saved))
    await _record_waiting(tx, actor, saved, type_)
    return saved


async def _record_waiting(tx: WriteTx, actor: Actor, saved: Waiting, type_: str) -> None:
    data = {"patient": str(saved.patient), "doctor": saved.doctor, "status": saved.status.value}
    await append(tx, [Recorded(saved.stream, saved.version, saved.stream, type_, data, actor.label, tx.now)])
