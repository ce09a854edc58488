"""Appointments and the waiting list over HTTP."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from starlette.responses import Response

from dawr.accounts.rules import Actor, Right
from dawr.appointments import api_shapes as shapes
from dawr.appointments import commands, commands_schedule, commands_waiting, queries, queries_lists
from dawr.appointments.api_shapes import Booking, DoctorName, Here, Id, Moment, Move, Secret, Wait, answers
from dawr.appointments.queries_lists import BEGINNING, Place, Wanted
from dawr.appointments.rules import Appointment, AppointmentRules, Status
from dawr.appointments.rules_schedule import FIRST_YEAR, GRAIN, LAST_YEAR, InvalidSchedule, instant
from dawr.facilities.queries import Context
from dawr.facilities.rules import ONE_DAY, Facility
from dawr.platform.db import WriteTx
from dawr.platform.errors import N_, Invalid
from dawr.platform.http.bodies import Day
from dawr.platform.http.once import answer, once, outcome
from dawr.platform.http.paging import Page, Paged, moment
from dawr.platform.http.problems import documented
from dawr.platform.idempotency import Outcome
from dawr.platform.ratelimit import Limit
from dawr.tickets import queries as tickets
from dawr.visits import queries as visits

router = APIRouter(prefix="/api/v1/appointments", tags=["appointments"])
READS = documented(401, 403)
CHANGES = documented(401, 403, 409) | answers(shapes.AppointmentAnswer)
# A hospital's Wi-Fi is one address.
BY_ADDRESS = Limit("appointment_address", 120, timedelta(minutes=1), 120)
Command = Callable[..., Awaitable[Appointment]]


def day_asked(here: Context, given: date | None) -> date:
    """The local day a list is about: without one, today."""
    if given is None:
        return here.services.clock.now().astimezone(ZoneInfo(here.facility.zone)).date()
    if not FIRST_YEAR <= given.year < LAST_YEAR:
        raise Invalid(N_("There are no appointments on such a day"))
    return given


def moment_asked(here: Context, given: Moment, field: str, *, last: bool = False) -> datetime:
    """An instant as it is; of a day its beginning, of the ``last`` day its end."""
    if not FIRST_YEAR <= given.year < LAST_YEAR:
        raise InvalidSchedule(N_("There are no appointments on such a day"), extra={"field": field})
    if isinstance(given, datetime):
        return given
    return instant(here.facility, given + ONE_DAY if last else given, time())


@router.post("", status_code=201, responses=documented(401, 403, 409) | answers(shapes.AppointmentAnswer, 201))
async def book(body: Booking, here: Here) -> Response:
    """Books a slot of a doctor. 409 ``slot_taken`` where it has no free seat; 422 ``not_a_slot`` where there is no such slot."""

    async def work(tx: WriteTx) -> Outcome:
        made = await commands.book(
            tx, here.actor, here.facility, patient_id=body.patient, doctor_id=body.doctor, start=body.start
        )
        return outcome(made.appointment, status=201)

    return await _changed(here, here.actor, work)


@router.get("", responses=READS | answers(shapes.AppointmentsAnswer))
async def appointments(
    here: Here,
    page: Paged,
    *,
    date: Annotated[Day | None, Query()] = None,
    doctor: Annotated[DoctorName | None, Query()] = None,
    status: Annotated[Status | None, Query()] = None,
    needs_rebooking: Annotated[bool, Query()] = False,
) -> Response:
    """The appointments that begin on a day (today, without one), in order; a doctor sees their own. With ``needs_rebooking``
    those alone that have to be moved, since the doctor is not there or the patient is booked elsewhere; without a day all of them
    that are to come."""
    queries.require_doctors_day(here.actor, doctor)
    day = None if needs_rebooking and date is None else day_asked(here, date)
    wanted = Wanted(day, doctor, status, needs_rebooking)
    async with here.read() as tx:
        found = await queries_lists.listed(tx, here.facility, wanted, after=place(page), limit=page.limit + 1)
        part, following = page.cut(found, key=lambda one: [one.starts, one.appointment])
        items = await queries_lists.shown_with_names(tx, here, part)
        total = {"total": await queries_lists.count(tx, here.facility, wanted)} if page.total else {}
    return answer({"items": items, "next": following} | total)


def place(page: Page) -> Place:
    """Behind which row a page begins."""
    found = page.position(moment, UUID)
    return (found[0], found[1]) if found else BEGINNING


# Rules and the waiting list, before ``/{appointment}``, which would take their names for an id


@router.get("/rules", responses=READS | answers(shapes.RulesAnswer))
async def rules(here: Here) -> Response:
    """What the facility has decided about lateness, offers and reminders; minutes."""
    here.actor.require(Right.WATCH)
    async with here.read() as tx:
        return answer(queries.shown_rules(await queries.decided(tx)))


@router.put("/rules", responses=documented(401, 403, 409) | answers(shapes.RulesAnswer))
async def change_rules(body: shapes.Rules, here: Here) -> Response:
    """Replaces them. Reminders that were left behind already keep their moments."""
    sent = body.model_dump() | {"reminders": tuple(body.reminders)}
    async with here.write() as tx:
        changed = await commands_schedule.change_rules(tx, here.actor, AppointmentRules(**sent))
        return answer(queries.shown_rules(changed))


@router.get("/waiting", responses=READS | answers(shapes.WaitingListAnswer))
async def waiting(here: Here, page: Paged, doctor: Annotated[DoctorName | None, Query()] = None) -> Response:
    """Who waits for a slot, in the order in which they came."""
    here.actor.require(Right.APPOINTMENTS)
    async with here.read() as tx:
        found = await queries_lists.waiting(tx, doctor, after=place(page), limit=page.limit + 1)
        part, following = page.cut(found, key=lambda one: [one.created_at, one.waiting])
        items = await queries_lists.shown_waiting_list(tx, here, part)
        total = {"total": await queries_lists.count_waiting(tx, doctor)} if page.total else {}
    return answer({"items": items, "next": following} | total)


@router.post("/waiting", status_code=201, responses=documented(401, 403, 409) | answers(shapes.WaitingAnswer, 201))
async def wait(body: Wait, here: Here) -> Response:
    """A place on a doctor's waiting list. What is or becomes free is offered in the order of the list."""

    async def work(tx: WriteTx) -> Outcome:
        made = await commands_waiting.join(
            tx,
            here.actor,
            here.facility,
            patient_id=body.patient,
            doctor_id=body.doctor,
            earliest=None if body.from_ is None else moment_asked(here, body.from_, "from"),
            latest=_last_start(here, body.until),
        )
        return outcome(made.waiting, status=201)

    return await once(here, work, lambda tx, done: _waiting_now(tx, here, done))


