"""Reading consultations. Notes are sealed under their patient's own key and ``None`` once that is destroyed; where the ticket
belonged to no visit they are sealed with the facility's key, to their row."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from dawr.accounts.rules import Right
from dawr.consultations import store
from dawr.consultations.rules import Consultation, Standing
from dawr.consultations.store import FIELDS, as_consultation
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import Facility
from dawr.patients import queries as patients
from dawr.patients.vault import PatientKey
from dawr.platform.db import ReadTx
from dawr.platform.ids import first_id

_VERSIONS = """
SELECT consultation, version, notes_sealed, outcome, standing, at FROM consultation_note
WHERE facility_id = %(facility_id)s AND consultation = %(id)s ORDER BY version
"""
# The latest version's number stands in the consultation, so that each is found by its whole key.
_LATEST = """
SELECT n.consultation, n.version, n.notes_sealed, n.outcome, n.standing, n.at
FROM consultation c
JOIN consultation_note n ON n.facility_id = c.facility_id AND n.consultation = c.id AND n.version = c.version
WHERE c.facility_id = %(facility_id)s AND c.id = ANY(%(ids)s)
"""
# Record by record, since a person may have several: each is one walk down its index, as long as the page and no longer.
_OF_PATIENT = f"""
SELECT p.* FROM unnest(%(patients)s::uuid[]) AS one (patient) CROSS JOIN LATERAL (
  SELECT {FIELDS} FROM consultation c WHERE c.facility_id = %(facility_id)s AND c.patient = one.patient
  AND c.id < %(before)s ORDER BY c.id DESC LIMIT %(limit)s) AS p
ORDER BY p.id DESC LIMIT %(limit)s
"""
_FIGURES = """
SELECT consultations, mean_seconds FROM doctor_average WHERE facility_id = %(facility_id)s AND doctor = %(doctor)s
"""
_ACCESSES = """
SELECT access, at, actor, reason_sealed FROM consultation_access
WHERE facility_id = %(facility_id)s AND consultation = %(id)s AND access < %(before)s ORDER BY access DESC LIMIT %(limit)s
"""
_COUNT_ACCESSES = """
SELECT count(*) FROM consultation_access WHERE facility_id = %(facility_id)s AND consultation = %(id)s
"""
# Ids grow with time: the rows of a day stand together, and are few.
_FIGURES_SINCE = """
SELECT count(*)::int AS consultations, avg(duration_seconds)::float8 AS mean_seconds FROM consultation
WHERE facility_id = %(facility_id)s AND id >= %(since)s AND doctor = %(doctor)s AND standing <> 'entered_in_error'
"""
_LAST_ID = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Version:
    """What was written at one time; the ``notes`` of one ``entered_in_error`` are the reason why it was withdrawn."""

    consultation: UUID
    version: int
    notes: str | None
    outcome: str | None
    standing: Standing
    at: datetime

    def answer(self) -> dict[str, Any]:
        told = {"version": self.version, "notes": self.notes, "outcome": self.outcome, "status": self.standing.value}
        return told | {"at": self.at.isoformat()}


def card(one: Consultation) -> dict[str, Any]:
    """Everything but what was said: when, where, by whom, with what outcome."""
    return {
        "consultation": str(one.id),
        "ticket": str(one.ticket),
        "visit": _text(one.visit),
        "patient": _text(one.patient),
        "clinic": one.clinic,
        "doctor": one.doctor,
        "outcome": one.outcome,
        "started_at": one.started_at.isoformat(),
        "ended_at": one.ended_at.isoformat(),
        "duration_seconds": one.duration_seconds,
        "referred_to": _text(one.referred_to),
        "status": one.standing.value,
        "version": one.version,
    }


def _text(id_: UUID | None) -> str | None:
    return str(id_) if id_ else None


async def of_id(tx: ReadTx, here: Context, consultation_id: UUID) -> Consultation:
    """For a doctor of its clinic. Who reads its notes opens the patient's record first."""
    here.actor.require(Right.CONSULT)
    found = await store.consultation(tx, consultation_id)
    here.actor.require(Right.CONSULT, found.clinic)
    return found


async def of_patient(
    tx: ReadTx, patient_id: UUID, *, before: UUID | None = None, limit: int = 50
) -> list[Consultation]:
    """A person's consultations, newest first, from before the consultation ``before`` on; also those of records merged into
    theirs."""
    family = await patients.family(tx, patient_id)
    rows = await tx.rows(_OF_PATIENT, patients=family, before=before or _LAST_ID, limit=limit)
    return [as_consultation(row) for row in rows]


