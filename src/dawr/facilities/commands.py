"""The verbs of a facility and of its clinics. Each locks its subject, raises its version and records what happened.

A verb that finds everything as it should be changes nothing: pressing the switch twice is one event.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Protocol

from dawr.accounts.rules import Actor, Right
from dawr.facilities import events, queries, store
from dawr.facilities.rules import ChangedMeanwhile, Clinic, DeskNotFound, Facility, StillInUse
from dawr.facilities.rules_settings import (
    ClinicSettings,
    FacilitySettings,
    changed_clinic,
    changed_facility,
    clean_reason,
    clinic_settings,
    difference,
    facility_settings,
    fresh_clinic,
    fresh_facility,
    require_desk_name,
    require_slug,
)
from dawr.platform import listeners
from dawr.platform.db import ReadTx, WriteTx

OPEN_TICKETS = "open_tickets"


class OpenTickets(Protocol):
    """How many tickets are open in a clinic, at one desk or for one doctor where named. The queue's floor answers this,
    under the name ``OPEN_TICKETS`` among the services' additions; it locks the queue, so that nobody enters meanwhile."""

    async def __call__(
        self, tx: WriteTx, *, clinic: str, desk: str | None = None, doctor: str | None = None
    ) -> int: ...


# The facility


async def create_facility(
    tx: WriteTx, actor: Actor, *, slug: str, settings: FacilitySettings, as_default: bool = False
) -> Facility:
    """``tx`` is opened for the id that the facility shall have. The first one of all becomes the default."""
    actor.require(Right.INSTALLATION)
    require_slug("facility", slug)
    assert tx.facility_id is not None
    facility = changed_facility(fresh_facility(tx.facility_id, slug), settings)
    no = await store.register(tx, slug=slug, as_default=as_default)
    return await store.save_facility(tx, actor, replace(facility, no=no), events.FACILITY_CREATED, {"no": no})


async def make_default_facility(tx: WriteTx, actor: Actor) -> Facility:
    """Requests that name no facility mean this one from now on."""
    facility = await store.load_facility_for(tx, actor, Right.INSTALLATION)
    await store.make_default(tx)
    data = {"changed": ["default"], "to": {"default": True}}
    return await store.save_facility(tx, actor, facility, events.FACILITY_CHANGED, data)


async def change_facility(
    tx: WriteTx, actor: Actor, *, settings: FacilitySettings, version: int | None = None
) -> Facility:
    """``version`` is the one the caller has read; another one now is ``ChangedMeanwhile``."""
    facility = await store.load_facility_for(tx, actor)
    require_version(version, facility_settings(facility))
    return await _save_facility(tx, actor, facility, changed_facility(facility, settings), events.FACILITY_CHANGED)


async def pause_facility(tx: WriteTx, actor: Actor, *, reason: str) -> Facility:
    """The kill switch: no clinic takes new people until it is resumed. Those who have tickets are served on."""
    facility = await store.load_facility_for(tx, actor)
    paused = replace(facility, paused=True, pause_reason=clean_reason(reason))
    return await _save_facility(tx, actor, facility, paused, events.FACILITY_PAUSED)


async def resume_facility(tx: WriteTx, actor: Actor) -> Facility:
    """Clinics that are paused themselves stay so."""
    facility = await store.load_facility_for(tx, actor)
    resumed = replace(facility, paused=False, pause_reason=None)
    return await _save_facility(tx, actor, facility, resumed, events.FACILITY_RESUMED)


async def _save_facility(tx: WriteTx, actor: Actor, before: Facility, after: Facility, type_: str) -> Facility:
    if after == before:
        return before
    data = difference(facility_settings(before), facility_settings(after))
    return await store.save_facility(tx, actor, after, type_, data)


# Its clinics


async def create_clinic(
    tx: WriteTx, actor: Actor, *, clinic: str, settings: ClinicSettings, desks: Sequence[str] = ("1",)
) -> Clinic:
    """``settings`` must hold a name and a prefix; the rest has defaults."""
    actor.require(Right.SETTINGS)
    require_slug("clinic", clinic)
    for desk in desks:
        require_desk_name(desk)
    assert tx.facility_id is not None
    made = changed_clinic(fresh_clinic(tx.facility_id, clinic), settings)
    await store.hold_department(tx, made.department)
    await store.save_clinic(tx, actor, made, events.CLINIC_CREATED, {"prefix": made.prefix, "desks": list(desks)})
    for desk in desks:
        await store.insert_desk(tx, made, desk)
    return await queries.clinic(tx, clinic)


async def change_clinic(
    tx: WriteTx, actor: Actor, *, clinic: str, settings: ClinicSettings, version: int | None = None
) -> Clinic:
    """``version`` as in ``change_facility``."""
    found = await store.load_clinic_for(tx, actor, clinic)
    require_version(version, clinic_settings(found))
    changed = changed_clinic(found, settings)
    if changed.department != found.department:
        await store.hold_department(tx, changed.department)
    return await _save_clinic(tx, actor, found, changed, events.CLINIC_CHANGED)


