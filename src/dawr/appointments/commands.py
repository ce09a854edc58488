"""The verbs of appointments: load (find, authorise, lock the doctor's schedule) → decide (rules) → save."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from dawr.accounts.rules import SYSTEM, Actor, Right
from dawr.appointments import events, queries, rules, store, store_schedule, store_waiting
from dawr.appointments.commands_slots import clinic_of, hold_doctor, offer, slot_at
from dawr.appointments.rules import Appointment, OfferOver, SlotTaken, Status, TooEarly, Verb
from dawr.appointments.rules_waiting import Waiting, WaitingStatus, after_lapse
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import Facility
from dawr.patients import commands as patients
from dawr.platform.db import WriteTx
from dawr.platform.errors import N_, Forbidden
from dawr.platform.ids import new_id
from dawr.visits import commands as visits
from dawr.visits.commands import Begun, Wish


async def book(
    tx: WriteTx, actor: Actor, facility: Facility, *, patient_id: UUID, doctor_id: str, start: datetime
) -> Appointment:
    """Raises ``PatientNotFound``, ``DoctorNotFound``, ``NotASlot``, ``SlotOver``, ``SlotTaken``, ``PatientBusy``."""
    actor.require(Right.APPOINTMENTS)
    doctor, schedule = await hold_doctor(tx, doctor_id)
    patient_id = await patients.hold(tx, patient_id)
    slot = await slot_at(tx, facility, schedule, start, but=None)
    seat = slot.seat()
    if seat is None:
        raise SlotTaken
    made = Appointment(
        appointment=new_id(tx.now),
        patient=patient_id,
        doctor=doctor.id,
        clinic=clinic_of(doctor, slot),
        starts=slot.starts,
        ends=slot.ends,
        capacity=slot.capacity,
        seat=seat,
        status=Status.BOOKED,
        created_at=tx.now,
    )
    made = await store.insert(tx, actor, made, events.BOOKED)
    await store.remind(tx, made, (await store_schedule.rules(tx)).reminders)
    return made


async def reschedule(
    tx: WriteTx,
    actor: Actor,
    facility: Facility,
    *,
    appointment_id: UUID,
    start: datetime,
    doctor_id: str | None = None,
) -> Appointment:
    """Another slot, of the same doctor or, where it is no patient who asks, another one. What becomes free is offered to who
    waits for it."""
    wanted = {doctor_id} if doctor_id else set()
    for name in wanted:
        await facilities.doctor(tx, name)
    before = await store.load_for(tx, actor, appointment_id, Verb.RESCHEDULE, doctors=wanted)
    if actor.kind == "patient" and doctor_id not in (None, before.doctor):
        raise Forbidden
    doctor, schedule = await hold_doctor(tx, doctor_id or before.doctor)
    after = rules.step(before, Verb.RESCHEDULE)
    slot = await slot_at(tx, facility, schedule, start, but=before.appointment)
    after = rules.moved(after, slot, doctor=doctor.id, clinic=clinic_of(doctor, slot))
    stays = (after.starts, after.doctor) == (before.starts, before.doctor)
    if stays and not before.needs_rebooking:
        return before
    was = {"was": before.starts.isoformat(), "was_doctor": before.doctor}
    saved = await store.save(tx, actor, before, after, events.TYPES[Verb.RESCHEDULE], **was)
    await store.remind(tx, saved, (await store_schedule.rules(tx)).reminders)
    await wait_no_more(tx, actor, facility, before)
    await offer_freed(tx, facility, before)
    return saved


async def cancel(tx: WriteTx, actor: Actor, facility: Facility, *, appointment_id: UUID) -> Appointment:
    return await _step(tx, actor, facility, appointment_id, Verb.CANCEL)


async def no_show(tx: WriteTx, actor: Actor, facility: Facility, *, appointment_id: UUID) -> Appointment:
    """The patient has not come. ``TooEarly`` before the start."""
    before = await store.load_for(tx, actor, appointment_id, Verb.NO_SHOW)
    if before.status is Status.BOOKED and tx.now < before.starts:
        raise TooEarly(N_("Nobody can be missing before the appointment begins"))
    return await _step(tx, actor, facility, appointment_id, Verb.NO_SHOW)


async def _step(tx: WriteTx, actor: Actor, facility: Facility, appointment_id: UUID, verb: Verb) -> Appointment:
    """A verb after which somebody else may have the time."""
    before = await store.load_for(tx, actor, appointment_id, verb)
    saved = await store.save(tx, actor, before, rules.step(before, verb), events.TYPES[verb])
    await wait_no_more(tx, actor, facility, before)
    await offer_freed(tx, facility, before)
    return saved


async def wait_no_more(tx: WriteTx, actor: Actor, facility: Facility, one: Appointment) -> bool:
    """Nobody waits for an earlier slot than this appointment's any more, whose schedule is locked; whether somebody did."""
    entry = await store_waiting.instead(tx, one.appointment)
    if entry is None:
        return False
    offered = await queries.open_offer(tx, entry.waiting)
    # First off the list, or the same slot could come back to them.
    await store_waiting.save(tx, actor, replace(entry, status=WaitingStatus.WITHDRAWN), events.WAITING_WITHDRAWN)
    if offered is not None:
        open_one = await store.appointment(tx, offered)
        await store.save(tx, actor, open_one, rules.step(open_one, Verb.DECLINE), events.TYPES[Verb.DECLINE])
        await offer_freed(tx, facility, open_one)
    return True


