"""A facility and its clinics over HTTP."""

from datetime import time
from typing import Annotated, Any, cast
from uuid import NAMESPACE_URL, UUID, uuid5

from fastapi import APIRouter
from pydantic import Field, StrictBool, StringConstraints
from starlette.responses import Response

from dawr.accounts.rules import Right
from dawr.facilities import commands, queries
from dawr.facilities.api_shapes import (
    DeskInPath,
    Here,
    NamesInBody,
    SlugInPath,
    VersionInBody,
    clinic_card,
    facility_card,
    qr_code,
)
from dawr.facilities.queries import Context, Listed
from dawr.facilities.rules import Entry, FacilityNotFound
from dawr.facilities.rules_settings import ClinicSettings, FacilitySettings, facility_settings
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.http.bodies import Body, Reason, Slug
from dawr.platform.http.once import Work, answer, once, outcome
from dawr.platform.http.paging import Paged
from dawr.platform.http.problems import documented
from dawr.platform.idempotency import Key, Outcome
from dawr.platform.ids import new_id

router = APIRouter(prefix="/api/v1")
READS = documented(401)
STAFF_READS = documented(401, 403)
CHANGES = documented(401, 403, 409)
ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Language = Annotated[str, StringConstraints(max_length=12)]
Zone = Annotated[str, StringConstraints(max_length=64)]
Prefix = Annotated[str, StringConstraints(max_length=8)]
Floor = Annotated[str, StringConstraints(max_length=40)]
Desk = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,15}$")]
Opening = Annotated[list[ClockTime], Field(min_length=2, max_length=2)]
Hours = Annotated[
    dict[str, Annotated[list[Opening], Field(max_length=6)]],
    Field(max_length=7, examples=[{"mon": [["08:00", "12:30"], ["14:00", "18:00"]], "sat": [["22:00", "02:00"]]}]),
]


# Bodies. Of a change only what is sent counts; null empties what may be empty and leaves the rest as it is.

EMPTIABLE = frozenset({"department", "floor", "capacity", "hours", "mean_service_seconds", "late_after_seconds"})


class FacilityChange(Body):
    names: NamesInBody | None = None
    zone: Zone | None = None
    pivot: ClockTime | None = None
    languages: Annotated[list[Language], Field(max_length=20)] | None = None
    grace_minutes: int | None = None
    version: VersionInBody | None = None

    def settings(self) -> FacilitySettings:
        sent = _sent(self, "facility", "default")
        if "pivot" in sent:
            sent["pivot"] = time.fromisoformat(sent["pivot"])
        if "languages" in sent:
            sent["languages"] = tuple(sent["languages"])
        return cast(FacilitySettings, sent)


class FacilityCreation(FacilityChange):
    facility: Slug
    names: NamesInBody
    zone: Zone
    default: StrictBool = False


class ClinicChange(Body):
    """``hours`` null is round the clock, ``capacity`` null without limit."""

    names: NamesInBody | None = None
    prefix: Prefix | None = None
    department: Slug | None = None
    floor: Floor | None = None
    entry: Entry | None = None
    capacity: int | None = None
    hours: Hours | None = None
    mean_service_seconds: int | None = None
    late_after_seconds: int | None = None
    priority_credit_seconds: int | None = None
    place: int | None = None
    version: VersionInBody | None = None

    def settings(self) -> ClinicSettings:
        return cast(ClinicSettings, _sent(self, "clinic", "desks"))


class ClinicCreation(ClinicChange):
    """Without ``desks`` it has the desk ``1``."""

    clinic: Slug
    names: NamesInBody
    prefix: Prefix
    desks: Annotated[list[Desk], Field(max_length=100)] | None = None


class Pause(Body):
    reason: Reason | None = None


class PauseAll(Body):
    reason: Reason


class NewDesk(Body):
    desk: Desk


def _sent(body: Body, *others: str) -> dict[str, Any]:
    """The settings that were sent, under the names the rules have for them."""
    sent = body.model_dump(exclude_unset=True, exclude={"version", *others})
    kept = {field: value for field, value in sent.items() if value is not None or field in EMPTIABLE}
    return {"name" if field == "names" else field: value for field, value in kept.items()}


# The facility


@router.get("/facility", tags=["facility"], responses=READS)
async def facility(here: Here) -> Response:
    """Its public card: name, time zone, languages, the present service day, whether everything is paused."""
    async with here.read() as tx:
        return answer(await _facility_now(here, tx))


@router.patch("/facility", tags=["facility"], responses=CHANGES)
async def change_facility(body: FacilityChange, here: Here) -> Response:
    """Changes the settings that are sent, and no others."""
    async with here.write() as tx:
        await commands.change_facility(tx, here.actor, settings=body.settings(), version=body.version)
        return answer(await _facility_now(here, tx))