@router.post("/waiting/{waiting}/withdraw", responses=documented(401, 403, 409) | answers(shapes.WaitingAnswer))
async def withdraw(waiting: Id, here: Here) -> Response:
    """The patient waits no longer; an open offer goes to the next."""

    async def work(tx: WriteTx) -> Outcome:
        left = await commands_waiting.withdraw(tx, here.actor, here.facility, waiting_id=waiting)
        return outcome(left.waiting)

    return await once(here, work, lambda tx, done: _waiting_now(tx, here, done))


def _last_start(here: Context, until: Moment | None) -> datetime | None:
    """When the last slot begins that is wanted; of a day the last there may be."""
    if until is None or isinstance(until, datetime):
        return until
    return moment_asked(here, until, "until", last=True) - GRAIN


async def _waiting_now(tx: WriteTx, here: Context, done: Outcome) -> dict[str, Any]:
    here.actor.require(Right.APPOINTMENTS)
    one = await queries_lists.one_waiting(tx, UUID(done.record))
    return queries_lists.shown_waiting(here.facility, one, await queries.open_offer(tx, one.waiting))


# One appointment


@router.get("/{appointment}", responses=READS | answers(shapes.AppointmentAnswer))
async def appointment(appointment: Id, here: Here, secret: Secret = None) -> Response:
    """One appointment: for reception, for its doctor, and for whoever shows its secret."""
    actor = await viewer(here, appointment, secret)
    async with here.read() as tx:
        return answer(await _seen(tx, here, actor, appointment))


@router.post("/{appointment}/reschedule", responses=CHANGES)
async def reschedule(appointment: Id, body: Move, here: Here, secret: Secret = None) -> Response:
    """Another slot; also by the appointment's secret. The one that becomes free is offered to who waits."""
    actor = await viewer(here, appointment, secret)

    async def work(tx: WriteTx) -> Outcome:
        moved = await commands.reschedule(
            tx, actor, here.facility, appointment_id=appointment, start=body.start, doctor_id=body.doctor
        )
        return outcome(moved.appointment)

    return await _changed(here, actor, work)


