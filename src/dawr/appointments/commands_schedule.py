"""The verbs of a doctor's time: schedule and leave. What was booked in time that is taken away is flagged, never dropped."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from dawr.accounts.rules import Actor, Right
from dawr.appointments import events, queries, rules_schedule, store, store_schedule, store_waiting
from dawr.appointments.commands import take_back
from dawr.appointments.commands_slots import offer, still_there
from dawr.appointments.rules import Appointment, AppointmentRules, Status
from dawr.appointments.rules_schedule import InvalidSchedule, Leave, Reason, Schedule, Window, at_work, covers
from dawr.appointments.rules_waiting import WaitingStatus
from dawr.facilities import queries as facilities
from dawr.facilities.rules import ChangedMeanwhile, Facility
from dawr.platform.db import WriteTx
from dawr.platform.errors import N_
from dawr.platform.ids import new_id
from dawr.platform.services import Services

LONGEST_LEAVE = timedelta(days=800)


@dataclass(frozen=True, slots=True)
class Changed:
    """A doctor's schedule after a change, and every appointment to come that the doctor is now not there for."""

    schedule: Schedule
    needs_rebooking: Sequence[Appointment]


async def set_schedule(
    tx: WriteTx,
    actor: Actor,
    facility: Facility,
    *,
    doctor_id: str,
    windows: Sequence[Window],
    extra: Sequence[Window] = (),
    version: int | None = None,
) -> Changed:
    """Replaces the whole schedule. Raises ``InvalidSchedule``, ``ChangedMeanwhile``."""
    actor.require(Right.SETTINGS)
    doctor = await facilities.doctor(tx, doctor_id)
    before = await store_schedule.lock(tx, doctor.id)
    if version is not None and version != before.version:
        raise ChangedMeanwhile(extra={"current": queries.shown_schedule(before)})
    clean = rules_schedule.cleaned(windows, extra, clinics=doctor.clinics)
    weekly, days = (tuple(one for one in clean if bool(one.day) is wanted) for wanted in (False, True))
    changed = replace(before, windows=weekly, extra=days)
    if changed == before:
        return Changed(before, await _reflagged(tx, actor, facility, before))
    saved = await store_schedule.save_schedule(
        tx, actor, changed, events.SCHEDULE_CHANGED, windows=len(weekly), extra=len(days)
    )
    return await _followed(tx, actor, facility, saved)


async def add_leave(
    tx: WriteTx, actor: Actor, facility: Facility, *, doctor_id: str, starts: datetime, ends: datetime, reason: Reason
) -> tuple[Leave, Changed]:
    """The doctor is away; the appointments of that time are flagged and listed."""
    actor.require(Right.APPOINTMENTS)
    if not starts < ends <= starts + LONGEST_LEAVE:
        raise InvalidSchedule(N_("Leave ends after it begins, and lasts two years at most"), extra={"field": "until"})
    doctor = await facilities.doctor(tx, doctor_id)
    before = await store_schedule.lock(tx, doctor.id)
    leave = Leave(new_id(tx.now), doctor.id, starts, ends, reason)
    await store_schedule.insert_leave(tx, leave)
    return leave, await _noted(tx, actor, facility, before, leave=leave, type_=events.LEAVE_ADDED)


async def cancel_leave(
    tx: WriteTx, actor: Actor, facility: Facility, *, doctor_id: str, leave_id: UUID
) -> tuple[Leave, Changed]:
    """The doctor is there after all; what was flagged because of it stands again. Twice is once."""
    actor.require(Right.APPOINTMENTS)
    doctor = await facilities.doctor(tx, doctor_id)
    before = await store_schedule.lock(tx, doctor.id)
    leave = await store_schedule.leave(tx, doctor.id, leave_id)
    if leave.cancelled_at:
        return leave, Changed(before, await _reflagged(tx, actor, facility, before))
    await store_schedule.cancel_leave(tx, leave)
    return replace(leave, cancelled_at=tx.now), await _noted(
        tx, actor, facility, before, leave=leave, type_=events.LEAVE_CANCELLED
    )


