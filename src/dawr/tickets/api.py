"""The queue over HTTP."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Header, Query
from starlette.responses import Response

from dawr.accounts.rules import Actor, Right
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.platform import events
from dawr.platform.db import WriteTx
from dawr.platform.errors import N_, Invalid
from dawr.platform.http.bodies import Body, OpaqueId, Reason
from dawr.platform.http.context import context
from dawr.platform.http.once import answer, once, outcome
from dawr.platform.http.plain import PlainOperation
from dawr.platform.http.problems import documented
from dawr.platform.idempotency import Outcome
from dawr.platform.ids import new_id
from dawr.tickets import api_shapes as shapes
from dawr.tickets import commands, queries
from dawr.tickets.api_shapes import ClinicName, Name, answers
from dawr.tickets.commands import Handover, Stepped
from dawr.tickets.people import passed_on, shown_person
from dawr.tickets.rules import Place, Verb

Here = Annotated[Context, Depends(context)]
TicketId = OpaqueId
router = APIRouter(prefix="/api/v1/queue", tags=["queue"])
figures = APIRouter(prefix="/api/v1", tags=["figures"])
CHANGES = documented(401, 403, 409) | answers(shapes.TicketAnswer)
STEPS: list[PlainOperation[Any]] = []
"""What desks ask for all day is answered before the framework's routes, which only describe it."""


class CallNext(Body):
    """``clinic``: the first in order. ``ticket``: that one, out of order. Exactly one of them."""

    clinic: ClinicName | None = None
    ticket: TicketId | None = None
    desk: Name | None = None


class OneTicket(Body):
    ticket: TicketId


class Recall(OneTicket):
    desk: Name | None = None


class Transfer(OneTicket):
    to: ClinicName
    place: Place = Place.END


class Reset(Body):
    clinic: ClinicName
    reason: Reason


@router.get(
    "/status", responses=documented() | answers(shapes.StatusAnswer) | {304: {"description": "As the ETag says"}}
)
async def status(
    clinic: ClinicName, here: Here, if_none_match: Annotated[str | None, Header(max_length=200)] = None
) -> Response:
    """Who waits, is called, is being served: by code, from one snapshot."""
    found, cursor = await current(here, clinic)
    content = found.answer()
    stable = {name: value for name, value in content.items() if name != "mean_wait_minutes"}
    etag = f'"{hashlib.sha256(orjson.dumps(stable)).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if if_none_match and etag in if_none_match:
        return Response(status_code=304, headers=headers)
    response = answer(content | {"as_of": here.services.clock.now().isoformat(), "cursor": cursor})
    response.headers.update(headers)
    return response


async def current(here: Context, clinic_id: str) -> tuple[queries.QueueStatus, str]:
    """The status and its cursor, after turning the service day where that is due."""
    async with here.read() as tx:
        clinic = await facilities.clinic(tx, clinic_id)
        found = await queries.status(tx, here.facility, clinic)
        cursor = await queries.cursor(tx, here.facility, found)
    if not queries.is_due(here.facility, here.services.clock.now(), found.service_day):
        return found, cursor
    async with here.write() as turning:
        await commands.turn(turning, here.facility, clinic_id=clinic_id)
    return await current(here, clinic_id)


@router.get("/ticket/{ticket}", responses=documented(401, 403) | answers(shapes.TicketAnswer))
async def ticket(ticket: TicketId, here: Here) -> Response:
    """One ticket, live: for staff, and for whoever shows its secret. The secret itself is only for those who hold it and
    for those who may change the ticket anyway."""
    actor = queries.viewer(here, ticket)
    async with here.read() as tx:
        view = await queries.seen_by(tx, here, actor, ticket)
        known = actor.ticket == ticket or actor.may(Right.QUEUE, view.ticket.clinic)
        content = view.answer(follow=queries.follow_of(here, ticket) if known else None)
        next_id = await queries.following(tx, view.ticket) if known else None
    return answer(content | ({"next": queries.follow_of(here, next_id)} if next_id else {}))


@router.get("/tickets", responses=documented(401, 403) | answers(shapes.AtDeskAnswer))
async def tickets(clinic: ClinicName, here: Here, ended: Annotated[bool, Query()] = False) -> Response:
    """For the staff of a clinic: its open tickets in order with the people's names, or the last that ended today."""
    here.actor.require(Right.QUEUE, clinic)
    async with here.read() as tx:
        found, views = await queries.at_desk(tx, here, clinic, ended=ended)
    items = [one.answer() | shown_person(here, one) | {"late": queries.is_late(found, one, tx.now)} for one in views]
    return answer({"items": items, "next": None})


@router.get("/ticket/{ticket}/history", responses=documented(401, 403) | answers(shapes.HistoryAnswer))
async def history(ticket: TicketId, here: Here) -> Response:
    """Every step of a ticket, oldest first: what, when, from and to which state, by whom."""
    here.actor.require(Right.QUEUE)
    async with here.read() as tx:
        view = await queries.view(tx, here, ticket)
        here.actor.require(Right.QUEUE, view.ticket.clinic)
        steps = await events.history(tx, ticket)
    items = [
        {
            "type": one.type,
            "status": one.data["status"],
            "desk": one.data["desk"],
            "at": one.at.isoformat(),
            "actor": one.actor,
        }
        for one in steps
    ]
    return answer({"items": items, "next": None})