async def figures(tx: ReadTx, facility: Facility, doctor_id: str) -> dict[str, Any]:
    """How many consultations of a doctor count, and their mean, also of one who has left; and those of this service day.
    ``DoctorNotFound``."""
    row = await tx.row(_FIGURES, doctor=doctor_id)
    if row is None:
        await facilities.doctor(tx, doctor_id)
    counted = row or {"consultations": 0, "mean_seconds": None}
    begun = facility.day_start(facility.service_day(tx.now))
    today = await tx.row(_FIGURES_SINCE, doctor=doctor_id, since=first_id(begun))
    return {"doctor": doctor_id, "today": today} | counted


# Who read notes that are part of no patient's record


@dataclass(frozen=True, slots=True)
class Access:
    access: UUID
    at: datetime
    actor: str
    reason: str | None

    def answer(self) -> dict[str, Any]:
        told = {"access": str(self.access), "at": self.at.isoformat(), "actor": self.actor}
        return told | {"reason": self.reason}


async def accesses(
    tx: ReadTx, here: Context, consultation_id: UUID, *, before: UUID | None = None, limit: int = 50
) -> list[Access]:
    """Newest first, from before the access ``before`` on. Where the ticket belonged to a visit there are none: who read those
    notes is in the patient's trail."""
    here.actor.require(Right.RECORDS)
    await store.consultation(tx, consultation_id)
    rows = await tx.rows(_ACCESSES, id=consultation_id, before=before or _LAST_ID, limit=limit)
    return [Access(reason=_reason(here, row), **row) for row in rows]


async def accesses_count(tx: ReadTx, consultation_id: UUID) -> int:
    found: int = await tx.value(_COUNT_ACCESSES, id=consultation_id)
    return found


def sealed_reason(here: Context, access: UUID, reason: str) -> bytes:
    return here.services.keyring.seal(reason, facility=here.facility.id_text, where=_reason_place(access))


def _reason(here: Context, row: dict[str, Any]) -> str | None:
    sealed_, facility = row.pop("reason_sealed"), here.facility.id_text
    return (
        here.services.keyring.open(sealed_, facility=facility, where=_reason_place(row["access"])) if sealed_ else None
    )


def _reason_place(access: UUID) -> str:
    return f"consultation_access.reason:{access}"


# Notes


async def sealed(tx: ReadTx, here: Context, one: Consultation, notes: str) -> bytes:
    """The notes of this very version as they are kept."""
    if one.patient is not None:
        return await patients.seal_for(tx, here, one.patient, notes, where=_where(one.id, one.version))
    return here.services.keyring.seal(notes, facility=here.facility.id_text, where=_where(one.id, one.version))


def _where(consultation: UUID, version: int) -> str:
    return f"consultation_note.notes:{consultation}:{version}"


async def versions(tx: ReadTx, here: Context, one: Consultation) -> list[Version]:
    """Everything that was ever written of it, the first at the front."""
    return await _opened(tx, here, [one], await tx.rows(_VERSIONS, id=one.id))


async def latest(tx: ReadTx, here: Context, several: Collection[Consultation]) -> dict[UUID, Version]:
    """The present version of each, in two statements however many there are."""
    rows = await tx.rows(_LATEST, ids=[one.id for one in several])
    return {one.consultation: one for one in await _opened(tx, here, several, rows)}


async def _opened(
    tx: ReadTx, here: Context, several: Collection[Consultation], rows: Sequence[dict[str, Any]]
) -> list[Version]:
    whose = {one.id: one.patient for one in several}
    keys = await patients.keys(tx, here, {patient for patient in whose.values() if patient})
    return [Version(notes=_notes(here, whose[row["consultation"]], keys, row), **_rest(row)) for row in rows]


def _rest(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("consultation", "version", "outcome", "at")} | {
        "standing": Standing(row["standing"])
    }


def _notes(here: Context, patient: UUID | None, keys: dict[UUID, PatientKey], row: dict[str, Any]) -> str | None:
    where = _where(row["consultation"], row["version"])
    if patient is None:
        return here.services.keyring.open(row["notes_sealed"], facility=here.facility.id_text, where=where)
    return keys[patient].open(row["notes_sealed"], where) if patient in keys else None
