"""Writes of facilities. ``load_…_for`` finds, asks for the right and locks; there is no other way to get one to change.

Whoever holds a subject's lock saves it with its next version and records the event that carries this version.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import date
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from dawr.accounts.rules import Actor, Right
from dawr.facilities import queries, store_tables  # noqa: F401 - whoever writes rows needs the tables declared
from dawr.facilities.rules import (
    Clinic,
    ClinicNotFound,
    Department,
    DepartmentNotFound,
    Doctor,
    DoctorNotFound,
    Facility,
    FacilityNotFound,
    PrefixTaken,
    SlugTaken,
)
from dawr.platform import events
from dawr.platform.db import WriteTx
from dawr.platform.errors import Problem

_REGISTER = "SELECT directory.register_facility(%(slug)s, %(as_default)s)"
_MAKE_DEFAULT = "SELECT directory.make_default_facility()"
_LOCK_FACILITY = "SELECT 1 FROM facility WHERE facility_id = %(facility_id)s FOR NO KEY UPDATE"
_LOCK_DEPARTMENT = """
SELECT 1 FROM department WHERE facility_id = %(facility_id)s AND department = %(id)s AND archived_on IS NULL
FOR NO KEY UPDATE
"""
_LOCK_CLINIC = """
SELECT 1 FROM clinic WHERE facility_id = %(facility_id)s AND clinic = %(id)s AND archived_on IS NULL
FOR NO KEY UPDATE
"""
_LOCK_DOCTOR = """
SELECT 1 FROM doctor WHERE facility_id = %(facility_id)s AND doctor = %(id)s AND archived_on IS NULL
FOR NO KEY UPDATE
"""
_LOCK_ARCHIVED_DOCTOR = """
SELECT doctor AS id, name, version FROM doctor
WHERE facility_id = %(facility_id)s AND doctor = %(id)s AND archived_on IS NOT NULL FOR NO KEY UPDATE
"""
_HOLD_DEPARTMENT = """
SELECT 1 FROM department WHERE facility_id = %(facility_id)s AND department = %(id)s AND archived_on IS NULL FOR SHARE
"""
_HOLD_CLINICS = """
SELECT clinic FROM clinic WHERE facility_id = %(facility_id)s AND clinic = ANY(%(ids)s) AND archived_on IS NULL
ORDER BY clinic FOR SHARE
"""
_CLINICS_OF_DEPARTMENT = """
SELECT clinic FROM clinic WHERE facility_id = %(facility_id)s AND department = %(id)s AND archived_on IS NULL
ORDER BY clinic
"""
_INSERT_FACILITY = """
INSERT INTO facility (facility_id, slug, no, name, zone, pivot, languages, grace_minutes, paused, pause_reason, version)
VALUES (%(facility_id)s, %(slug)s, %(no)s, %(name)s, %(zone)s, %(pivot)s, %(languages)s, %(grace_minutes)s,
        %(paused)s, %(pause_reason)s, %(version)s)
"""
_SAVE_FACILITY = """
UPDATE facility SET name = %(name)s, zone = %(zone)s, pivot = %(pivot)s, languages = %(languages)s,
  grace_minutes = %(grace_minutes)s, paused = %(paused)s, pause_reason = %(pause_reason)s, version = %(version)s
WHERE facility_id = %(facility_id)s
"""
_INSERT_DEPARTMENT = """
INSERT INTO department (facility_id, department, name, version) VALUES (%(facility_id)s, %(id)s, %(name)s, %(version)s)
"""
_SAVE_DEPARTMENT = """
UPDATE department SET name = %(name)s, version = %(version)s, archived_on = %(archived_on)s
WHERE facility_id = %(facility_id)s AND department = %(id)s
"""
_INSERT_CLINIC = """
INSERT INTO clinic (facility_id, clinic, name, prefix, department, floor, entry, capacity, hours, closed, paused,
  pause_reason, mean_service_seconds, late_after_seconds, priority_credit_seconds, place, poster, version)
VALUES (%(facility_id)s, %(id)s, %(name)s, %(prefix)s, %(department)s, %(floor)s, %(entry)s, %(capacity)s, %(hours)s,
  %(closed)s, %(paused_itself)s, %(pause_reason)s, %(mean_service_seconds)s, %(late_after_seconds)s,
  %(priority_credit_seconds)s, %(place)s, %(poster)s, %(version)s)
