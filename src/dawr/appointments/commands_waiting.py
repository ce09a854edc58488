"""The verbs of the waiting list: join it, leave it. Offers come from ``commands_slots.offer``."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from dawr.accounts.rules import SYSTEM, Actor, Right
from dawr.appointments import events, rules, store, store_waiting
from dawr.appointments.commands import decline, wait_no_more
from dawr.appointments.commands_slots import hold_doctor, offer
from dawr.appointments.queries import open_offer
from dawr.appointments.rules import Appointment, TooLate, Verb, WrongAppointmentState
from dawr.appointments.rules_schedule import FIRST_YEAR, GRAIN, LAST_YEAR, InvalidSchedule
from dawr.appointments.rules_waiting import KEPT, OPEN, AlreadyWaiting, NotWaiting, Waiting, WaitingStatus
from dawr.facilities.rules import Facility
from dawr.patients import commands as patients
from dawr.patients import queries as queries_patients
from dawr.platform.db import WriteTx
from dawr.platform.errors import N_
from dawr.platform.ids import new_id


async def join(
    tx: WriteTx,
    actor: Actor,
    facility: Facility,
    *,
    patient_id: UUID,
    doctor_id: str,
    earliest: datetime | None = None,
    latest: datetime | None = None,
) -> Waiting:
    """A place on a doctor's waiting list; where a slot is free already, it is offered at once. ``AlreadyWaiting``."""
    actor.require(Right.APPOINTMENTS)
    _require_sound(earliest, latest, now=tx.now)
    doctor, _ = await hold_doctor(tx, doctor_id)
    patient_id = await patients.hold(tx, patient_id)
    await _require_first(tx, doctor.id, patient_id)
    made = Waiting(new_id(tx.now), patient_id, doctor.id, earliest, latest, WaitingStatus.WAITING, tx.now)
    await store_waiting.insert(tx, actor, made)
    span = (earliest, earliest + rules.HORIZON) if earliest and earliest > tx.now else None
    await offer(tx, facility, doctor.id, span=span)
    return await store_waiting.waiting(tx, made.waiting)


def _require_sound(earliest: datetime | None, latest: datetime | None, *, now: datetime) -> None:
    for field, moment in (("from", earliest), ("until", latest)):
        if moment is not None and not FIRST_YEAR < moment.year < LAST_YEAR:
            raise InvalidSchedule(N_("There are no appointments on such a day"), extra={"field": field})
    if latest is not None and latest <= (earliest or now):
        raise InvalidSchedule(N_("The end lies before the start"), extra={"field": "until"})


async def _require_first(tx: WriteTx, doctor_id: str, patient_id: UUID) -> None:
    """``AlreadyWaiting`` also for a place that was taken under a record which is part of this one since."""
    family = await queries_patients.family(tx, patient_id)
    if len(family) == 1:
        return
    places = await store_waiting.of_people(tx, family)
    # One that was set aside keeps nobody out: what it gave way to may be over.
    if any(one.doctor == doctor_id and one.status in OPEN for one in places):
        raise AlreadyWaiting


async def join_earlier(tx: WriteTx, actor: Actor, facility: Facility, *, appointment_id: UUID) -> Appointment:
    """Waits for a slot of the same doctor before this appointment, which it takes the place of once it is accepted."""
    found = await store.load_for(tx, actor, appointment_id, Verb.RESCHEDULE)
    rules.step(found, Verb.RESCHEDULE)
    if found.starts - tx.now <= rules.OFFER_LEAD:
        raise TooLate
    doctor, _ = await hold_doctor(tx, found.doctor)
    await _require_first(tx, doctor.id, await patients.hold(tx, found.patient))
    entry = await store_waiting.instead(tx, found.appointment)
    if entry is not None and entry.status is WaitingStatus.SET_ASIDE:
        await wait_no_more(tx, actor, facility, found)
    made = Waiting(
        waiting=new_id(tx.now),
        # The very record: parted from another one, the place is still whose appointment it would take the place of.
        patient=found.patient,
        doctor=doctor.id,
        earliest=None,
        latest=found.starts - GRAIN,
        status=WaitingStatus.WAITING,
        created_at=tx.now,
        instead_of=found.appointment,
    )
    await store_waiting.insert(tx, actor, made)
    await offer(tx, facility, doctor.id, span=(tx.now, found.starts))
    return found


async def leave_earlier(tx: WriteTx, actor: Actor, facility: Facility, *, appointment_id: UUID) -> Appointment:
    """The appointment is early enough. ``NotWaiting``."""
    found = await store.load_for(tx, actor, appointment_id, Verb.RESCHEDULE)
    if not await wait_no_more(tx, actor, facility, found):
        raise NotWaiting
    return found


async def withdraw(tx: WriteTx, actor: Actor, facility: Facility, *, waiting_id: UUID) -> Waiting:
    """The patient waits no longer; an offer that is open goes to the next."""
    found = await store_waiting.load_for(tx, actor, waiting_id)
    if found.status not in KEPT:
        raise WrongAppointmentState(extra={"state": found.status.value})
    offered = await open_offer(tx, waiting_id)
    # First off the list, or the same slot could come back to them.
    gone = replace(found, status=WaitingStatus.WITHDRAWN)
    saved = await store_waiting.save(tx, actor, gone, events.WAITING_WITHDRAWN)
    if offered is not None:
        await decline(tx, actor, facility, appointment_id=offered)
    return saved


async def end(tx: WriteTx, facility: Facility, waiting_id: UUID) -> None:
    """The last moment that somebody wanted has passed."""
    found = await store_waiting.load_for(tx, SYSTEM, waiting_id)
    if found.status is WaitingStatus.WAITING and found.latest is not None and found.latest <= tx.now:
        await store_waiting.save(tx, SYSTEM, replace(found, status=WaitingStatus.ENDED), events.WAITING_ENDED)
