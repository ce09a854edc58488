"""The verbs of visits: load (find, authorise, lock) → decide (rules) → save (rows, event, outbox, one transaction)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dawr.accounts.rules import Right
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import ChangedMeanwhile, ClinicNotFound, DoctorNotFound
from dawr.patients import commands as patients
from dawr.patients import queries as patient_queries
from dawr.patients.rules import PatientCard, PatientNotFound, Purpose
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.events import Recorded, last
from dawr.platform.ids import new_id
from dawr.platform.services import Services
from dawr.tickets import commands as tickets
from dawr.tickets import commands_enter as entering
from dawr.tickets import rules as ticket_rules
from dawr.tickets.commands import Arrival
from dawr.tickets.commands_enter import Door, Entry
from dawr.tickets.commands_together import forget as forget_people
from dawr.tickets.commands_together import hold
from dawr.tickets.people import keep_person, person_index
from dawr.tickets.rules import AlreadyInQueue, NothingToUndo, Priority, Ticket
from dawr.visits import events, queries, rules, store
from dawr.visits.queries import VisitView
from dawr.visits.rules import NoWayGiven, Status, Stop, Verb, Visit, WrongVisitState

_TYPES = {Verb.CANCEL: events.CANCELLED, Verb.NO_SHOW: events.NO_SHOW, Verb.COMPLETE: events.COMPLETED}


@dataclass(frozen=True, slots=True)
class Wish:
    """Where a patient is to go: a clinic, a doctor (in their first clinic), or a doctor of a clinic. ``not_before`` is the
    start of the appointment that the visit comes from."""

    clinic: str | None = None
    doctor: str | None = None
    reason: str | None = None
    priority: Priority = Priority.NORMAL
    appointment: UUID | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A visit just made, with all that its answer needs: nothing has to be read again."""

    visit: Visit
    patient: PatientCard
    entry: Entry
    event: Recorded
    reason: str | None

    @property
    def ticket(self) -> Ticket:
        return self.entry.ticket


async def create(
    tx: WriteTx,
    here: Context,
    *,
    patient_id: UUID,
    clinic: str | None = None,
    doctor: str | None = None,
    reason: str | None = None,
    priority: Priority = Priority.NORMAL,
    appointment: UUID | None = None,
    not_before: datetime | None = None,
) -> Visit:
    """A visit with its first ticket; see ``begin``."""
    return (await begin(tx, here, patient_id, Wish(clinic, doctor, reason, priority, appointment, not_before))).visit


async def begin(tx: WriteTx, here: Context, patient_id: UUID, wish: Wish) -> Begun:
    """Enters the patient where they wish to go and gives the visit the facility's next number of the service day.

    Raises ``PatientNotFound``, ``MergedMeanwhile``, ``ClinicNotFound``, ``DoctorNotFound``, ``AlreadyInQueue`` and whatever keeps
    somebody out of a queue; then no number is used up. Whoever checks in for an ``appointment`` was authorised by it.
    """
    if wish.appointment is None:
        here.actor.require(Right.VISITS)
    patient, at = await _met(tx, here, patient_id, await _clinic_id(tx, wish))
    entry = await _prepared(tx, here, patient, at, wish)
    unnumbered = Visit(
        visit=new_id(tx.now),
        # What came of an appointment stays with its record, also once that is parted from the one that answers for it.
        patient=patient_id if wish.appointment else patient.patient,
        service_day=entry.ticket.service_day,
        number=0,
        status=Status.WAITING,
        created_at=tx.now,
        appointment=wish.appointment,
        version=1,
    )
    sealed = await _sealed(tx, here, unnumbered, wish.reason)
    event = store.event_of(unnumbered, events.CREATED, actor=here.actor.label, tx=tx, tickets=[str(entry.ticket.id)])
    link = (entry.ticket.id, entry.ticket.clinic)
    async with entering.writing(tx, entry):
        await _note_opened(tx, here, patient)
        numbering = await store.create(tx, unnumbered, event, ticket=link, reason=sealed)
    return Begun(await store.numbered(unnumbered, numbering), patient, entry, event, wish.reason)