@router.post("/facility/pause", tags=["facility"], responses=CHANGES)
async def pause_facility(body: PauseAll, here: Here) -> Response:
    """The kill switch: no clinic takes new people until it is resumed."""

    async def work(tx: WriteTx) -> Outcome:
        return outcome((await commands.pause_facility(tx, here.actor, reason=body.reason)).id)

    return await once(here, work, lambda tx, _: _facility_now(here, tx))


@router.post("/facility/resume", tags=["facility"], responses=CHANGES)
async def resume_facility(here: Here) -> Response:
    """Clinics that are paused themselves stay so."""

    async def work(tx: WriteTx) -> Outcome:
        return outcome((await commands.resume_facility(tx, here.actor)).id)

    return await once(here, work, lambda tx, _: _facility_now(here, tx))


async def _facility_now(here: Context, tx: ReadTx) -> dict[str, Any]:
    found = await queries.facility(tx)
    if found is None:
        raise FacilityNotFound
    return facility_card(here, found, tx.now)


# All facilities of the installation


@router.get("/facilities", tags=["installation"], responses=STAFF_READS)
async def facilities(here: Here, page: Paged) -> Response:
    """For the operator: every facility, in the order they were made."""
    here.actor.require(Right.INSTALLATION)
    return answer(page.of(await queries.listed(here.services), key=lambda one: [one.no], show=_listed))


@router.post("/facilities", tags=["installation"], status_code=201, responses=CHANGES)
async def create_facility(body: FacilityCreation, here: Here) -> Response:
    """For the operator: another facility, without clinics and staff yet."""
    here.actor.require(Right.INSTALLATION)
    place = _Fresh(here)

    async def work(tx: WriteTx) -> Outcome:
        made = await commands.create_facility(
            tx, here.actor, slug=body.facility, settings=body.settings(), as_default=body.default
        )
        return outcome(made.id, status=201)

    async def show(tx: WriteTx, _: Outcome) -> dict[str, Any]:
        made = await queries.facility(tx)
        assert made is not None
        return {"no": made.no} | facility_settings(made)

    return await once(place, work, show)


@router.post("/facilities/{facility}/default", tags=["installation"], responses=CHANGES)
async def make_default(facility: SlugInPath, here: Here) -> Response:
    """For the operator: requests that name no facility mean this one."""
    here.actor.require(Right.INSTALLATION)
    found = await queries.locate(here.services, slug=facility)
    if found is None:
        raise FacilityNotFound
    async with here.services.db.write(found.id) as tx:
        await commands.make_default_facility(tx, here.actor)
    return answer({"facility": found.slug, "no": found.no, "default": True})


def _listed(one: Listed) -> dict[str, Any]:
    return {"facility": one.slug, "no": one.no, "default": one.is_default}


class _Fresh:
    """The place of a facility that is being made: its transaction is the new facility's own.

    A client's key gives the id, so that the same request again comes to the same facility and finds its key there.
    """

    def __init__(self, here: Context) -> None:
        self.idempotency_key: Key | None = here.idempotency_key
        self._services = here.services

    def write(self) -> Any:
        key, now = self.idempotency_key, self._services.clock.now()
        chosen: UUID = uuid5(NAMESPACE_URL, f"dawr:{key.caller}/{key.key.hex()}") if key else new_id(now)
        return self._services.db.write(chosen)


# Clinics


@router.get("/clinics", tags=["clinics"], responses=READS)
async def clinics(here: Here, page: Paged) -> Response:
    """What a join page needs of each clinic; staff see every setting."""
    async with here.read() as tx:
        found, doctors = await queries.clinics(tx), await queries.doctors(tx)
        now, zone = tx.now, here.facility.zone
    return answer(
        page.of(
            found,
            key=lambda one: [one.place, one.id],
            show=lambda one: clinic_card(here, one, doctors=doctors, now=now, zone=zone),
        )
    )


@router.get("/clinics/{clinic}", tags=["clinics"], responses=READS)
async def clinic(clinic: SlugInPath, here: Here) -> Response:
    async with here.read() as tx:
        return answer(await _clinic_now(here, tx, clinic))


@router.post("/clinics", tags=["clinics"], status_code=201, responses=CHANGES)
async def create_clinic(body: ClinicCreation, here: Here) -> Response:
    """A clinic with its desks; people can take tickets at once."""
    desks = ["1"] if body.desks is None else body.desks

    async def work(tx: WriteTx) -> Outcome:
        made = await commands.create_clinic(tx, here.actor, clinic=body.clinic, settings=body.settings(), desks=desks)
        return outcome(made.id, status=201)

    return await _changed(here, work)


@router.patch("/clinics/{clinic}", tags=["clinics"], responses=CHANGES)
async def change_clinic(clinic: SlugInPath, body: ClinicChange, here: Here) -> Response:
    """Changes the settings that are sent, and no others."""
    async with here.write() as tx:
        await commands.change_clinic(tx, here.actor, clinic=clinic, settings=body.settings(), version=body.version)
        return answer(await _clinic_now(here, tx, clinic))


