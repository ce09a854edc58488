"""What becomes of appointments and of places on waiting lists when records are merged, parted or erased: listeners.

One person has one place on a doctor's list, and is in one place at a time. What a merge makes double is set aside or flagged,
never dropped, so that parting the records gives it back.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from uuid import UUID

from dawr.accounts.rules import SYSTEM, Actor
from dawr.appointments import events, queries, rules, store, store_schedule, store_waiting
from dawr.appointments.commands import take_back
from dawr.appointments.commands_slots import offer, still_there
from dawr.appointments.rules import Appointment, PatientBusy, Status, Verb
from dawr.appointments.rules_waiting import OPEN, Waiting, WaitingStatus
from dawr.facilities import queries as facilities
from dawr.facilities.rules import Facility
from dawr.patients import queries as patients
from dawr.patients.commands import Regrouped
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.services import Services

_FIRST_OF_A_PERSON = (Status.CHECKED_IN, Status.BOOKED, Status.OFFERED)


async def hold_doctors(tx: WriteTx, _: Services, changing: Sequence[UUID]) -> None:
    """Before records are locked, the schedules in which these people have something open: everybody takes the two in this
    order."""
    people = {one for each in changing for one in await patients.family(tx, each)}
    for doctor in await queries.doctors_of(tx, people):
        await store_schedule.lock(tx, doctor)


async def follow_records(tx: WriteTx, services: Services, news: Sequence[Regrouped]) -> None:
    facility = await _facility(tx)
    for one in news:
        # Once more: what was booked until the records were locked.
        await hold_doctors(tx, services, one.people)
        for person in one.people:
            family = await patients.family(tx, person)
            freed = await _settle_appointments(tx, one.here.actor, person, family)
            freed |= await _settle_places(tx, one.here.actor, family, parted=one.parted)
            for doctor in sorted(freed):
                await offer(tx, facility, doctor)


async def forget_erased(tx: WriteTx, _: Services, gone: Sequence[UUID]) -> None:
    """Who is erased waits for nothing, and, where a backup had brought an appointment back, comes to none."""
    facility = await _facility(tx)
    booked = [one for one in await queries.active_of(tx, gone) if one.status is not Status.CHECKED_IN]
    for one in booked:
        verb = Verb.LAPSE if one.status is Status.OFFERED else Verb.CANCEL
        await store.save(tx, SYSTEM, one, rules.step(one, verb), events.TYPES[verb])
    places = [replace(one, status=WaitingStatus.WITHDRAWN) for one in await store_waiting.of_people(tx, gone)]
    await store_waiting.save_all(tx, SYSTEM, places, events.WAITING_WITHDRAWN)
    for doctor in sorted({one.doctor for one in booked}):
        if await still_there(tx, doctor):
            await offer(tx, facility, doctor)


async def stand_alone(tx: WriteTx, _: Facility, appointment_id: UUID) -> None:
    """What was double is so no more, where the other one was cancelled or moved since."""
    one = await store.load_for(tx, SYSTEM, appointment_id, Verb.RESCHEDULE)
    if not one.doubled or one.status is not Status.BOOKED:
        return
    with suppress(PatientBusy):
        async with tx.savepoint():
            await store.save(tx, SYSTEM, one, replace(one, doubled=False), events.SINGLE_AGAIN)


# Appointments


async def _settle_appointments(tx: WriteTx, actor: Actor, person: UUID, family: Sequence[UUID]) -> set[str]:
    """Flags what would have the person in two places at once; the doctors of whom an offer was taken back."""
    active = await queries.active_of(tx, family)
    await store.release_patients(tx, active)
    kept: list[Appointment] = []
    freed: set[str] = set()
    for one in sorted(active, key=lambda one: (_FIRST_OF_A_PERSON.index(one.status), one.created_at, one.appointment)):
        double = any(one.starts < other.ends and other.starts < one.ends for other in kept)
        if not double:
            kept.append(one)
            await store.hold_patient(tx, one, person)
        elif one.status is Status.OFFERED:
            await take_back(tx, actor, one)
            freed.add(one.doctor)
        if one.status is Status.BOOKED and one.doubled is not double:
            type_ = events.DOUBLED if double else events.SINGLE_AGAIN
            await store.save(tx, actor, one, replace(one, doubled=double), type_)
    return freed


# Places on waiting lists


async def _settle_places(tx: WriteTx, actor: Actor, family: Sequence[UUID], *, parted: bool) -> set[str]:
    """Sets aside all but one place at each doctor, and after a parting gives those back that have no other beside them; the
    doctors whose lists have moved."""
    places = sorted(await store_waiting.of_people(tx, family), key=lambda one: one.doctor)
    moved: set[str] = set()
    for doctor, group in groupby(places, key=lambda one: one.doctor):
        first, *others = sorted(group, key=_rank)
        moved |= {doctor for one in others if await _set_aside(tx, actor, one)}
        if parted and first.status is WaitingStatus.SET_ASIDE:
            moved |= {doctor} if await _give_back(tx, actor, first) else set()
    return moved


def _rank(one: Waiting) -> tuple[bool, bool, object, UUID]:
    """An offer that is open is not taken away; else who came first. A place set aside gives way to any other."""
    return (
        one.status is WaitingStatus.SET_ASIDE,
        one.status is not WaitingStatus.OFFERED,
        one.created_at,
        one.waiting,
    )


async def _set_aside(tx: WriteTx, actor: Actor, one: Waiting) -> bool:
    """Whether an offer became free by it."""
    if one.status is WaitingStatus.SET_ASIDE:
        return False
    offered = await queries.open_offer(tx, one.waiting)
    if offered is not None:
        await take_back(tx, actor, await store.appointment(tx, offered))
        one = await store_waiting.waiting(tx, one.waiting)
    await store_waiting.save(tx, actor, replace(one, status=WaitingStatus.SET_ASIDE), events.WAITING_SET_ASIDE)
    return offered is not None


async def _give_back(tx: WriteTx, actor: Actor, one: Waiting) -> bool:
    """Whether somebody waits again by it."""
    there = await still_there(tx, one.doctor)
    status = WaitingStatus.WAITING if there else WaitingStatus.CLOSED
    type_ = events.WAITING_WAITS_AGAIN if there else events.WAITING_CLOSED
    await store_waiting.save(tx, actor, replace(one, status=status), type_)
    return status in OPEN


async def _facility(tx: ReadTx) -> Facility:
    facility = await facilities.facility(tx)
    assert facility is not None
    return facility
