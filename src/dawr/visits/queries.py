"""The read side of visits: one with its tickets and its whole history, the list of a service day, a patient's visits."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from dawr.accounts.rules import Actor, Right
from dawr.facilities.queries import Context
from dawr.patients import queries as patients
from dawr.patients.rules import PatientCard
from dawr.platform import events
from dawr.platform.db import ReadTx
from dawr.platform.errors import Forbidden
from dawr.platform.events import Recorded
from dawr.tickets import queries as tickets
from dawr.tickets.queries import TicketView
from dawr.visits import store
from dawr.visits.rules import Status, Visit
from dawr.visits.store import COLUMNS

_TICKETS = """
SELECT ticket FROM visit_ticket WHERE facility_id = %(facility_id)s AND visit = %(visit)s ORDER BY ticket
"""
_REASONS = "SELECT version, reason_sealed FROM visit_reason WHERE facility_id = %(facility_id)s AND visit = %(visit)s"
# Each narrows a day's list, on the index that fits what is asked.
_OF_DAY = "v.facility_id = %(facility_id)s AND v.service_day = %(day)s"
_IN_STATUS = " AND v.status = %(status)s"
_IN_CLINIC = """ AND EXISTS (SELECT FROM visit_ticket vt WHERE vt.facility_id = v.facility_id AND vt.visit = v.visit
  AND vt.clinic = %(clinic)s)"""
_PAGE = f"SELECT {COLUMNS} FROM visit v WHERE {_OF_DAY} AND v.number > %(after)s"
_COUNT = f"SELECT count(*) FROM visit v WHERE {_OF_DAY}"
_CODES = """
SELECT vt.visit, t.id, t.clinic, t.code, t.status, t.desk FROM visit_ticket vt
JOIN ticket t ON t.facility_id = vt.facility_id AND t.id = vt.ticket
WHERE vt.facility_id = %(facility_id)s AND vt.visit = ANY(%(visits)s) ORDER BY vt.ticket
"""
# Record by record, since a person may have several: each is one walk down its index, as long as the page and no longer.
_OF_PATIENT = f"""
SELECT p.* FROM unnest(%(patients)s::uuid[]) AS one (patient) CROSS JOIN LATERAL (
  SELECT {COLUMNS} FROM visit v WHERE v.facility_id = %(facility_id)s AND v.patient = one.patient
  AND v.visit < %(before)s ORDER BY v.visit DESC LIMIT %(limit)s) AS p
ORDER BY p.visit DESC LIMIT %(limit)s
"""
_KNOWN = """
SELECT EXISTS (SELECT FROM visit v JOIN visit_ticket vt ON vt.facility_id = v.facility_id AND vt.visit = v.visit
WHERE v.facility_id = %(facility_id)s AND v.patient = %(patient)s AND vt.clinic = ANY(%(clinics)s))
"""
_OF_APPOINTMENT = """
SELECT visit FROM visit WHERE facility_id = %(facility_id)s AND appointment = %(appointment)s ORDER BY visit DESC LIMIT 1
"""
_TICKETS_OF = """
SELECT vt.ticket FROM visit v JOIN visit_ticket vt ON vt.facility_id = v.facility_id AND vt.visit = v.visit
WHERE v.facility_id = %(facility_id)s AND v.patient = ANY(%(patients)s) ORDER BY vt.ticket
"""
_LAST_ID = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class VisitView:
    """A visit with what belongs to it. ``reasons`` are what people gave, by the version of the visit's event."""

    visit: Visit
    patient: PatientCard
    tickets: Sequence[dict[str, Any]]
    history: Sequence[Recorded]
    reasons: Mapping[int, str]

    def answer(self) -> dict[str, Any]:
        return card(self.visit) | {
            "patient": self.patient.answer(),
            "reason": self.reasons.get(1),
            "tickets": list(self.tickets),
            "history": [self._step(one) for one in self.history],
        }

    def _step(self, one: Recorded) -> dict[str, Any]:
        return {
            "type": one.type,
            "status": one.data["status"],
            "at": one.at.isoformat(),
            "actor": one.actor,
            "reason": self.reasons.get(one.version) if one.version > 1 else None,
        }


def card(one: Visit) -> dict[str, Any]:
    """What is shown of a visit itself."""
    return {
        "visit": str(one.visit),
        "visit_number": one.shown_number,
        "service_day": one.service_day.isoformat(),
        "status": one.status.value,
        "created_at": one.created_at.isoformat(),
        "started_at": one.started_at.isoformat() if one.started_at else None,
        "ended_at": one.ended_at.isoformat() if one.ended_at else None,
        "appointment": str(one.appointment) if one.appointment else None,
    }