async def _met(tx: WriteTx, here: Context, patient_id: UUID, clinic_id: str) -> tuple[PatientCard, Door]:
    """The patient, whose record is held, and the door of the clinic, whose queue is locked."""
    async with tx.one_trip():
        holding = await patients.ask_to_hold(tx, patient_id)
        asked = await entering.ask(tx, clinic_id, person_index(here, person_of(patient_id)))
    patient = await patients.held(tx, here, holding, patient_id)
    at = await entering.door(tx, here.facility, asked)
    if patient.patient != patient_id:
        # The record was merged into another one, whose person may be here.
        async with tx.one_trip():
            asked = await entering.ask(tx, clinic_id, person_index(here, person_of(patient.patient)))
        at = await entering.door(tx, here.facility, asked)
    return patient, at


async def _prepared(tx: WriteTx, here: Context, patient: PatientCard, at: Door, wish: Wish) -> Entry:
    """A ticket with the patient's name on it, as desks show it, under an index that is the patient's alone."""
    if wish.appointment is None:
        facilities.require_entry(here.services, at.clinic, here.actor, None)
    ticket_id = new_id(tx.now)
    personal = keep_person(here, ticket_id, user=person_of(patient.patient), name=patient.name, phone=patient.phone)
    language = patient.language if patient.language in ("ar", "en", "hi") else None
    arrival = Arrival(ticket_id, wish.doctor, wish.priority, language, personal, wish.not_before)
    found = await entering.prepare(tx, here.actor, here.facility, at, arrival)
    if isinstance(found, Ticket):
        present = await store.visit_of(tx, found.id)
        raise AlreadyInQueue(extra={"visit": str(present) if present else None})
    return found


def person_of(patient_id: UUID) -> str:
    """Whom the tickets of a patient stand for."""
    # No body may hold a control character, so nobody who takes a ticket by themselves can claim to be a patient.
    return f"\x1fpatient:{patient_id}"


async def _clinic_id(tx: ReadTx, wish: Wish) -> str:
    if wish.clinic:
        return wish.clinic
    if wish.doctor is None:
        raise NoWayGiven
    works_in = (await facilities.doctor(tx, wish.doctor)).clinics
    if not works_in:
        raise DoctorNotFound
    return works_in[0]


async def _opened(tx: WriteTx, here: Context, patient_id: UUID) -> PatientCard:
    """The patient, read once; where staff reads, it is in the trail of who read the record."""
    if here.actor.kind != "staff":
        return await patient_queries.card(tx, here, patient_id)
    return await patients.open_record(tx, here, patient_id, purpose=_purpose(here))


async def _note_opened(tx: WriteTx, here: Context, patient: PatientCard) -> None:
    if here.actor.kind == "staff":
        await patients.note_opened(tx, here, patient, purpose=_purpose(here))


def _purpose(here: Context) -> Purpose:
    return Purpose.RECEPTION if here.actor.may(Right.PATIENTS) else Purpose.CARE


async def _sealed(tx: WriteTx, here: Context, one: Visit, reason: str | None) -> bytes | None:
    if reason is None:
        return None
    place = queries.reason_place(one.visit, one.version)
    return await patient_queries.seal_for(tx, here, one.patient, reason, where=place)


async def add_ticket(tx: WriteTx, here: Context, visit_id: UUID, wish: Wish) -> Visit:
    """Another ticket for somebody who is here already. ``WrongVisitState`` where the visit has ended."""
    here.actor.require(Right.VISITS)
    patient, at = await _met(tx, here, (await store.visit(tx, visit_id)).patient, await _clinic_id(tx, wish))
    entry = await _prepared(tx, here, patient, at, wish)
    ticket = entry.ticket
    async with entering.writing(tx, entry):
        await _note_opened(tx, here, patient)
    found = await store.load_for(tx, here.actor, visit_id)
    if found.status not in rules.OPEN:
        raise WrongVisitState(extra={"state": found.status.value})
    after = store.raised(found)
    event = store.event_of(after, events.TICKET_ADDED, actor=here.actor.label, tx=tx, tickets=[str(ticket.id)])
    await store.save(tx, [(after, event)], links=[(ticket.id, visit_id, ticket.clinic)])
    return after