async def _noted(
    tx: WriteTx, actor: Actor, facility: Facility, before: Schedule, *, leave: Leave, type_: str
) -> Changed:
    data: dict[str, Any] = {
        "leave": str(leave.leave),
        "from": leave.starts.isoformat(),
        "until": leave.ends.isoformat(),
        "reason": leave.reason.value,
    }
    saved = await store_schedule.save_schedule(tx, actor, before, type_, **data)
    return await _followed(tx, actor, facility, saved)


async def _followed(tx: WriteTx, actor: Actor, facility: Facility, saved: Schedule) -> Changed:
    flagged = await _reflagged(tx, actor, facility, saved)
    await offer(tx, facility, saved.doctor)
    return Changed(saved, flagged)


# The doctor's clinics


async def hold_schedules(tx: WriteTx, _: Services, changing: Sequence[tuple[Actor, str]]) -> None:
    """Before queues are locked, the schedules of doctors who are to leave: everybody takes the two in this order. A listener."""
    for _actor, doctor in changing:
        await store_schedule.lock_known(tx, doctor)


async def follow_doctors(tx: WriteTx, _: Services, changed: Sequence[tuple[Actor, str]]) -> None:
    """Who is archived, or works in a clinic no more, sees nobody there: what is booked is flagged, the waiting list of who has
    gone is closed. Who comes back finds both as they were. A listener."""
    facility = await facilities.facility(tx)
    assert facility is not None
    for actor, doctor in changed:
        schedule = await store_schedule.lock_known(tx, doctor)
        if schedule is not None:
            await _reflagged(tx, actor, facility, schedule)
            await _follow_waiting(tx, actor, facility, doctor)


async def _follow_waiting(tx: WriteTx, actor: Actor, facility: Facility, doctor: str) -> None:
    if await still_there(tx, doctor) is None:
        places = [replace(one, status=WaitingStatus.CLOSED) for one in await store_waiting.open_with(tx, doctor)]
        await store_waiting.save_all(tx, actor, places, events.WAITING_CLOSED)
        return
    places = [replace(one, status=WaitingStatus.WAITING) for one in await store_waiting.closed_with(tx, doctor)]
    await store_waiting.save_all(tx, actor, places, events.WAITING_WAITS_AGAIN)
    await offer(tx, facility, doctor)


async def _reflagged(tx: WriteTx, actor: Actor, facility: Facility, schedule: Schedule) -> list[Appointment]:
    """Flags every booked appointment to come for which the doctor is not there, unflags the others; those flagged."""
    leaves = await store_schedule.leaves(tx, schedule.doctor, since=tx.now)
    doctor = await still_there(tx, schedule.doctor)
    clinics = doctor.clinics if doctor else ()
    working = at_work(schedule, clinics)
    flagged: list[Appointment] = []
    for one in await queries.booked_after(tx, schedule.doctor, tx.now):
        stands = one.clinic in clinics and covers(facility, working, leaves, (one.starts, one.ends), one.clinic)
        if one.status is Status.OFFERED:
            if not stands:
                await take_back(tx, actor, one)
            continue
        if one.needs_rebooking is stands:
            type_ = events.STANDS_AGAIN if stands else events.NEEDS_REBOOKING
            one = await store.save(tx, actor, one, replace(one, needs_rebooking=not stands), type_)
        if one.needs_rebooking:
            flagged.append(one)
    return flagged


async def change_rules(tx: WriteTx, actor: Actor, changes: AppointmentRules) -> AppointmentRules:
    """What the facility decides about lateness, offers and reminders. The version read before, or 0 for whatever it is."""
    actor.require(Right.SETTINGS)
    before = await store_schedule.lock_rules(tx)
    if changes.version not in (0, before.version):
        raise ChangedMeanwhile(extra={"current": queries.shown_rules(before)})
    reminders = tuple(sorted(set(changes.reminders), reverse=True))
    changed = replace(changes, reminders=reminders, version=before.version)
    return before if changed == before else await store_schedule.save_rules(tx, actor, changed, events.RULES_CHANGED)