@router.post("/clinics/{clinic}/pause", tags=["clinics"], responses=CHANGES)
async def pause_clinic(clinic: SlugInPath, here: Here, body: Pause | None = None) -> Response:
    """No new people for a while; for administrators and whoever works this queue."""
    reason = body.reason if body else None

    async def work(tx: WriteTx) -> Outcome:
        return outcome((await commands.pause_clinic(tx, here.actor, clinic=clinic, reason=reason)).id)

    return await _changed(here, work)


def _add_verb(name: str, verb: Any, summary: str) -> None:
    """The verbs that need nothing but a clinic are one handler."""

    async def handler(clinic: SlugInPath, here: Here) -> Response:
        async def work(tx: WriteTx) -> Outcome:
            return outcome((await verb(tx, here.actor, clinic=clinic)).id)

        return await _changed(here, work)

    path = f"/clinics/{{clinic}}/{name}"
    router.post(path, tags=["clinics"], responses=CHANGES, name=verb.__name__, description=summary)(handler)


for _name, _verb, _summary in (
    ("resume", commands.resume_clinic, "Takes people again; for administrators and whoever works this queue."),
    ("close", commands.close_clinic, "Closed until it is opened again, whatever its hours say."),
    ("open", commands.open_clinic, "Open again when its hours say so."),
):
    _add_verb(_name, _verb, _summary)


@router.post("/clinics/{clinic}/archive", tags=["clinics"], responses=CHANGES)
async def archive_clinic(clinic: SlugInPath, here: Here) -> Response:
    """Gone from every list; 409 ``still_in_use`` while tickets are open in it."""

    async def work(tx: WriteTx) -> Outcome:
        open_tickets = here.services.additions.get(commands.OPEN_TICKETS)
        await commands.archive_clinic(tx, here.actor, clinic=clinic, open_tickets=open_tickets)
        return outcome(clinic)

    async def show(_: WriteTx, done: Outcome) -> dict[str, Any]:
        return {"clinic": done.record, "archived": True}

    return await once(here, work, show)


@router.post("/clinics/{clinic}/desks", tags=["clinics"], status_code=201, responses=CHANGES)
async def add_desk(clinic: SlugInPath, body: NewDesk, here: Here) -> Response:
    async def work(tx: WriteTx) -> Outcome:
        return outcome((await commands.add_desk(tx, here.actor, clinic=clinic, desk=body.desk)).id, status=201)

    return await _changed(here, work)


@router.delete("/clinics/{clinic}/desks/{desk}", tags=["clinics"], responses=CHANGES)
async def remove_desk(clinic: SlugInPath, desk: DeskInPath, here: Here) -> Response:
    """409 ``still_in_use`` while somebody is called to it or served at it."""
    async with here.write() as tx:
        open_tickets = here.services.additions.get(commands.OPEN_TICKETS)
        await commands.remove_desk(tx, here.actor, clinic=clinic, desk=desk, open_tickets=open_tickets)
        return answer(await _clinic_now(here, tx, clinic))


@router.get("/clinics/{clinic}/poster", tags=["clinics"], responses=STAFF_READS)
async def poster(clinic: SlugInPath, here: Here) -> Response:
    """The address that joins this queue, with the clinic's entry code, and its QR code as SVG."""
    here.actor.require(Right.WATCH)
    async with here.read() as tx:
        return answer(await _poster_now(here, tx, clinic))


@router.post("/clinics/{clinic}/poster/renew", tags=["clinics"], responses=CHANGES)
async def renew_poster(clinic: SlugInPath, here: Here) -> Response:
    """Another entry code; posters printed before no longer open the queue."""

    async def work(tx: WriteTx) -> Outcome:
        return outcome((await commands.renew_poster(tx, here.actor, clinic=clinic)).id)

    return await once(here, work, lambda tx, _: _poster_now(here, tx, clinic))


async def _poster_now(here: Context, tx: ReadTx, clinic_id: str) -> dict[str, Any]:
    found = await queries.clinic(tx, clinic_id)
    code = queries.entry_code(here.services, found)
    # The facility is always named: a poster outlives the choice of a default one.
    url = f"{here.services.settings.url}/f/{here.facility.slug}/c/{found.id}?code={code}"
    return {"clinic": found.id, "url": url, "code": code, "svg": qr_code(url)}


async def _changed(here: Context, work: Work) -> Response:
    return await once(here, work, lambda tx, done: _clinic_now(here, tx, done.record))


async def _clinic_now(here: Context, tx: ReadTx, clinic_id: str) -> dict[str, Any]:
    found, doctors = await queries.clinic(tx, clinic_id), await queries.doctors(tx)
    return clinic_card(here, found, doctors=doctors, now=tx.now, zone=here.facility.zone)