@router.post("/{appointment}/check-in", responses=documented(401, 403, 409) | answers(shapes.CheckedInAnswer))
async def check_in(appointment: Id, here: Here, secret: Secret = None) -> Response:
    """The patient is here: a visit and a ticket. In time, they stand in the queue as if they had joined it at the start of their
    slot; late, as if they joined it now. Also by the appointment's secret, from two hours before on."""
    asked = replace(here, actor=await viewer(here, appointment, secret))

    async def work(tx: WriteTx) -> Outcome:
        done = await commands.check_in(tx, asked, appointment)
        return outcome(done.appointment.appointment, late=done.late)

    async def show(tx: WriteTx, done: Outcome) -> dict[str, Any]:
        return await _checked_in(tx, asked, done)

    return await once(here, work, show)


async def _checked_in(tx: WriteTx, here: Context, done: Outcome) -> dict[str, Any]:
    one = await queries.seen_by(tx, here.actor, UUID(done.record))
    if here.actor.kind != "patient":
        here.actor.require(Right.APPOINTMENTS)
    assert one.visit is not None
    visit = (await visits.view(tx, here, one.visit)).answer()
    kept = {name: visit[name] for name in ("visit", "visit_number")}
    kept["tickets"] = [_for_holder(here, ticket) for ticket in visit["tickets"]]
    return {"appointment": str(one.appointment), "status": one.status.value, "late": done.note["late"]} | kept


def _for_holder(here: Context, ticket: dict[str, Any]) -> dict[str, Any]:
    """Whoever holds an appointment's secret holds those of the tickets that come of it."""
    patient = here.actor.kind == "patient"
    return ticket | {"follow": tickets.follow_of(here, UUID(ticket["ticket"]))} if patient else ticket


def _add_verb(name: str, command: Command, summary: str) -> None:
    """The verbs that need nothing but an appointment are one handler."""

    async def handler(appointment: Id, here: Here, secret: Secret = None) -> Response:
        actor = await viewer(here, appointment, secret)

        async def work(tx: WriteTx) -> Outcome:
            return outcome((await command(tx, actor, here.facility, appointment_id=appointment)).appointment)

        return await _changed(here, actor, work)

    path = f"/{{appointment}}/{name}"
    router.post(path, responses=CHANGES, name=f"{command.__name__}_appointment", description=summary)(handler)


for _name, _command, _summary in (
    ("cancel", commands.cancel, "Cancels it; also by its secret. The slot is offered to who waits for one."),
    ("no-show", commands.no_show, "The patient has not come; not before the start."),
    ("accept", commands.accept, "Books the slot that was offered; also by its secret."),
    ("decline", commands.decline, "Not this slot; also by its secret. The place on the waiting list stays."),
    (
        "earlier",
        commands_waiting.join_earlier,
        "Waits for an earlier slot of the same doctor, which takes its place once it is accepted; also by its secret.",
    ),
    ("earlier/stop", commands_waiting.leave_earlier, "Waits for no earlier slot any more; also by its secret."),
):
    _add_verb(_name, _command, _summary)


async def viewer(here: Context, appointment: UUID, secret: str | None) -> Actor:
    """Who asks. Whoever is no staff may not try secrets as often as they like."""
    if here.services.limits.enabled and here.actor.kind != "staff":
        await here.services.limits.check((BY_ADDRESS, here.address))
    return queries.viewer(here, appointment, secret)


async def _changed(here: Context, actor: Actor, work: Callable[[WriteTx], Awaitable[Outcome]]) -> Response:
    return await once(here, work, lambda tx, done: _seen(tx, here, actor, UUID(done.record)))


async def _seen(tx: Any, here: Context, actor: Actor, appointment: UUID) -> dict[str, Any]:
    facility: Facility = here.facility
    found = await queries.seen_by(tx, actor, appointment)
    # The secret acts as the patient: only the patient, and whoever may do all that it may, is shown it.
    theirs = actor.kind == "patient" or actor.may(Right.APPOINTMENTS)
    earlier = await queries.waits_earlier(tx, appointment)
    return queries.shown(facility, found) | {
        "follow": queries.follow_of(here, appointment) if theirs else None,
        "earlier": queries.shown_earlier(here, earlier, theirs=theirs),
    }
