"""The inbox, the delivery log and the rules over HTTP."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from dawr.accounts.rules import Right
from dawr.facilities.queries import Context
from dawr.notifications import commands, commands_stop, queries
from dawr.notifications.addresses import Addresses
from dawr.notifications.api_shapes import (
    Name,
    Notices,
    RulesInBody,
    before_of,
    delivery_card,
    newest_first,
    rules_card,
)
from dawr.notifications.rules import DeliveryNotFound, NotificationNotFound, Status, masked
from dawr.notifications.store_stops import Stop
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.http.context import context
from dawr.platform.http.once import answer, once, outcome
from dawr.platform.http.paging import Paged
from dawr.platform.http.problems import documented
from dawr.platform.idempotency import Outcome

router = APIRouter(prefix="/api/v1")
Here = Annotated[Context, Depends(context)]
READS = documented(401, 403)
CHANGES = documented(401, 403, 404, 409)


# The inbox


@router.get("/notifications", tags=["notifications"], responses=READS)
async def notifications(here: Here, page: Paged, unread: Annotated[bool | None, Query()] = None) -> Response:
    """The own inbox, newest first. ``unread`` true or false keeps one kind alone; ``total=true`` counts them."""
    async with here.read() as tx:
        rows = await queries.inbox(tx, here.actor, before=before_of(page), unread=unread, limit=page.limit + 1)
        shown = await Notices.of(tx, here, rows)
        content = page.of(rows, key=lambda one: newest_first(one.notice), show=shown.card)
        if page.total:
            content["total"] = await queries.inbox_size(tx, here.actor, unread=unread)
    return answer(content)


@router.post("/notifications/read-all", tags=["notifications"], responses=CHANGES)
async def read_all(here: Here) -> Response:
    """Marks everything in the own inbox as read."""

    async def work(tx: WriteTx) -> Outcome:
        await commands.read_all(tx, here.actor)
        return outcome("inbox")

    async def show(tx: WriteTx, _: Outcome) -> dict[str, Any]:
        return {"unread": await queries.inbox_size(tx, here.actor, unread=True)}

    return await once(here, work, show)


@router.post("/notifications/{notification}/read", tags=["notifications"], responses=CHANGES)
async def read(notification: UUID, here: Here) -> Response:
    """Marks one as read, for the caller alone."""

    async def work(tx: WriteTx) -> Outcome:
        await commands.read(tx, here.actor, notice=notification)
        return outcome(notification)

    async def show(tx: WriteTx, _: Outcome) -> dict[str, Any]:
        found = await queries.notice(tx, here.actor, notification)
        if found is None:
            raise NotificationNotFound
        return (await Notices.of(tx, here, [found])).card(found)

    return await once(here, work, show)


# Messages


class Narrowed:
    """Which messages are asked for."""

    def __init__(
        self,
        status: Annotated[Status | None, Query()] = None,
        ticket: Annotated[UUID | None, Query()] = None,
        patient: Annotated[UUID | None, Query()] = None,
        channel: Annotated[Name | None, Query()] = None,
    ) -> None:
        self.filters: dict[str, object] = {"ticket": ticket, "patient": patient, "channel": channel}
        self.filters["status"] = status.value if status else None


@router.get("/deliveries", tags=["notifications"], responses=READS)
async def deliveries(here: Here, page: Paged, narrowed: Annotated[Narrowed, Depends()]) -> Response:
    """What was sent to whom, by which channel, with what result, newest first; addresses show their end alone."""
    here.actor.require(Right.DELIVERIES)
    wanted = narrowed.filters
    async with here.read() as tx:
        rows = await queries.deliveries(tx, before=before_of(page), limit=page.limit + 1, filters=wanted)
        opened = await Addresses.of(tx, here, [one.patient for one in rows])
        content = page.of(
            rows,
            key=lambda one: newest_first(one.delivery),
            show=lambda one: delivery_card(here, opened, one),
        )
        if page.total:
            content["total"] = await queries.deliveries_count(tx, wanted)
    return answer(content)


@router.post("/deliveries/{delivery}/resend", tags=["notifications"], responses=CHANGES)
async def resend(delivery: UUID, here: Here) -> Response:
    """Sends a message again that could not be sent, or not in time."""

    async def work(tx: WriteTx) -> Outcome:
        return outcome((await commands.resend(tx, here.actor, delivery=delivery)).delivery)

    return await once(here, work, lambda tx, _: _delivery_now(here, tx, delivery))


async def _delivery_now(here: Context, tx: ReadTx, delivery_id: UUID) -> dict[str, Any]:
    found = await queries.delivery(tx, delivery_id)
    if found is None:
        raise DeliveryNotFound
    return delivery_card(here, await Addresses.of(tx, here, [found.patient]), found)


@router.get("/patients/{patient}/stops", tags=["notifications"], responses=documented(401, 403, 404))
async def stops(patient: UUID, here: Here) -> Response:
    """To which of a patient's addresses nothing is sent, because somebody said so there: by a link, or by a word."""
    async with here.read() as tx:
        return answer(_stops(await commands_stop.of_patient(tx, here, patient)))


@router.post("/patients/{patient}/stops/lift", tags=["notifications"], responses=CHANGES)
async def lift_stops(patient: UUID, here: Here) -> Response:
    """The patient is here and wants messages again."""

    async def work(tx: WriteTx) -> Outcome:
        await commands_stop.lift(tx, here, patient)
        return outcome(patient)

    async def show(tx: WriteTx, _: Outcome) -> dict[str, Any]:
        return _stops(await commands_stop.of_patient(tx, here, patient))

    return await once(here, work, show)


def _stops(found: list[tuple[str, Stop]]) -> dict[str, Any]:
    items = [{"to": masked(to), "said_by": one.said_by, "said_at": one.said_at.isoformat()} for to, one in found]
    return {"items": items, "next": None}


# Rules


@router.get("/notification-rules", tags=["notifications"], responses=READS)
async def rules(here: Here) -> Response:
    """Who is told what, by which channel. ``own`` is false while the facility goes by the house's rules."""
    here.actor.require(Right.SETTINGS)
    async with here.read() as tx:
        return answer(rules_card(await queries.rules(tx)))


@router.put("/notification-rules", tags=["notifications"], responses=CHANGES)
async def set_rules(body: RulesInBody, here: Here) -> Response:
    """Replaces them all. A rule names a moment, an audience and a channel, each combination once."""
    async with here.write() as tx:
        saved = await commands.set_rules(
            tx,
            here.services,
            here.actor,
            rules=[one.rule() for one in body.items],
            quiet=body.quiet_hours.quiet() if body.quiet_hours else None,
            version=body.version,
        )
        return answer(rules_card(saved))
