"""Writes of appointments. Whoever changes an appointment holds its doctor's schedule
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
    Appointment,
    AppointmentNotFound,
    PatientBusy,
    SlotTaken,
    Status,
    Verb,
)
from dawr.appointments.rules_schedule import cells
from dawr.appointments.store_tables import IS_ACTIVE
from dawr.patients import queries as patients
from dawr.platform import outbox
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.errors import Forbidden
from dawr.platform.events import Recorded, append

FIELDS = ", ".join(Appointment.__dataclass_fields__)
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
_RELEASE_PATIENTS = """
DELETE FROM appointment_occupied
WHERE facility_id = %(facility_id)s AND appointment = ANY(%(appointments)s) AND who LIKE 'patient:%%'
"""
_RELEASE = """
DELETE FROM appointment_occupied WHERE facility_id = %(facility_id)s AND appointment = %(appointment)s
"""


def as_appointment(row: dict[str, Any]) -> Appointment:
    return Appointment(**(row | {"status": Status(row["status"])}))


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
    """``data`` is what the event tells beside the state; see ``_record``. What is double no more takes its patient's time."""
    saved = replace(after, version=before.version + 1)
    was, is_ = before.status in ACTIVE, saved.status in ACTIVE
    single_again = before.doubled and not saved.doubled
    moves = single_again or (before.doctor, before.seat, before.starts, before.ends) != (
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
    if not await _take(tx, one, f"doctor:{one.doctor}/{one.seat}"):
        raise SlotTaken
    if not await hold_patient(tx, one, await patients.survivor(tx, one.patient)):
        raise PatientBusy


async def hold_patient(tx: WriteTx, one: Appointment, person: UUID) -> bool:
    """Takes the time for the person whose record the patient's is, or is part of; whether all of it was free."""
    return await _take(tx, one, f"patient:{person}")


async def _take(tx: WriteTx, one: Appointment, who: str) -> bool:
    wanted = cells(one.starts, one.ends)
    return await tx.execute(_HOLD, who=who, cells=wanted, appointment=one.appointment) == len(wanted)


async def release_patients(tx: WriteTx, several: Collection[Appointment]) -> None:
    """Gives back what these appointments take of their patients' time, and nothing of their doctors'."""
    await tx.execute(_RELEASE_PATIENTS, appointments=[one.appointment for one in several])


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