async def offer_freed(tx: WriteTx, facility: Facility, freed: Appointment) -> None:
    """Offers the time of an appointment that moved or ended to who waits for its doctor, whose schedule is locked."""
    if freed.ends > tx.now:
        await offer(tx, facility, freed.doctor, span=(freed.starts, freed.ends))


# Arriving


@dataclass(frozen=True, slots=True)
class CheckedIn:
    """``begun`` is the visit and its first ticket."""

    appointment: Appointment
    begun: Begun
    late: bool


async def check_in(tx: WriteTx, here: Context, appointment_id: UUID) -> CheckedIn:
    """The patient is here: a visit, and a ticket at the place that ``rules.place_at`` gives. Whatever keeps somebody out of the
    queue keeps the appointment as it was. A patient may check in by themselves shortly before: ``TooEarly``."""
    before = await store.load_for(tx, here.actor, appointment_id, Verb.CHECK_IN)
    after, facility = rules.step(before, Verb.CHECK_IN), here.facility
    if here.actor.kind == "patient":
        rules.require_near(before, now=tx.now)
    same_day = facility.service_day(tx.now) == facility.service_day(before.starts)
    rules.require_may_arrive(before, now=tx.now, same_day=same_day)
    place = rules.place_at(before, await store_schedule.rules(tx), now=tx.now)
    wish = Wish(before.clinic, before.doctor, appointment=before.appointment, not_before=place)
    begun = await visits.begin(tx, here, before.patient, wish)
    after = replace(after, visit=begun.visit.visit)
    data = {"visit": str(begun.visit.visit), "late": place is None}
    saved = await store.save(tx, here.actor, before, after, events.TYPES[Verb.CHECK_IN], **data)
    await wait_no_more(tx, here.actor, facility, before)
    return CheckedIn(saved, begun, place is None)


# Answering an offer


