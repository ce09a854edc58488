"""Browsers that want to be told about a ticket or an appointment, over HTTP."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header
from pydantic import StringConstraints
from starlette.responses import Response

from dawr.accounts.rules import Right
from dawr.appointments import queries as appointments
from dawr.facilities.queries import Context
from dawr.notifications import queries, store_channels
from dawr.notifications.channels.push import raw
from dawr.notifications.store_channels import About, Subscription
from dawr.platform.db import ReadTx
from dawr.platform.errors import Invalid
from dawr.platform.http.bodies import Body
from dawr.platform.http.context import context
from dawr.platform.http.once import answer
from dawr.platform.http.problems import documented
from dawr.platform.ids import new_id
from dawr.platform.ratelimit import Limit
from dawr.tickets import queries as tickets

router = APIRouter(prefix="/api/v1", tags=["channels"])
Here = Annotated[Context, Depends(context)]
Secret = Annotated[str | None, Header(alias="Appointment-Secret", max_length=100)]
SUBSCRIBING = Limit("push_subscribe", 20, timedelta(minutes=1), 20)
POINT_BYTES = 65


class Browser(Body):
    """What the browser's ``PushManager.subscribe`` gave."""

    endpoint: Annotated[str, StringConstraints(pattern=r"^https://[^\s@/]+/\S+$", max_length=1000)]
    p256dh: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{86,88}=?$")]
    auth: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22}={0,2}$")]

    def subscription(self) -> Subscription:
        if len(raw(self.p256dh)) != POINT_BYTES:
            raise Invalid
        return Subscription(self.endpoint, self.p256dh, self.auth)


class BrowserEnd(Body):
    endpoint: Annotated[str, StringConstraints(max_length=1000)]


class PushSubscription(Browser):
    ticket: UUID


class PushEnd(BrowserEnd):
    ticket: UUID


@router.get("/push/key", responses=documented())
async def push_key(here: Here) -> Response:
    """The key that a browser subscribes with; null where this facility sends none."""
    async with here.read() as tx:
        return answer({"key": await queries.push_key(tx, here.services)})


@router.post("/queue/push", status_code=201, responses=documented(401, 403, 404))
async def subscribe(body: PushSubscription, here: Here) -> Response:
    """The holder of a ticket's secret is told about it in this browser; a ticket has up to five."""
    await here.services.limits.check((SUBSCRIBING, here.address))
    actor = tickets.viewer(here, body.ticket)
    tickets.require_viewer(actor, body.ticket)
    made = body.subscription()
    async with here.write() as tx:
        view = await tickets.seen_by(tx, here, actor, body.ticket)
        # What is sent links to the ticket by its secret: it is for who holds it, and for those who may change the ticket anyway.
        if actor.kind != "patient":
            actor.require(Right.QUEUE, view.ticket.clinic)
        about = About("ticket", body.ticket)
        await store_channels.subscribe(tx, here.services.keyring, about, id=new_id(tx.now), made=made)
    return answer({"ticket": str(body.ticket), "subscribed": True}, 201)


@router.post("/queue/push/stop", responses=documented(401, 403, 404))
async def unsubscribe(body: PushEnd, here: Here) -> Response:
    tickets.require_viewer(tickets.viewer(here, body.ticket), body.ticket)
    async with here.write() as tx:
        about = About("ticket", body.ticket)
        await store_channels.unsubscribe(tx, here.services.keyring, about, endpoint=body.endpoint)
    return answer({"ticket": str(body.ticket), "subscribed": False})


@router.post("/appointments/{appointment}/push", status_code=201, responses=documented(401, 403, 404))
async def subscribe_to_appointment(appointment: UUID, body: Browser, here: Here, secret: Secret = None) -> Response:
    """The holder of an appointment's secret is told in this browser what becomes of it, and of an earlier slot that is offered
    instead; an appointment has up to five."""
    await here.services.limits.check((SUBSCRIBING, here.address))
    about, made = About("appointment", appointment), body.subscription()
    async with here.write() as tx:
        await _require_holder(tx, here, appointment, secret)
        await store_channels.subscribe(tx, here.services.keyring, about, id=new_id(tx.now), made=made)
    return answer({"appointment": str(appointment), "subscribed": True}, 201)


@router.post("/appointments/{appointment}/push/stop", responses=documented(401, 403, 404))
async def unsubscribe_from_appointment(
    appointment: UUID, body: BrowserEnd, here: Here, secret: Secret = None
) -> Response:
    await here.services.limits.check((SUBSCRIBING, here.address))
    about = About("appointment", appointment)
    async with here.write() as tx:
        await _require_holder(tx, here, appointment, secret)
        await store_channels.unsubscribe(tx, here.services.keyring, about, endpoint=body.endpoint)
    return answer({"appointment": str(appointment), "subscribed": False})


async def _require_holder(tx: ReadTx, here: Context, appointment: UUID, secret: str | None) -> None:
    """What is sent links to the appointment by its secret: it is for who holds it, and for those who may change it anyway."""
    actor = appointments.viewer(here, appointment, secret)
    if actor.kind != "patient":
        actor.require(Right.APPOINTMENTS)
    await appointments.seen_by(tx, actor, appointment)
