"""The read side of appointments: a doctor's slots, one appointment, those of a patient; ``queries_lists`` has the lists."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from dawr.accounts.rules import Actor, Right, Role
from dawr.appointments import rules, store, store_schedule, store_waiting
from dawr.appointments.events import REMINDER
from dawr.appointments.rules import Appointment, AppointmentNotFound, AppointmentRules, Status
from dawr.appointments.rules_schedule import Leave, Schedule, Slot, at_work, shown_window, slots_on
from dawr.appointments.rules_waiting import WaitingStatus
from dawr.appointments.store import FIELDS, as_appointment
from dawr.appointments.store_tables import IS_ACTIVE, IS_KEPT, NEEDS_ATTENTION
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import ONE_DAY, Facility
from dawr.patients import queries as patients
from dawr.platform.db import ReadTx
from dawr.platform.services import Services
from dawr.tickets.secrets import secret_of, ticket_of

PURPOSE = "appointment-secret"
STANDING = frozenset(rules.ACTIVE)
"""The states in which an appointment, or an offer of one, holds its time."""
_EARLIER = """
    AND (a.starts, a.appointment) < (SELECT b.starts, b.appointment FROM appointment b
                                     WHERE b.facility_id = %(facility_id)s AND b.appointment = %(before)s)
"""


def _of_patient(condition: str) -> str:
    return f"""
SELECT p.* FROM unnest(%(patients)s::uuid[]) AS one (patient) CROSS JOIN LATERAL (
  SELECT {", ".join("a." + name for name in FIELDS.split(", "))} FROM appointment a
  WHERE a.facility_id = %(facility_id)s AND a.patient = one.patient {condition}
  ORDER BY a.starts DESC, a.appointment DESC LIMIT %(limit)s) AS p
ORDER BY p.starts DESC, p.appointment DESC LIMIT %(limit)s
"""


# Two statements: a condition that may be no condition would not be looked up in the index.
_LATEST_OF_PATIENT, _EARLIER_OF_PATIENT = _of_patient(""), _of_patient(_EARLIER)
_AFTER = f"""
SELECT {FIELDS} FROM appointment
WHERE facility_id = %(facility_id)s AND doctor = %(doctor)s AND starts > %(now)s AND status IN ('booked', 'offered')
ORDER BY starts, seat
"""
_OPEN_OFFER = """
SELECT appointment FROM appointment WHERE facility_id = %(facility_id)s AND waiting = %(waiting)s AND status = 'offered'
"""
_ACTIVE_OF = f"""
 FROM appointment WHERE facility_id = %(facility_id)s AND patient = ANY(%(patients)s)
  AND starts > %(earliest)s AND ends > %(now)s AND {IS_ACTIVE}
"""
_ACTIVE = f"SELECT {FIELDS}{_ACTIVE_OF} ORDER BY created_at, appointment"
_DOCTORS = f"""
SELECT doctor {_ACTIVE_OF}
UNION SELECT doctor FROM appointment_waiting
WHERE facility_id = %(facility_id)s AND patient = ANY(%(patients)s) AND {IS_KEPT}
"""
# Their times, of which the person they belong to is held nowhere else any more.
_SINGLE_AGAIN = f"""
SELECT a.appointment FROM appointment a
WHERE a.facility_id = %(facility_id)s AND {NEEDS_ATTENTION} AND a.doubled AND a.starts > %(now)s
  AND NOT EXISTS (
    SELECT FROM appointment_occupied o WHERE o.facility_id = a.facility_id AND o.at >= a.starts AND o.at < a.ends
    AND o.who = 'patient:' || (
      SELECT p.survivor FROM patient p WHERE p.facility_id = a.facility_id AND p.patient = a.patient))
ORDER BY a.starts LIMIT %(limit)s
"""
_OVERDUE = """
SELECT appointment FROM appointment
WHERE facility_id = %(facility_id)s AND status = 'booked' AND starts < %(before)s AND NOT needs_rebooking
ORDER BY starts LIMIT %(limit)s
"""
_UNANSWERED = """
SELECT appointment FROM appointment
WHERE facility_id = %(facility_id)s AND status = 'offered' AND answer_by <= %(now)s ORDER BY answer_by LIMIT %(limit)s
"""
_OUTLIVED = """
SELECT waiting FROM appointment_waiting
WHERE facility_id = %(facility_id)s AND status = 'waiting' AND latest <= %(now)s ORDER BY latest LIMIT %(limit)s
"""


# A doctor's slots


async def slots(tx: ReadTx, facility: Facility, doctor_id: str, day: date, *, days: int = 1) -> list[Slot]:
    """The doctor's slots that begin on a local day (and those after it), each with its seats that are taken."""
    doctor = await facilities.doctor(tx, doctor_id)
    schedule = at_work(await store_schedule.schedule(tx, doctor.id), doctor.clinics)
    leaves = await store_schedule.leaves(tx, doctor.id, since=tx.now - 2 * ONE_DAY)
    found = [one for n in range(days) for one in slots_on(facility, schedule, leaves, day + n * ONE_DAY)]
    if not found:
        return []
    held = await store.held(tx, doctor.id, found[0].starts, found[-1].ends)
    return rules.with_seats_taken(found, held)