@figures.get("/metrics", responses=documented(401, 403) | answers(shapes.FiguresAnswer))
async def metrics(here: Here) -> Response:
    """The day's figures of every clinic, from one snapshot."""
    here.actor.require(Right.REPORTS)
    async with here.read() as tx:
        clinics = await queries.metrics(tx)
        as_of = tx.now.isoformat()
    return answer({"facility": here.facility.slug, "as_of": as_of, "clinics": clinics})


@router.post("/call", responses=CHANGES)
async def call(body: CallNext, here: Here) -> Response:
    """Calls the first in order, or that ticket; 409 ``queue_empty`` where nobody waits."""
    if (body.clinic is None) == (body.ticket is None):
        raise Invalid(N_("Name a clinic or a ticket, one of the two"))

    async def step(tx: WriteTx) -> Stepped:
        if body.ticket:
            actor = queries.viewer(here, body.ticket)
            return await commands.call(tx, actor, here.facility, ticket_id=body.ticket, desk=body.desk)
        return await commands.call_next(tx, here.actor, here.facility, clinic_id=body.clinic or "", desk=body.desk)

    return await _changed(here, step)


@router.post("/recall", responses=CHANGES)
async def recall(body: Recall, here: Here) -> Response:
    """Announces a called ticket again."""
    actor = queries.viewer(here, body.ticket)

    async def step(tx: WriteTx) -> Stepped:
        return await commands.call(tx, actor, here.facility, ticket_id=body.ticket, desk=body.desk, verb=Verb.RECALL)

    return await _changed(here, step)


@router.post("/transfer", responses=CHANGES)
async def transfer(body: Transfer, here: Here) -> Response:
    """Ends the ticket here and enters the person in another clinic; answers the ticket there."""

    async def step(tx: WriteTx) -> Stepped:
        next_id = new_id(tx.now)
        queries.viewer(here, body.ticket).require(Right.QUEUE)
        personal = await passed_on(tx, here, body.ticket, to=next_id)
        handover = Handover(body.ticket, body.to, body.place, next_id, personal)
        return await commands.transfer(tx, here.actor, here.facility, handover)

    return await _changed(here, step)


@router.post("/undo", responses=CHANGES)
async def undo(body: OneTicket, here: Here) -> Response:
    """Takes back the ticket's last step, if nothing followed it."""
    actor = queries.viewer(here, body.ticket)

    async def step(tx: WriteTx) -> Stepped:
        return await commands.undo(tx, actor, here.facility, ticket_id=body.ticket)

    return await _changed(here, step)


@router.post("/reset", responses=documented(401, 403, 409) | answers(shapes.StatusAnswer))
async def reset(body: Reset, here: Here) -> Response:
    """Cancels every open ticket of a clinic with the reason and starts a new series at 1."""

    async def work(tx: WriteTx) -> Outcome:
        queue = await commands.reset(tx, here.actor, here.facility, clinic_id=body.clinic, reason=body.reason)
        return outcome(queue.clinic)

    async def show(tx: WriteTx, _: Outcome) -> dict[str, Any]:
        found = await queries.status(tx, here.facility, await facilities.clinic(tx, body.clinic))
        cursor = await queries.cursor(tx, here.facility, found)
        return found.answer() | {"as_of": tx.now.isoformat(), "cursor": cursor}

    return await once(here, work, show)


STEPS += [
    PlainOperation(f"{router.prefix}/call", CallNext, call),
    PlainOperation(f"{router.prefix}/recall", Recall, recall),
    PlainOperation(f"{router.prefix}/transfer", Transfer, transfer),
    PlainOperation(f"{router.prefix}/undo", OneTicket, undo),
]


def _add_verb(verb: Verb, summary: str) -> None:
    """The verbs that need nothing but a ticket are one handler."""

    async def handler(body: OneTicket, here: Here) -> Response:
        actor = queries.viewer(here, body.ticket)

        async def step(tx: WriteTx) -> Stepped:
            return await commands.move(tx, actor, here.facility, ticket_id=body.ticket, verb=verb)

        return await _changed(here, step, actor)

    router.post(f"/{verb.value}", responses=CHANGES, name=verb.value, description=summary)(handler)
    STEPS.append(PlainOperation(f"{router.prefix}/{verb.value}", OneTicket, handler))


for _verb, _summary in {
    Verb.SERVE: "A called ticket is being served.",
    Verb.DONE: "Ends the service; its duration is kept.",
    Verb.NO_SHOW: "A called person did not come.",
    Verb.REJOIN: "Puts a person who did not come back behind at most two others.",
    Verb.HOLD: "Sets a ticket aside; it keeps its place.",
    Verb.RESUME: "Puts a held ticket back to its old place.",
    Verb.CANCEL: "Cancels a ticket; also by its secret.",
    Verb.LATE: "A called person will be late: back behind at most two others; also by the ticket's secret.",
}.items():
    _add_verb(_verb, _summary)


async def _changed(
    here: Context, step: Callable[[WriteTx], Awaitable[Stepped]], actor: Actor | None = None
) -> Response:
    """``actor`` where a patient may be asking. Who replays a request is asked for the right to see its answer, too."""
    made: list[Stepped] = []

    async def work(tx: WriteTx) -> Outcome:
        made.append(await step(tx))
        return outcome(made[0].id)

    async def show(tx: WriteTx, done: Outcome) -> dict[str, Any]:
        ticket_id = UUID(done.record)
        if made:
            view = await queries.just_changed(tx, here, made[0].ticket, today=made[0].today, ahead=made[0].ahead)
        else:
            view = await queries.seen_by(tx, here, actor or here.actor, ticket_id)
        return view.answer(follow=queries.follow_of(here, ticket_id))

    return await once(here, work, show, same=shapes.UNCHANGING)