async def end(tx: WriteTx, here: Context, visit_id: UUID, *, verb: Verb, reason: str | None = None) -> Visit:
    """Cancels or completes a visit, or says that the patient did not come; its open tickets end with it."""
    found, stops = await _load(tx, here, visit_id)
    today = here.facility.service_day(tx.now)
    after = store.raised(rules.step(found, verb, stops, now=tx.now, today=today))
    ending = rules.endings(verb, stops)
    ended = [str(stop.ticket) for stop, _ in ending]
    event = store.event_of(after, _TYPES[verb], actor=here.actor.label, tx=tx, tickets=ended)
    # The visit first: what then happens to its tickets finds it ended, and leaves it so.
    await store.save(tx, [(after, event)], reason=await _sealed(tx, here, after, reason))
    for stop, step in ending:
        await tickets.move(tx, here.actor, here.facility, ticket_id=stop.ticket, verb=step)
    return after


async def reopen(tx: WriteTx, here: Context, visit_id: UUID) -> Visit:
    """Takes the end of a visit back, on the same service day. Tickets that ended with it come back to their places where
    nothing has happened to them since."""
    found, stops = await _load(tx, here, visit_id)
    today = here.facility.service_day(tx.now)
    after = store.raised(rules.step(found, Verb.REOPEN, stops, now=tx.now, today=today))
    ending = await last(tx, found.stream)
    for ticket in ending.data.get("tickets", ()) if ending else ():
        await take_back(tx, here, UUID(ticket))
    # A ticket that came back has reopened its visit.
    now = await store.visit(tx, visit_id)
    if now.status in rules.OPEN:
        return now
    event = store.event_of(after, events.REOPENED, actor=here.actor.label, tx=tx)
    await store.save(tx, [(after, event)])
    return after


async def take_back(tx: WriteTx, here: Context, ticket_id: UUID) -> None:
    try:
        await tickets.undo(tx, here.actor, here.facility, ticket_id=ticket_id)
    except (NothingToUndo, ClinicNotFound):
        return


async def _load(tx: WriteTx, here: Context, visit_id: UUID) -> tuple[Visit, Sequence[Stop]]:
    """The visit, locked, its tickets' queues locked before it. ``ChangedMeanwhile`` where a ticket in yet another queue was
    added between the two."""
    here.actor.require(Right.VISITS)
    held = {one.clinic for one in (await store.stops(tx, [visit_id]))[visit_id]}
    await hold(tx, here.facility, held)
    found = await store.load_for(tx, here.actor, visit_id)
    stops = (await store.stops(tx, [visit_id]))[visit_id]
    if any(one.status in ticket_rules.OPEN and one.clinic not in held for one in stops):
        raise ChangedMeanwhile
    return found, stops


# What others ask


async def opened(tx: WriteTx, here: Context, visit_id: UUID) -> VisitView:
    """A visit with its patient's data, for whoever may see it; that they were read is in the patient's trail."""
    if not here.actor.may(Right.VISITS):
        here.actor.require(Right.HISTORY)
    one = await store.visit(tx, visit_id)
    await queries.require_seen(tx, here.actor, one)
    try:
        patient = await _opened(tx, here, one.patient)
    except PatientNotFound:
        # Of somebody who is erased nothing is left to open; that there was a visit stays.
        patient = await patient_queries.card(tx, here, one.patient)
    return await queries.view_of(tx, here, one, patient)


async def of_ticket(tx: ReadTx, ticket_id: UUID) -> UUID | None:
    """The visit that a ticket belongs to."""
    return await store.visit_of(tx, ticket_id)


async def forget_erased(tx: WriteTx, _: Services, gone: Sequence[UUID]) -> None:
    """Takes name and phone of people whose records have been erased, or erased again after a restore, off the tickets of their
    visits. The reasons of their visits went with their keys."""
    await forget_people(tx, await queries.tickets_of(tx, gone))
