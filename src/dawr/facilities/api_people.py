"""Departments and doctors over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from dawr.facilities import commands_people, queries
from dawr.facilities.api_shapes import Here, NamesInBody, SlugInPath, VersionInBody, department_card, doctor_card
from dawr.facilities.commands import OPEN_TICKETS
from dawr.facilities.queries import Context
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.http.bodies import Body, Slug
from dawr.platform.http.once import answer, once, outcome
from dawr.platform.http.paging import Paged
from dawr.platform.http.problems import documented
from dawr.platform.idempotency import Outcome

router = APIRouter(prefix="/api/v1")
READS = documented(401)
CHANGES = documented(401, 403, 409)
Clinics = Annotated[list[Slug], Field(max_length=200)]


class DepartmentCreation(Body):
    department: Slug
    names: NamesInBody


class DepartmentChange(Body):
    names: NamesInBody
    version: VersionInBody | None = None


class DoctorCreation(Body):
    doctor: Slug
    names: NamesInBody
    clinics: Clinics | None = None


class DoctorChange(Body):
    """``clinics`` replaces the whole list."""

    names: NamesInBody | None = None
    clinics: Clinics | None = None
    version: VersionInBody | None = None


# Departments


@router.get("/departments", tags=["departments"], responses=READS)
async def departments(here: Here, page: Paged) -> Response:
    async with here.read() as tx:
        found = await queries.departments(tx)
    return answer(page.of(found, key=lambda one: [one.id], show=lambda one: department_card(here, one)))


@router.get("/departments/{department}", tags=["departments"], responses=READS)
async def department(department: SlugInPath, here: Here) -> Response:
    async with here.read() as tx:
        return answer(await _department_now(here, tx, department))


@router.post("/departments", tags=["departments"], status_code=201, responses=CHANGES)
async def create_department(body: DepartmentCreation, here: Here) -> Response:
    async def work(tx: WriteTx) -> Outcome:
        made = await commands_people.create_department(tx, here.actor, department=body.department, name=body.names)
        return outcome(made.id, status=201)

    return await once(here, work, lambda tx, done: _department_now(here, tx, done.record))


@router.patch("/departments/{department}", tags=["departments"], responses=CHANGES)
async def change_department(department: SlugInPath, body: DepartmentChange, here: Here) -> Response:
    async with here.write() as tx:
        await commands_people.change_department(
            tx, here.actor, department=department, name=body.names, version=body.version
        )
        return answer(await _department_now(here, tx, department))


@router.post("/departments/{department}/archive", tags=["departments"], responses=CHANGES)
async def archive_department(department: SlugInPath, here: Here) -> Response:
    """409 ``still_in_use`` while clinics belong to it."""

    async def work(tx: WriteTx) -> Outcome:
        await commands_people.archive_department(tx, here.actor, department=department)
        return outcome(department)

    async def show(_: WriteTx, done: Outcome) -> dict[str, Any]:
        return {"department": done.record, "archived": True}

    return await once(here, work, show)


async def _department_now(here: Context, tx: ReadTx, department_id: str) -> dict[str, Any]:
    return department_card(here, await queries.department(tx, department_id))


# Doctors


@router.get("/doctors", tags=["doctors"], responses=READS)
async def doctors(here: Here, page: Paged) -> Response:
    """Their names as shown to patients, and the clinics in which a ticket may name them."""
    async with here.read() as tx:
        found = await queries.doctors(tx)
    return answer(page.of(found, key=lambda one: [one.id], show=lambda one: doctor_card(here, one)))


@router.get("/doctors/{doctor}", tags=["doctors"], responses=READS)
async def doctor(doctor: SlugInPath, here: Here) -> Response:
    async with here.read() as tx:
        return answer(await _doctor_now(here, tx, doctor))


@router.post("/doctors", tags=["doctors"], status_code=201, responses=CHANGES)
async def create_doctor(body: DoctorCreation, here: Here) -> Response:
    """``doctor`` is the short name (``dr.rao``); it never changes."""

    async def work(tx: WriteTx) -> Outcome:
        made = await commands_people.create_doctor(
            tx, here.actor, doctor=body.doctor, name=body.names, clinics=body.clinics or ()
        )
        return outcome(made.id, status=201)

    return await once(here, work, lambda tx, done: _doctor_now(here, tx, done.record))


@router.patch("/doctors/{doctor}", tags=["doctors"], responses=CHANGES)
async def change_doctor(doctor: SlugInPath, body: DoctorChange, here: Here) -> Response:
    """409 ``still_in_use`` where open tickets name the doctor in a clinic that is taken from them."""
    async with here.write() as tx:
        await commands_people.change_doctor(
            tx,
            here.actor,
            doctor=doctor,
            name=body.names,
            clinics=body.clinics,
            version=body.version,
            open_tickets=here.services.additions.get(OPEN_TICKETS),
        )
        return answer(await _doctor_now(here, tx, doctor))


@router.post("/doctors/{doctor}/archive", tags=["doctors"], responses=CHANGES)
async def archive_doctor(doctor: SlugInPath, here: Here) -> Response:
    """409 ``still_in_use`` while open tickets name the doctor. What is booked with them is kept and flagged: it needs another
    doctor. ``restore`` takes it back."""

    async def work(tx: WriteTx) -> Outcome:
        open_tickets = here.services.additions.get(OPEN_TICKETS)
        await commands_people.archive_doctor(tx, here.actor, doctor=doctor, open_tickets=open_tickets)
        return outcome(doctor)

    async def show(_: WriteTx, done: Outcome) -> dict[str, Any]:
        return {"doctor": done.record, "archived": True}

    return await once(here, work, show)


@router.post("/doctors/{doctor}/restore", tags=["doctors"], responses=CHANGES)
async def restore_doctor(doctor: SlugInPath, here: Here) -> Response:
    """Takes an archiving back. Appointments to come that needed another doctor because of it stand again, and who waited for
    this one waits again."""

    async def work(tx: WriteTx) -> Outcome:
        return outcome((await commands_people.restore_doctor(tx, here.actor, doctor=doctor)).id)

    return await once(here, work, lambda tx, done: _doctor_now(here, tx, done.record))


async def _doctor_now(here: Context, tx: ReadTx, doctor_id: str) -> dict[str, Any]:
    return doctor_card(here, await queries.doctor(tx, doctor_id))
