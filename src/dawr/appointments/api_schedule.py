"""Doctors' time over HTTP: slots, schedule, leave."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from dawr.appointments import api_shapes as shapes
from dawr.appointments import commands_schedule, queries
from dawr.appointments.api import day_asked, moment_asked
from dawr.appointments.api_shapes import Away, DoctorInPath, Here, Hours, Id, answers
from dawr.appointments.commands_schedule import Changed
from dawr.appointments.queries import require_doctors_day
from dawr.appointments.rules_schedule import Window, read_window
from dawr.facilities.queries import Context
from dawr.platform.db import WriteTx
from dawr.platform.http.bodies import Day
from dawr.platform.http.once import answer, once, outcome
from dawr.platform.http.problems import documented
from dawr.platform.idempotency import Outcome

router = APIRouter(prefix="/api/v1/doctors", tags=["doctors"])
CHANGES = documented(401, 403, 409)


@router.get("/{doctor}/slots", responses=documented(401) | answers(shapes.SlotsAnswer))
async def slots(doctor: DoctorInPath, here: Here, date: Annotated[Day | None, Query()] = None) -> Response:
    """The doctor's slots that begin on a local day (today, without one). A slot that has begun is not free."""
    async with here.read() as tx:
        found = await queries.slots(tx, here.facility, doctor, day_asked(here, date))
        return answer({"items": [queries.shown_slot(here.facility, one, tx.now) for one in found]})


@router.get("/{doctor}/schedule", responses=documented(401, 403) | answers(shapes.ScheduleAnswer))
async def schedule(doctor: DoctorInPath, here: Here) -> Response:
    """Weekly windows and extra openings, in the facility's local time."""
    require_doctors_day(here.actor, doctor)
    async with here.read() as tx:
        return answer(queries.shown_schedule(await queries.schedule(tx, doctor)))


@router.put("/{doctor}/schedule", responses=CHANGES | answers(shapes.ChangedScheduleAnswer))
async def set_schedule(doctor: DoctorInPath, body: Hours, here: Here) -> Response:
    """Replaces the whole schedule. What is booked in time that it takes away is flagged and listed, never dropped."""
    windows, extra = (_windows(many) for many in (body.windows, body.extra))
    async with here.write() as tx:
        changed = await commands_schedule.set_schedule(
            tx, here.actor, here.facility, doctor_id=doctor, windows=windows, extra=extra, version=body.version
        )
        return answer(queries.shown_schedule(changed.schedule) | _flagged(here, changed))


def _windows(given: list[Any]) -> list[Window]:
    return [read_window(one.model_dump(by_alias=True)) for one in given]


@router.get("/{doctor}/leave", responses=documented(401, 403) | answers(shapes.LeavesAnswer))
async def leaves(doctor: DoctorInPath, here: Here) -> Response:
    """The doctor's leave that is not over."""
    require_doctors_day(here.actor, doctor)
    async with here.read() as tx:
        found = await queries.leaves(tx, doctor)
    return answer({"items": [queries.shown_leave(here.facility, one) for one in found], "next": None})


@router.post("/{doctor}/leave", status_code=201, responses=CHANGES | answers(shapes.LeaveAnswer, 201))
async def add_leave(doctor: DoctorInPath, body: Away, here: Here) -> Response:
    """The doctor is away. The appointments of that time are listed in the answer and flagged."""
    starts, ends = moment_asked(here, body.from_, "from"), moment_asked(here, body.until, "until", last=True)

    async def work(tx: WriteTx) -> Outcome:
        leave, _ = await commands_schedule.add_leave(
            tx, here.actor, here.facility, doctor_id=doctor, starts=starts, ends=ends, reason=body.reason
        )
        return outcome(leave.leave, status=201)

    async def show(tx: WriteTx, done: Outcome) -> dict[str, Any]:
        return await _leave_now(tx, here, doctor, UUID(done.record))

    return await once(here, work, show)


@router.delete("/{doctor}/leave/{leave}", responses=CHANGES | answers(shapes.LeaveAnswer))
async def cancel_leave(doctor: DoctorInPath, leave: Id, here: Here) -> Response:
    """The doctor is there after all. What was flagged because of it stands again; it stays in the log."""
    async with here.write() as tx:
        gone, changed = await commands_schedule.cancel_leave(
            tx, here.actor, here.facility, doctor_id=doctor, leave_id=leave
        )
        return answer(queries.shown_leave(here.facility, gone) | _flagged(here, changed))


async def _leave_now(tx: WriteTx, here: Context, doctor: str, leave_id: UUID) -> dict[str, Any]:
    require_doctors_day(here.actor, doctor)
    leave = await queries.leave(tx, doctor, leave_id)
    flagged = [one for one in await queries.booked_after(tx, doctor, tx.now) if one.needs_rebooking]
    mine = [one for one in flagged if one.starts < leave.ends and leave.starts < one.ends]
    shown = [queries.shown(here.facility, one) for one in mine]
    return queries.shown_leave(here.facility, leave) | {"needs_rebooking": shown}


def _flagged(here: Context, changed: Changed) -> dict[str, Any]:
    return {"needs_rebooking": [queries.shown(here.facility, one) for one in changed.needs_rebooking]}
