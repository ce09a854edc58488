"""Patients over HTTP."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from dawr.accounts.rules import Right
from dawr.facilities.queries import Context
from dawr.patients import api_shapes as shapes
from dawr.patients import commands, queries, queries_find
from dawr.patients.api_shapes import PatientId, answers
from dawr.patients.rules import Purpose
from dawr.platform.db import WriteTx
from dawr.platform.http.context import context
from dawr.platform.http.once import answer, once, outcome
from dawr.platform.http.paging import Paged, cursor_of, position_of
from dawr.platform.http.problems import documented
from dawr.platform.idempotency import Outcome
from dawr.platform.ratelimit import Limit

Here = Annotated[Context, Depends(context)]
router = APIRouter(prefix="/api/v1/patients", tags=["patients"])
READS = documented(401, 403)
CHANGES = documented(401, 403, 409)
_CARD = answers(shapes.PatientAnswer)

# A reception finds people all day; whoever was signed in by theft does not get through all of them.
SEARCHES = Limit("patient_search", 60, timedelta(minutes=1), 30)
SEARCHES_A_DAY = Limit("patient_search_day", 3000, timedelta(days=1), 1000)
OPENINGS = Limit("patient_open", 120, timedelta(minutes=1), 60)


@router.post("", status_code=201, responses=CHANGES | answers(shapes.CreatedAnswer, 201))
async def create(body: shapes.NewPatient, here: Here) -> Response:
    """Registers a patient. Who is likely the same person is named in ``duplicates``; nobody is refused."""
    here.actor.require(Right.PATIENTS)
    await _count_search(here)

    async def work(tx: WriteTx) -> Outcome:
        return outcome((await commands.create(tx, here, body.identity())).patient, status=201)

    async def show(tx: WriteTx, done: Outcome) -> dict[str, Any]:
        card = await queries.card(tx, here, UUID(done.record))
        likely = await queries_find.duplicates(tx, here, card.identity, but=card.patient) if card.identity else []
        return card.answer() | {"duplicates": [one.answer() for one in likely]}

    return await once(here, work, show, same=["patient"])


@router.post("/duplicates", responses=READS | answers(shapes.DuplicatesAnswer))
async def duplicates(body: shapes.NewPatient, here: Here) -> Response:
    """Who is likely the same person, before anything is made. Changes nothing."""
    here.actor.require(Right.PATIENTS)
    await _count_search(here)
    async with here.read() as tx:
        likely = await queries_find.duplicates(tx, here, commands.sound(tx, here, body.identity()))
    return answer({"items": [one.answer() for one in likely]})


@router.post("/search", responses=READS | answers(shapes.FoundAnswer))
async def search(body: shapes.Search, here: Here) -> Response:
    """By a phone number in any spelling, a number of identity, or at least three letters that words of the name begin with.
    Newest records first. A POST, because what is looked for must not stand in an address."""
    here.actor.require(Right.PATIENTS)
    await _count_search(here)
    (before,) = position_of(body.cursor, UUID) or (None,)
    async with here.read() as tx:
        found = await queries_find.search(tx, here, body.query, before=before, limit=body.limit)
    following = cursor_of([found.after]) if found.after else None
    return answer({"items": [one.summary() for one in found.cards], "next": following})


@router.get("/{patient:uuid}", responses=READS | _CARD)
async def patient(patient: PatientId, here: Here, purpose: Annotated[Purpose | None, Query()] = None) -> Response:
    """The record; that it was read is kept. 403 ``record_needs_reason`` for a doctor who is a stranger to the patient."""
    return await _opened(here, patient, shapes.Opening(purpose=purpose))


@router.post("/{patient}/open", responses=READS | _CARD)
async def open_record(patient: PatientId, body: shapes.Opening, here: Here) -> Response:
    """The record, for a reason that is kept with who read it. Opens it also for a doctor who is a stranger to the patient."""
    return await _opened(here, patient, body)


@router.patch("/{patient:uuid}", responses=CHANGES | _CARD)
async def change(patient: PatientId, body: shapes.PatientChange, here: Here) -> Response:
    """Changes the fields that are sent, and no others; 409 ``changed_meanwhile`` where ``version`` is no longer the present."""
    await _count_opening(here)
    async with here.write() as tx:
        await commands.change(tx, here, patient, body.changes(), version=body.version)
        # The answer is the whole record, so this is a reading, too.
        return answer((await commands.open_record(tx, here, patient, purpose=Purpose.RECEPTION)).answer())


@router.post("/{patient}/merge", responses=CHANGES | _CARD)
async def merge(patient: PatientId, body: shapes.Merging, here: Here) -> Response:
    """Two records of one person become one: from now on this id answers as the other. ``unmerge`` undoes it."""

    async def work(tx: WriteTx) -> Outcome:
        return outcome((await commands.merge(tx, here, patient, into=body.into)).patient)

    return await once(here, work, lambda tx, done: _card_now(here, tx, done))


@router.post("/{patient}/unmerge", responses=CHANGES | _CARD)
async def unmerge(patient: PatientId, here: Here) -> Response:
    """This record stands for itself again, as it was."""

    async def work(tx: WriteTx) -> Outcome:
        return outcome((await commands.unmerge(tx, here, patient)).patient)

    return await once(here, work, lambda tx, done: _card_now(here, tx, done))


@router.get("/{patient}/merged", responses=READS | answers(shapes.MergedAnswer))
async def merged(patient: PatientId, here: Here) -> Response:
    """The records that were merged into this one, as a list shows them; each can be taken out again with ``unmerge``."""
    here.actor.require(Right.PATIENTS)
    await _count_opening(here)
    async with here.read() as tx:
        found = await queries.merged(tx, here, patient)
    return answer({"items": [one.summary() for one in found]})


@router.get("/{patient}/accesses", responses=READS | answers(shapes.AccessesAnswer))
async def accesses(patient: PatientId, here: Here, page: Paged) -> Response:
    """Who read the record, when and why, newest first; for administrators."""
    here.actor.require(Right.RECORDS)
    async with here.read() as tx:
        (before,) = page.position(UUID) or (None,)
        found = await queries.accesses(tx, here, patient, before=before, limit=page.limit + 1)
        total = {"total": await queries.accesses_count(tx, patient)} if page.total else {}
    shown, following = page.cut(found, key=lambda one: [one.access])
    return answer({"items": [one.answer() for one in shown], "next": following} | total)


@router.get("/{patient}/changes", responses=READS | answers(shapes.ChangesAnswer))
async def changes(patient: PatientId, here: Here, page: Paged) -> Response:
    """Who made, changed, merged, took apart or erased the record, and when, newest first; for administrators."""
    here.actor.require(Right.RECORDS)
    async with here.read() as tx:
        (before,) = page.position(int) or (None,)
        found = await queries.changes(tx, patient, before=before, limit=page.limit + 1)
        total = {"total": await queries.changes_count(tx, patient)} if page.total else {}
    shown, following = page.cut(found, key=lambda one: [one.change])
    return answer({"items": [one.answer() for one in shown], "next": following} | total)


async def _count_opening(here: Context) -> None:
    if here.actor.kind == "staff":
        await here.services.limits.check((OPENINGS, here.actor.label))


async def _opened(here: Context, patient: PatientId, asked: shapes.Opening) -> Response:
    await _count_opening(here)
    usual = Purpose.RECEPTION if here.actor.may(Right.PATIENTS) else Purpose.CARE
    async with here.write() as tx:
        card = await commands.open_record(tx, here, patient, purpose=asked.purpose or usual, reason=asked.reason)
        return answer(card.answer())


async def _card_now(here: Context, tx: WriteTx, done: Outcome) -> dict[str, Any]:
    here.actor.require(Right.PATIENTS)
    # The answer is the whole record, so this is a reading, too.
    return (await commands.open_record(tx, here, UUID(done.record), purpose=Purpose.RECEPTION)).answer()


async def _count_search(here: Context) -> None:
    who = here.actor.label
    await here.services.limits.check((SEARCHES, who), (SEARCHES_A_DAY, who))