async def accept(tx: WriteTx, actor: Actor, facility: Facility, *, appointment_id: UUID) -> Appointment:
    """The offered slot is booked, and the patient waits no longer; what it was to take the place of is cancelled. ``OfferOver``
    after the deadline."""
    before = await store.load_for(tx, actor, appointment_id, Verb.ACCEPT)
    after = rules.step(before, Verb.ACCEPT)
    if before.answer_by is None or tx.now >= before.answer_by:
        raise OfferOver
    saved = await store.save(tx, actor, before, after, events.TYPES[Verb.ACCEPT])
    if before.waiting:
        entry = replace(await store_waiting.waiting(tx, before.waiting), status=WaitingStatus.SERVED)
        await store_waiting.save(tx, actor, entry, events.WAITING_SERVED)
        await _give_up_later_one(tx, actor, facility, entry)
    await store.remind(tx, saved, (await store_schedule.rules(tx)).reminders)
    return saved


async def _give_up_later_one(tx: WriteTx, actor: Actor, facility: Facility, entry: Waiting) -> None:
    """It is the same patient's and the same doctor's, whose schedule is locked: whatever moves it ends the wait."""
    later = await store.appointment(tx, entry.instead_of) if entry.instead_of else None
    if later and later.status is Status.BOOKED:
        await store.save(tx, actor, later, rules.step(later, Verb.CANCEL), events.TYPES[Verb.CANCEL])
        await offer_freed(tx, facility, later)


async def decline(tx: WriteTx, actor: Actor, facility: Facility, *, appointment_id: UUID) -> Appointment:
    """Not this slot: the patient keeps the place on the list, and the next who waits is asked."""
    before = await store.load_for(tx, actor, appointment_id, Verb.DECLINE)
    saved = await store.save(tx, actor, before, rules.step(before, Verb.DECLINE), events.TYPES[Verb.DECLINE])
    await _waits_again(tx, actor, before)
    await offer_freed(tx, facility, before)
    return saved


async def _waits_again(tx: WriteTx, actor: Actor, offered: Appointment) -> None:
    entry = await store_waiting.waiting(tx, offered.waiting) if offered.waiting else None
    if entry and entry.status is WaitingStatus.OFFERED:
        await store_waiting.save(tx, actor, replace(entry, status=WaitingStatus.WAITING), events.WAITING_WAITS_AGAIN)


async def take_back(tx: WriteTx, actor: Actor, offered: Appointment) -> Appointment:
    """An offer that the doctor's time no longer holds, whose schedule is locked. It does not count as one without an answer: the
    same slot may be offered to them again."""
    after = replace(rules.step(offered, Verb.LAPSE), status=Status.CANCELLED)
    saved = await store.save(tx, actor, offered, after, events.TYPES[Verb.LAPSE])
    await _waits_again(tx, actor, offered)
    return saved


async def lapse(tx: WriteTx, facility: Facility, *, appointment_id: UUID) -> Appointment:
    """The deadline of an offer has passed without an answer. ``TooEarly`` before it."""
    before = await store.load_for(tx, SYSTEM, appointment_id, Verb.LAPSE)
    after = rules.step(before, Verb.LAPSE)
    if before.answer_by and tx.now < before.answer_by:
        raise TooEarly
    saved = await store.save(tx, SYSTEM, before, after, events.TYPES[Verb.LAPSE])
    if before.waiting:
        entry = after_lapse(await store_waiting.waiting(tx, before.waiting))
        ended = entry.status is WaitingStatus.ENDED
        await store_waiting.save(tx, SYSTEM, entry, events.WAITING_ENDED if ended else events.WAITING_WAITS_AGAIN)
    await offer_freed(tx, facility, before)
    return saved


async def give_up(tx: WriteTx, facility: Facility, *, appointment_id: UUID) -> Appointment | None:
    """Marks who has not come as the facility's rules say; ``None`` where they came, or moved, in the meantime."""
    before = await store.load_for(tx, SYSTEM, appointment_id, Verb.NO_SHOW)
    limit = timedelta(minutes=(await store_schedule.rules(tx)).no_show_minutes)
    if before.status is not Status.BOOKED or before.needs_rebooking or tx.now < before.starts + limit:
        return None
    return await _step(tx, SYSTEM, facility, appointment_id, Verb.NO_SHOW)
