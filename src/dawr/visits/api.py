"""Visits over HTTP."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from dawr.accounts.rules import Right
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.platform.db import WriteTx
from dawr.platform.http.once import Work, answer, once, outcome
from dawr.platform.http.paging import Paged, number
from dawr.platform.http.plain import PlainOperation
from dawr.platform.http.problems import documented
from dawr.platform.idempotency import Outcome
from dawr.tickets import queries as tickets
from dawr.visits import commands, queries
from dawr.visits.api_shapes import (
    Here,
    Id,
    Listing,
    NewVisit,
    VisitAnswer,
    VisitsAnswer,
    Way,
    Why,
    answers,
)
from dawr.visits.commands import Begun, Wish
from dawr.visits.queries import VisitView, Wanted
from dawr.visits.rules import Verb

router = APIRouter(prefix="/api/v1/visits", tags=["visits"])
CHANGES = documented(401, 403, 409) | answers(VisitAnswer)


@router.post("", status_code=201, responses=documented(401, 403, 409) | answers(VisitAnswer, 201))
async def create(body: NewVisit, here: Here) -> Response:
    """A visit of a patient, with the next number of the day and a ticket where they are to go first."""
    wish = Wish(body.clinic, body.doctor, body.reason, body.priority)
    begun: list[Begun] = []

    async def work(tx: WriteTx) -> Outcome:
        begun.append(await commands.begin(tx, here, body.patient, wish))
        return outcome(begun[0].visit.visit, status=201)

    async def show(tx: WriteTx, done: Outcome) -> dict[str, Any]:
        return (await _just_begun(tx, here, begun[0])).answer() if begun else await _now(tx, here, done)

    return await once(here, work, show)


async def _just_begun(tx: WriteTx, here: Context, begun: Begun) -> VisitView:
    entry = begun.entry
    ((view,),) = (await tickets.just_entered(tx, here, {entry.clinic.id: [(entry.ticket, entry.ahead)]})).values()
    ticket = queries.shown_ticket(here, view)
    reasons = {begun.visit.version: begun.reason} if begun.reason else {}
    return VisitView(begun.visit, begun.patient, [ticket], [begun.event], reasons)


CREATE = PlainOperation(router.prefix, NewVisit, create)


@router.get("", responses=documented(401, 403) | answers(VisitsAnswer))
async def listed(here: Here, asked: Listing, page: Paged) -> Response:
    """For reception: the visits of a service day in the order of their numbers, by status and clinic."""
    here.actor.require(Right.VISITS)
    async with here.read() as tx:
        if asked.clinic:
            await facilities.clinic(tx, asked.clinic)
        day = asked.day or here.facility.service_day(tx.now)
        wanted = Wanted(day, asked.status, asked.clinic)
        (after,) = page.position(number) or (0,)
        found = await queries.of_day(tx, wanted, after=after, limit=page.limit + 1)
        part, following = page.cut(found, key=lambda visit: [visit.number])
        items = await queries.listed(tx, here, part)
        total = {"total": await queries.count_of_day(tx, wanted)} if page.total else {}
    return answer({"items": items, "next": following} | total)


@router.get("/{visit}", responses=documented(401, 403) | answers(VisitAnswer))
async def one(visit: Id, here: Here) -> Response:
    """A visit with its tickets and its whole history. That the patient's data were read is kept."""
    async with here.write() as tx:
        return answer((await commands.opened(tx, here, visit)).answer())


@router.post("/{visit}/tickets", status_code=201, responses=documented(401, 403, 409) | answers(VisitAnswer, 201))
async def add_ticket(visit: Id, body: Way, here: Here) -> Response:
    """Sends somebody who is here already to another clinic, besides where they are."""
    wish = Wish(body.clinic, body.doctor, priority=body.priority)

    async def work(tx: WriteTx) -> Outcome:
        return outcome((await commands.add_ticket(tx, here, visit, wish)).visit, status=201)

    return await _changed(here, work)


@router.post("/{visit}/reopen", responses=CHANGES)
async def reopen(visit: Id, here: Here) -> Response:
    """Takes the end of a visit back, on the same day; tickets that ended with it come back to their places."""

    async def work(tx: WriteTx) -> Outcome:
        return outcome((await commands.reopen(tx, here, visit)).visit)

    return await _changed(here, work)


def _add_ending(verb: Verb, summary: str) -> None:
    """The verbs that end a visit are one handler."""

    async def handler(visit: Id, here: Here, body: Why | None = None) -> Response:
        reason = body.reason if body else None

        async def work(tx: WriteTx) -> Outcome:
            return outcome((await commands.end(tx, here, visit, verb=verb, reason=reason)).visit)

        return await _changed(here, work)

    path = f"/{{visit}}/{verb.value}"
    router.post(path, responses=CHANGES, name=f"{verb.value}_visit", description=summary)(handler)


for _verb, _summary in {
    Verb.CANCEL: "Cancels a visit and its open tickets. 409 while somebody is being served.",
    Verb.NO_SHOW: "The patient did not come; open tickets end.",
    Verb.COMPLETE: "Ends a visit: who is at a desk is done, what still waits is cancelled.",
}.items():
    _add_ending(_verb, _summary)


async def _changed(here: Context, work: Work) -> Response:
    return await once(here, work, lambda tx, done: _now(tx, here, done))


async def _now(tx: WriteTx, here: Context, done: Outcome) -> dict[str, Any]:
    return (await commands.opened(tx, here, UUID(done.record))).answer()