async def pause_clinic(tx: WriteTx, actor: Actor, *, clinic: str, reason: str | None = None) -> Clinic:
    """The clinic takes no new people for a while; whoever works its queue may do this."""
    found = await store.load_clinic_for(tx, actor, clinic, Right.QUEUE)
    told = None if reason is None else clean_reason(reason)
    paused = replace(found, paused_itself=True, pause_reason=told)
    return await _save_clinic(tx, actor, found, paused, events.CLINIC_PAUSED)


async def resume_clinic(tx: WriteTx, actor: Actor, *, clinic: str) -> Clinic:
    found = await store.load_clinic_for(tx, actor, clinic, Right.QUEUE)
    resumed = replace(found, paused_itself=False, pause_reason=None)
    return await _save_clinic(tx, actor, found, resumed, events.CLINIC_RESUMED)


async def close_clinic(tx: WriteTx, actor: Actor, *, clinic: str) -> Clinic:
    """Closed until somebody opens it again, whatever its hours say."""
    found = await store.load_clinic_for(tx, actor, clinic)
    return await _save_clinic(tx, actor, found, replace(found, closed=True), events.CLINIC_CLOSED)


async def open_clinic(tx: WriteTx, actor: Actor, *, clinic: str) -> Clinic:
    """Open again when its hours say so."""
    found = await store.load_clinic_for(tx, actor, clinic)
    return await _save_clinic(tx, actor, found, replace(found, closed=False), events.CLINIC_OPENED)


async def renew_poster(tx: WriteTx, actor: Actor, *, clinic: str) -> Clinic:
    """Posters printed before this open the clinic's queue no longer."""
    found = await store.load_clinic_for(tx, actor, clinic)
    renewed = replace(found, poster=found.poster + 1)
    return await store.save_clinic(tx, actor, renewed, events.CLINIC_POSTER_RENEWED, {"poster": renewed.poster})


async def archive_clinic(tx: WriteTx, actor: Actor, *, clinic: str, open_tickets: OpenTickets | None) -> None:
    """Gone from every list; its history stays, and its short name and prefix stay taken."""
    found = await store.load_clinic_for(tx, actor, clinic)
    await tell_doctors(tx, actor, found.doctors, topic=events.DOCTORS_CHANGING)
    await require_nobody(tx, open_tickets, clinic=clinic)
    await store.take_all_from_clinic(tx, found)
    await tell_doctors(tx, actor, found.doctors)
    await store.save_clinic(tx, actor, found, events.CLINIC_ARCHIVED, {}, archived_on=await today(tx))


async def add_desk(tx: WriteTx, actor: Actor, *, clinic: str, desk: str) -> Clinic:
    found = await store.load_clinic_for(tx, actor, clinic)
    require_desk_name(desk)
    await store.insert_desk(tx, found, desk)
    await store.save_clinic(tx, actor, found, events.DESK_ADDED, {"desk": desk})
    return await queries.clinic(tx, clinic)


async def remove_desk(tx: WriteTx, actor: Actor, *, clinic: str, desk: str, open_tickets: OpenTickets | None) -> Clinic:
    """Not while somebody is called to it or served at it."""
    found = await store.load_clinic_for(tx, actor, clinic)
    if desk not in found.desks:
        raise DeskNotFound
    await require_nobody(tx, open_tickets, clinic=clinic, desk=desk)
    await store.delete_desk(tx, found, desk)
    await store.save_clinic(tx, actor, found, events.DESK_REMOVED, {"desk": desk})
    return await queries.clinic(tx, clinic)


async def _save_clinic(tx: WriteTx, actor: Actor, before: Clinic, after: Clinic, type_: str) -> Clinic:
    if after == before:
        return before
    data = difference(clinic_settings(before), clinic_settings(after))
    await store.save_clinic(tx, actor, after, type_, data)
    # Read again: whether it is paused depends on the facility, too.
    return await queries.clinic(tx, after.id)


# What several verbs ask


async def tell_doctors(
    tx: WriteTx, actor: Actor, doctors: Sequence[str], *, topic: str = events.DOCTORS_CHANGED
) -> None:
    await listeners.tell(tx, topic, [(actor, one) for one in sorted(doctors)])


def require_version(version: int | None, current: Mapping[str, Any]) -> None:
    if version is not None and version != current["version"]:
        raise ChangedMeanwhile(extra={"current": dict(current)})


async def require_nobody(
    tx: WriteTx,
    open_tickets: OpenTickets | None,
    *,
    clinic: str,
    desk: str | None = None,
    doctor: str | None = None,
) -> None:
    """``StillInUse`` with the number of open tickets."""
    count = await open_tickets(tx, clinic=clinic, desk=desk, doctor=doctor) if open_tickets else 0
    if count:
        raise StillInUse(extra={OPEN_TICKETS: count})


async def today(tx: ReadTx) -> date:
    """The service day of the transaction's facility."""
    facility = await queries.facility(tx)
    assert facility is not None
    return facility.service_day(tx.now)