def shown_slot(facility: Facility, slot: Slot, now: datetime) -> dict[str, Any]:
    """``free`` says whether it can be booked now, ``left`` how many may."""
    free = rules.is_free(slot, now)
    left = min(slot.capacity - slot.used, slot.capacity - len(slot.taken)) if free else 0
    times = {"start": local(facility, slot.starts), "end": local(facility, slot.ends)}
    return times | {"free": free, "left": left, "clinic": slot.clinic}


def local(facility: Facility, instant: datetime) -> str:
    """RFC 3339 with the facility's offset at that instant."""
    return instant.astimezone(ZoneInfo(facility.zone)).isoformat()


async def schedule(tx: ReadTx, doctor_id: str) -> Schedule:
    return await store_schedule.schedule(tx, (await facilities.doctor(tx, doctor_id)).id)


async def leaves(tx: ReadTx, doctor_id: str) -> list[Leave]:
    """The doctor's leave that is not over."""
    return await store_schedule.leaves(tx, (await facilities.doctor(tx, doctor_id)).id, since=tx.now)


async def leave(tx: ReadTx, doctor: str, leave_id: UUID) -> Leave:
    return await store_schedule.leave(tx, doctor, leave_id)


async def decided(tx: ReadTx) -> AppointmentRules:
    return await store_schedule.rules(tx)


def shown_schedule(one: Schedule) -> dict[str, Any]:
    windows, extra = ([shown_window(each) for each in many] for many in (one.windows, one.extra))
    return {"doctor": one.doctor, "windows": windows, "extra": extra, "version": one.version}


def shown_leave(facility: Facility, one: Leave) -> dict[str, Any]:
    return {
        "leave": str(one.leave),
        "doctor": one.doctor,
        "from": local(facility, one.starts),
        "until": local(facility, one.ends),
        "reason": one.reason.value,
        "cancelled": one.cancelled_at is not None,
    }


def shown_rules(one: AppointmentRules) -> dict[str, Any]:
    names = ("late_minutes", "no_show_minutes", "offer_minutes", "version")
    return {name: getattr(one, name) for name in names} | {"reminders": list(one.reminders)}


# Who may see


def viewer(here: Context, appointment_id: UUID, secret: str | None) -> Actor:
    """Who asks for this appointment: staff, or the patient whose secret it is. Another one's secret opens nothing here."""
    if here.actor.kind != "stranger" or not secret:
        return here.actor
    known = ticket_of(here.services.keyring, secret, purpose=PURPOSE)
    if known is None:
        return here.actor
    mine = known == (here.facility.no, appointment_id)
    return Actor(kind="patient", appointment=appointment_id if mine else None)


def follow_of(here: Context, appointment_id: UUID) -> str:
    """The patient's address of an appointment."""
    keyring = here.services.keyring
    secret = secret_of(keyring, here.facility.no, appointment_id, key_id=keyring.primary_id, purpose=PURPOSE)
    return f"/a/{secret}"


async def by_secret(services: Services, secret: str) -> tuple[Facility, UUID]:
    """The facility and appointment that a secret belongs to; ``AppointmentNotFound`` where it is no secret of ours."""
    found = ticket_of(services.keyring, secret, purpose=PURPOSE)
    facility = await facilities.locate(services, no=found[0]) if found else None
    if found is None or facility is None:
        raise AppointmentNotFound
    return facility, found[1]


def require_doctors_day(actor: Actor, doctor: str | None) -> None:
    """Reception sees every doctor's appointments; a doctor their own."""
    if not (actor.role is Role.DOCTOR and doctor is not None and actor.doctor == doctor):
        actor.require(Right.APPOINTMENTS)


async def seen_by(tx: ReadTx, actor: Actor, appointment_id: UUID) -> Appointment:
    """The appointment for whoever may see it. A secret dies 24 hours after its appointment has ended."""
    if actor.kind == "patient":
        store.require(actor, appointment_id, None)
    elif actor.role is not Role.DOCTOR:
        actor.require(Right.APPOINTMENTS)
    found = await store.appointment(tx, appointment_id)
    if actor.kind == "patient" and found.secret_is_dead(tx.now):
        raise AppointmentNotFound
    if actor.role is Role.DOCTOR:
        require_doctors_day(actor, found.doctor)
    return found


# Appointments


