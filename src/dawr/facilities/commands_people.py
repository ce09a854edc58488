"""The verbs of departments and doctors: who belongs where."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dawr.accounts.rules import Actor, Right
from dawr.facilities import events, queries, store
from dawr.facilities.commands import OpenTickets, require_nobody, require_version, tell_doctors, today
from dawr.facilities.rules import Department, Doctor, Names, StillInUse
from dawr.facilities.rules_settings import clean_names, department_settings, difference, doctor_settings, require_slug
from dawr.platform.db import WriteTx
from dawr.platform.events import last

# Departments


async def create_department(tx: WriteTx, actor: Actor, *, department: str, name: Names) -> Department:
    actor.require(Right.SETTINGS)
    require_slug("department", department)
    made = Department(id=department, name=clean_names(name), version=0)
    return await store.save_department(tx, actor, made, events.DEPARTMENT_CREATED, {})


async def change_department(
    tx: WriteTx, actor: Actor, *, department: str, name: Names, version: int | None = None
) -> Department:
    found = await store.load_department_for(tx, actor, department)
    require_version(version, department_settings(found))
    changed = replace(found, name=clean_names(name))
    if changed == found:
        return found
    data = difference(department_settings(found), department_settings(changed))
    return await store.save_department(tx, actor, changed, events.DEPARTMENT_CHANGED, data)


async def archive_department(tx: WriteTx, actor: Actor, *, department: str) -> None:
    """Only once no clinic belongs to it."""
    found = await store.load_department_for(tx, actor, department)
    clinics = await store.clinics_of_department(tx, department)
    if clinics:
        raise StillInUse(extra={"clinics": clinics})
    day = await today(tx)
    await store.save_department(tx, actor, found, events.DEPARTMENT_ARCHIVED, {}, archived_on=day)


# Doctors


async def create_doctor(tx: WriteTx, actor: Actor, *, doctor: str, name: Names, clinics: Sequence[str] = ()) -> Doctor:
    """``doctor`` is the short name that people and addresses use: ``dr.rao``."""
    actor.require(Right.SETTINGS)
    require_slug("doctor", doctor)
    made = Doctor(id=doctor, name=clean_names(name), clinics=_each_once(clinics), version=0)
    await store.hold_clinics(tx, made.clinics)
    return await store.save_doctor(tx, actor, made, events.DOCTOR_CREATED, {"clinics": list(made.clinics)})


async def change_doctor(
    tx: WriteTx,
    actor: Actor,
    *,
    doctor: str,
    name: Names | None = None,
    clinics: Sequence[str] | None = None,
    version: int | None = None,
    open_tickets: OpenTickets | None = None,
) -> Doctor:
    """A doctor leaves no clinic in which open tickets name them. ``None`` leaves a setting as it is."""
    found = await store.load_doctor_for(tx, actor, doctor)
    require_version(version, doctor_settings(found))
    changed = replace(
        found,
        name=found.name if name is None else clean_names(name),
        clinics=found.clinics if clinics is None else _each_once(clinics),
    )
    if changed == found:
        return found
    await store.hold_clinics(tx, changed.clinics)
    moves = [found.id] if changed.clinics != found.clinics else []
    await tell_doctors(tx, actor, moves, topic=events.DOCTORS_CHANGING)
    await _require_may_leave(tx, found, changed.clinics, open_tickets)
    data: dict[str, Any] = difference(doctor_settings(found), doctor_settings(changed))
    saved = await store.save_doctor(tx, actor, changed, events.DOCTOR_CHANGED, data)
    await tell_doctors(tx, actor, moves)
    return saved


async def archive_doctor(tx: WriteTx, actor: Actor, *, doctor: str, open_tickets: OpenTickets | None) -> None:
    """Gone from every list; their history stays, and their short name stays taken."""
    found = await store.load_doctor_for(tx, actor, doctor)
    await tell_doctors(tx, actor, [doctor], topic=events.DOCTORS_CHANGING)
    await _require_may_leave(tx, found, (), open_tickets)
    gone, day = replace(found, clinics=()), await today(tx)
    data = {"clinics": list(found.clinics)}
    await store.save_doctor(tx, actor, gone, events.DOCTOR_ARCHIVED, data, archived_on=day)
    await tell_doctors(tx, actor, [doctor])


async def restore_doctor(tx: WriteTx, actor: Actor, *, doctor: str) -> Doctor:
    """Takes the archiving back: the doctor is in the clinics again that they worked in, those that are there still."""
    found = await store.load_archived_doctor_for(tx, actor, doctor)
    if found is None:
        return await queries.doctor(tx, doctor)
    left = await last(tx, f"doctor:{doctor}")
    worked_in = left.data.get("clinics", []) if left else []
    there = await queries.clinics_named(tx, worked_in)
    back = replace(found, clinics=_each_once([one.id for one in there]))
    await store.hold_clinics(tx, back.clinics)
    data = {"clinics": list(back.clinics)}
    saved = await store.save_doctor(tx, actor, back, events.DOCTOR_RESTORED, data)
    await tell_doctors(tx, actor, [doctor])
    return saved


async def _require_may_leave(
    tx: WriteTx, doctor: Doctor, clinics: Sequence[str], open_tickets: OpenTickets | None
) -> None:
    # In the order in which transfers lock two queues, whatever the database's own is.
    for clinic in sorted(doctor.clinics):
        if clinic not in clinics:
            await require_nobody(tx, open_tickets, clinic=clinic, doctor=doctor.id)


def _each_once(clinics: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(clinics)))