"""
_SAVE_CLINIC = """
UPDATE clinic SET name = %(name)s, prefix = %(prefix)s, department = %(department)s, floor = %(floor)s,
  entry = %(entry)s, capacity = %(capacity)s, hours = %(hours)s, closed = %(closed)s, paused = %(paused_itself)s,
  pause_reason = %(pause_reason)s, mean_service_seconds = %(mean_service_seconds)s,
  late_after_seconds = %(late_after_seconds)s, priority_credit_seconds = %(priority_credit_seconds)s,
  place = %(place)s, poster = %(poster)s, version = %(version)s, archived_on = %(archived_on)s
WHERE facility_id = %(facility_id)s AND clinic = %(id)s
"""
_INSERT_DESK = "INSERT INTO desk (facility_id, clinic, desk) VALUES (%(facility_id)s, %(clinic)s, %(desk)s)"
_DELETE_DESK = "DELETE FROM desk WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s AND desk = %(desk)s"
_INSERT_DOCTOR = """
INSERT INTO doctor (facility_id, doctor, name, version) VALUES (%(facility_id)s, %(id)s, %(name)s, %(version)s)
"""
_SAVE_DOCTOR = """
UPDATE doctor SET name = %(name)s, version = %(version)s, archived_on = %(archived_on)s
WHERE facility_id = %(facility_id)s AND doctor = %(id)s
"""
_ADD_TO_CLINICS = """
INSERT INTO doctor_clinic (facility_id, doctor, clinic)
SELECT %(facility_id)s, %(doctor)s, unnest(%(clinics)s::text[]) ON CONFLICT DO NOTHING
"""
_TAKE_FROM_OTHER_CLINICS = """
DELETE FROM doctor_clinic
WHERE facility_id = %(facility_id)s AND doctor = %(doctor)s AND clinic <> ALL(%(clinics)s::text[])
"""
_TAKE_ALL_FROM_CLINIC = "DELETE FROM doctor_clinic WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s"


# Load: find, authorise, lock


async def load_facility_for(tx: WriteTx, actor: Actor, right: Right = Right.SETTINGS) -> Facility:
    actor.require(right)
    await tx.execute(_LOCK_FACILITY)
    # Read again under the lock: a row read while waiting for it could be the one before the change waited for.
    found = await queries.facility(tx)
    if found is None:
        raise FacilityNotFound
    return found


async def load_clinic_for(tx: WriteTx, actor: Actor, clinic_id: str, right: Right = Right.SETTINGS) -> Clinic:
    actor.require(right, clinic_id)
    if not await tx.execute(_LOCK_CLINIC, id=clinic_id):
        raise ClinicNotFound
    return await queries.clinic(tx, clinic_id)


async def load_department_for(tx: WriteTx, actor: Actor, department_id: str) -> Department:
    actor.require(Right.SETTINGS)
    if not await tx.execute(_LOCK_DEPARTMENT, id=department_id):
        raise DepartmentNotFound
    return await queries.department(tx, department_id)


async def load_doctor_for(tx: WriteTx, actor: Actor, doctor_id: str) -> Doctor:
    actor.require(Right.SETTINGS)
    if not await tx.execute(_LOCK_DOCTOR, id=doctor_id):
        raise DoctorNotFound
    return await queries.doctor(tx, doctor_id)


async def load_archived_doctor_for(tx: WriteTx, actor: Actor, doctor_id: str) -> Doctor | None:
    """A doctor who was archived, in no clinic; ``None`` for one who was not, or whom nobody knows."""
    actor.require(Right.SETTINGS)
    row = await tx.row(_LOCK_ARCHIVED_DOCTOR, id=doctor_id)
    return Doctor(**row, clinics=()) if row else None


async def hold_department(tx: WriteTx, department_id: str | None) -> None:
    """Makes sure that the department is there until the transaction ends."""
    if department_id is not None and not await tx.execute(_HOLD_DEPARTMENT, id=department_id):
        raise DepartmentNotFound


async def hold_clinics(tx: WriteTx, clinic_ids: Sequence[str]) -> None:
    """Makes sure that all these clinics are there until the transaction ends."""
    wanted = sorted(set(clinic_ids))
    if wanted and len(await tx.rows(_HOLD_CLINICS, ids=wanted)) < len(wanted):
        raise ClinicNotFound


async def clinics_of_department(tx: WriteTx, department_id: str) -> list[str]:
    return [row["clinic"] for row in await tx.rows(_CLINICS_OF_DEPARTMENT, id=department_id)]


# Save: the row with its next version, and the event


async def register(tx: WriteTx, *, slug: str, as_default: bool) -> int:
    """Enters the transaction's facility into the directory; its number."""
    no: int | None = await tx.value(_REGISTER, slug=slug, as_default=as_default)
    if no is None:
        raise SlugTaken(extra={"field": "facility"})
    return no