async def view(tx: ReadTx, here: Context, visit_id: UUID) -> VisitView:
    """A visit as it is now. It asks for no right and leaves no trace that the patient's data were read: whoever shows them has
    opened the record."""
    one = await store.visit(tx, visit_id)
    return await view_of(tx, here, one, await patients.card(tx, here, one.patient))


async def view_of(tx: ReadTx, here: Context, one: Visit, patient: PatientCard) -> VisitView:
    """A visit whose row and patient were read already, with its tickets, its history and its reasons."""
    ids = [row["ticket"] for row in await tx.rows(_TICKETS, visit=one.visit)]
    views = await tickets.views(tx, here, ids)
    shown = [shown_ticket(here, views[ticket]) for ticket in ids]
    return VisitView(one, patient, shown, await events.history(tx, one.stream), await _reasons(tx, here, one))


def shown_ticket(here: Context, one: TicketView) -> dict[str, Any]:
    """A visit's ticket, with its address for whoever may change it."""
    known = here.actor.may(Right.QUEUE, one.ticket.clinic)
    return one.answer(follow=tickets.follow_of(here, one.ticket.id) if known else None)


async def _reasons(tx: ReadTx, here: Context, one: Visit) -> dict[int, str]:
    rows = await tx.rows(_REASONS, visit=one.visit)
    keys = await patients.keys(tx, here, [one.patient]) if rows else {}
    if one.patient not in keys:
        return {}
    key = keys[one.patient]
    return {row["version"]: key.open(row["reason_sealed"], reason_place(one.visit, row["version"])) for row in rows}


def reason_place(visit_id: UUID, version: int) -> str:
    return f"visit_reason.reason_sealed:{visit_id}:{version}"


async def require_seen(tx: ReadTx, actor: Actor, one: Visit) -> None:
    """Reception and administrators see every visit, a doctor those that come or came to one of their clinics."""
    if actor.may(Right.VISITS):
        return
    actor.require(Right.HISTORY)
    if not await known_to(tx, one.patient, actor.clinics):
        raise Forbidden


# Lists


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of a service day's visits are asked for."""

    day: date
    status: Status | None = None
    clinic: str | None = None

    @property
    def narrowed(self) -> str:
        return (_IN_STATUS if self.status else "") + (_IN_CLINIC if self.clinic else "")

    @property
    def params(self) -> dict[str, Any]:
        return {"day": self.day, "status": self.status.value if self.status else None, "clinic": self.clinic}


async def of_day(tx: ReadTx, wanted: Wanted, *, after: int, limit: int) -> list[Visit]:
    """The visits of a service day from behind the number ``after``, in the order of their numbers."""
    sql = _PAGE + wanted.narrowed + " ORDER BY v.number LIMIT %(limit)s"
    return [store.as_visit(row) for row in await tx.rows(sql, **wanted.params, after=after, limit=limit)]


async def count_of_day(tx: ReadTx, wanted: Wanted) -> int:
    found: int = await tx.value(_COUNT + wanted.narrowed, **wanted.params)
    return found


async def listed(tx: ReadTx, here: Context, visits: Sequence[Visit]) -> list[dict[str, Any]]:
    """Visits as a list shows them: who it is, without opening the record, and where they are."""
    cards = await patients.cards(tx, here, [one.patient for one in visits]) if visits else {}
    stops: dict[UUID, list[dict[str, Any]]] = {one.visit: [] for one in visits}
    for row in await tx.rows(_CODES, visits=list(stops)):
        shown = {name: row[name] for name in ("clinic", "code", "status", "desk")}
        stops[row["visit"]].append({"ticket": str(row["id"])} | shown)
    return [card(one) | {"patient": cards[one.patient].summary(), "tickets": stops[one.visit]} for one in visits]


async def of_patient(tx: ReadTx, patient_id: UUID, *, before: UUID | None = None, limit: int = 50) -> list[Visit]:
    """A person's visits, newest first, from before the visit ``before`` on; also those of records merged into theirs."""
    family = await patients.family(tx, patient_id)
    rows = await tx.rows(_OF_PATIENT, patients=family, before=before or _LAST_ID, limit=limit)
    return [store.as_visit(row) for row in rows]


async def known_to(tx: ReadTx, patient: UUID, clinics: Collection[str]) -> bool:
    """Whether this record has or had a visit that came to one of these clinics."""
    found: bool = await tx.value(_KNOWN, patient=patient, clinics=list(clinics))
    return found


async def of_appointment(tx: ReadTx, appointment: UUID) -> UUID | None:
    """The latest visit that was checked in for an appointment."""
    found: UUID | None = await tx.value(_OF_APPOINTMENT, appointment=appointment)
    return found


async def tickets_of(tx: ReadTx, patients_: Collection[UUID]) -> list[UUID]:
    """Every ticket of these records' visits."""
    return [row["ticket"] for row in await tx.rows(_TICKETS_OF, patients=list(patients_))]