async def appointment(tx: ReadTx, appointment_id: UUID) -> Appointment:
    """An appointment as it is; asks for no right. For work that follows its events."""
    return await store.appointment(tx, appointment_id)


async def of_event(tx: ReadTx, payload: Mapping[str, Any]) -> Appointment | None:
    """The appointment that a row of the outbox's topic ``appointment_event`` is about; ``None`` for a reminder of one that has
    moved or ended since."""
    found = await store.appointment(tx, UUID(payload["appointment"]))
    if payload["type"] != REMINDER:
        return found
    stands = found.status is Status.BOOKED and found.starts == datetime.fromisoformat(payload["start"])
    return found if stands and not found.needs_rebooking else None


async def of_patient(tx: ReadTx, patient_id: UUID, *, before: UUID | None = None, limit: int = 50) -> list[Appointment]:
    """A person's appointments, the latest start first, from before the appointment ``before`` on; also those of records merged
    into theirs."""
    family = await patients.family(tx, patient_id)
    sql = _LATEST_OF_PATIENT if before is None else _EARLIER_OF_PATIENT
    return [as_appointment(row) for row in await tx.rows(sql, patients=family, before=before, limit=limit)]


async def booked_after(tx: ReadTx, doctor: str, now: datetime) -> list[Appointment]:
    """What is booked with a doctor, or offered, and still to come."""
    return [as_appointment(row) for row in await tx.rows(_AFTER, doctor=doctor, now=now)]


async def active_of(tx: ReadTx, patient_ids: Collection[UUID]) -> list[Appointment]:
    """What these records hold a seat for, and that is not over."""
    rows = await tx.rows(_ACTIVE, patients=list(patient_ids), now=tx.now, earliest=tx.now - rules.LONGEST)
    return [as_appointment(row) for row in rows]


async def doctors_of(tx: ReadTx, patient_ids: Collection[UUID]) -> list[str]:
    """The doctors with whom these records have something to come or wait for it, in the order of their names."""
    rows = await tx.rows(_DOCTORS, patients=list(patient_ids), now=tx.now, earliest=tx.now - rules.LONGEST)
    return sorted(row["doctor"] for row in rows)


def shown(facility: Facility, one: Appointment) -> dict[str, Any]:
    return {
        "appointment": str(one.appointment),
        "patient": str(one.patient),
        "doctor": one.doctor,
        "clinic": one.clinic,
        "start": local(facility, one.starts),
        "end": local(facility, one.ends),
        "status": one.status.value,
        "needs_rebooking": one.needs_rebooking,
        "doubled": one.doubled,
        "waiting": str(one.waiting) if one.waiting else None,
        "answer_by": local(facility, one.answer_by) if one.answer_by else None,
        "visit": str(one.visit) if one.visit else None,
        "version": one.version,
    }


# The waiting list


async def open_offer(tx: ReadTx, waiting_id: UUID) -> UUID | None:
    found: UUID | None = await tx.value(_OPEN_OFFER, waiting=waiting_id)
    return found


@dataclass(frozen=True, slots=True)
class Earlier:
    """Somebody waits for an earlier slot than they have; ``offered`` is one that is held for them."""

    status: WaitingStatus
    offered: UUID | None


async def waits_earlier(tx: ReadTx, appointment_id: UUID) -> Earlier | None:
    entry = await store_waiting.instead(tx, appointment_id)
    return Earlier(entry.status, await open_offer(tx, entry.waiting)) if entry else None


def shown_earlier(here: Context, one: Earlier | None, *, theirs: bool) -> dict[str, Any] | None:
    """``follow`` leads to the slot that is offered, for who may answer."""
    if one is None:
        return None
    return {"status": one.status.value, "follow": follow_of(here, one.offered) if one.offered and theirs else None}


# For the jobs


async def overdue(tx: ReadTx, before: datetime, *, limit: int = 200) -> list[UUID]:
    """Booked appointments that began before an instant and to which nobody has come."""
    return [row["appointment"] for row in await tx.rows(_OVERDUE, before=before, limit=limit)]


async def unanswered(tx: ReadTx, *, limit: int = 200) -> list[UUID]:
    return [row["appointment"] for row in await tx.rows(_UNANSWERED, now=tx.now, limit=limit)]


async def single_again(tx: ReadTx, *, limit: int = 200) -> list[UUID]:
    """Doubled appointments to come whose time the patient has free again."""
    return [row["appointment"] for row in await tx.rows(_SINGLE_AGAIN, now=tx.now, limit=limit)]


async def outlived(tx: ReadTx, *, limit: int = 200) -> list[UUID]:
    """Places on waiting lists whose last wanted moment has passed."""
    return [row["waiting"] for row in await tx.rows(_OUTLIVED, now=tx.now, limit=limit)]