async def make_default(tx: WriteTx) -> None:
    await tx.execute(_MAKE_DEFAULT)


async def save_facility(tx: WriteTx, actor: Actor, facility: Facility, type_: str, data: Mapping[str, Any]) -> Facility:
    saved = replace(facility, version=facility.version + 1)
    await tx.execute(
        _INSERT_FACILITY if saved.version == 1 else _SAVE_FACILITY,
        slug=saved.slug,
        no=saved.no,
        name=Jsonb(dict(saved.name)),
        zone=saved.zone,
        pivot=saved.pivot,
        languages=list(saved.languages),
        grace_minutes=saved.grace_minutes,
        paused=saved.paused,
        pause_reason=saved.pause_reason,
        version=saved.version,
    )
    await _record(tx, actor, type_, data, stream="facility", version=saved.version)
    return saved


async def save_department(
    tx: WriteTx,
    actor: Actor,
    department: Department,
    type_: str,
    data: Mapping[str, Any],
    *,
    archived_on: date | None = None,
) -> Department:
    saved = replace(department, version=department.version + 1)
    sql = _INSERT_DEPARTMENT if saved.version == 1 else _SAVE_DEPARTMENT
    with _taken():
        await tx.execute(sql, id=saved.id, name=Jsonb(dict(saved.name)), version=saved.version, archived_on=archived_on)
    await _record(tx, actor, type_, data, stream=f"department:{saved.id}", version=saved.version)
    return saved


async def save_clinic(
    tx: WriteTx, actor: Actor, clinic: Clinic, type_: str, data: Mapping[str, Any], *, archived_on: date | None = None
) -> Clinic:
    saved = replace(clinic, version=clinic.version + 1)
    row = asdict(saved) | {
        "name": Jsonb(dict(saved.name)),
        "hours": Jsonb(saved.hours) if saved.hours is not None else None,
        "entry": saved.entry.value,
        "archived_on": archived_on,
    }
    with _taken():
        await tx.execute(_INSERT_CLINIC if saved.version == 1 else _SAVE_CLINIC, **row)
    await _record(tx, actor, type_, data, stream=f"clinic:{saved.id}", version=saved.version)
    return saved


async def save_doctor(
    tx: WriteTx, actor: Actor, doctor: Doctor, type_: str, data: Mapping[str, Any], *, archived_on: date | None = None
) -> Doctor:
    saved = replace(doctor, version=doctor.version + 1)
    sql = _INSERT_DOCTOR if saved.version == 1 else _SAVE_DOCTOR
    with _taken():
        await tx.execute(sql, id=saved.id, name=Jsonb(dict(saved.name)), version=saved.version, archived_on=archived_on)
    clinics = list(saved.clinics)
    await tx.execute(_TAKE_FROM_OTHER_CLINICS, doctor=saved.id, clinics=clinics)
    await tx.execute(_ADD_TO_CLINICS, doctor=saved.id, clinics=clinics)
    await _record(tx, actor, type_, data, stream=f"doctor:{saved.id}", version=saved.version)
    return saved


async def insert_desk(tx: WriteTx, clinic: Clinic, desk: str) -> None:
    with _taken():
        await tx.execute(_INSERT_DESK, clinic=clinic.id, desk=desk)


async def delete_desk(tx: WriteTx, clinic: Clinic, desk: str) -> None:
    await tx.execute(_DELETE_DESK, clinic=clinic.id, desk=desk)


async def take_all_from_clinic(tx: WriteTx, clinic: Clinic) -> None:
    await tx.execute(_TAKE_ALL_FROM_CLINIC, clinic=clinic.id)


async def _record(tx: WriteTx, actor: Actor, type_: str, data: Mapping[str, Any], *, stream: str, version: int) -> None:
    await events.append(tx, [events.Recorded(stream, version, stream, type_, data, actor.label, tx.now)])


_TAKEN: dict[str, tuple[type[Problem], str]] = {
    "department_pkey": (SlugTaken, "department"),
    "clinic_pkey": (SlugTaken, "clinic"),
    "clinic_facility_id_prefix_key": (PrefixTaken, "prefix"),
    "desk_pkey": (SlugTaken, "desk"),
    "doctor_pkey": (SlugTaken, "doctor"),
}


@contextmanager
def _taken() -> Iterator[None]:
    """What is unique in the database is told as the conflict it is, archived rows included."""
    try:
        yield
    except UniqueViolation as error:
        problem, field = _TAKEN[error.diag.constraint_name or ""]
        raise problem(extra={"field": field}) from error
