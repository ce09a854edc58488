"""``GET /api/v1/events/stream`` as plain ASGI: what a client holds while it waits is a task, its outlet and its reader."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from sys import intern
from typing import Any
from uuid import UUID

from starlette.datastructures import QueryParams
from starlette.requests import Request

from dawr.accounts.rules import Right
from dawr.accounts.rules_inbox import heard_by
from dawr.facilities.queries import Context
from dawr.facilities.rules import ClinicNotFound, FacilityNotFound
from dawr.realtime.hub import Hub
from dawr.realtime.outlet import Outlet, Receive, Send
from dawr.realtime.readers import ClinicReader, FacilityReader, May, Reader, TicketReader
from dawr.realtime.rules import RETRY_MILLISECONDS, OneSubject, OwnInboxOnly, Pace, retry
from dawr.tickets import queries as tickets
from dawr.tickets.queries import TicketView
from dawr.tickets.rules import TicketNotFound

PATH = "/api/v1/events/stream"
STRAIGHT = "dawr.straight_send"
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
SUBJECTS = ("clinic", "ticket", "facility")
_SLUG = re.compile(r"^[a-z0-9][a-z0-9._-]{0,62}$")
_HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for: a clinic's stream, a ticket's (``may`` it have that is seen with the ticket), or the
    facility's. ``inboxes`` are the names of what it hears of besides."""

    facility: UUID
    address: str
    last_id: str | None
    clinic: str | None = None
    ticket: tuple[UUID, May] | None = None
    inboxes: frozenset[str] = frozenset()

    def reader(self, outlet: Outlet, pace: Pace) -> Reader:
        if self.ticket is not None:
            ticket, may = self.ticket
            return TicketReader(outlet, pace, self.last_id, ticket=ticket, may=may)
        if self.clinic is not None:
            return ClinicReader(outlet, pace, self.last_id, self.clinic)
        return FacilityReader(outlet, pace, self.last_id)


class EventStream:
    path = PATH

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        asked = await _asked(Request(scope, receive))
        start = {"type": "http.response.start", "status": 200, "headers": _HEADERS}
        async with self._hub.admitted(scope.get(STRAIGHT, send), asked.address) as outlet:
            outlet.first(retry(RETRY_MILLISECONDS))
            async with self._hub.listening(asked.facility, asked.reader(outlet, self._hub.pace)):
                with self._hub.inboxes.listening(asked.facility, outlet, asked.inboxes):
                    await send(start)
                    if scope["method"] == "HEAD":
                        await send({"type": "http.response.body", "body": b""})
                    else:
                        await outlet.serve(receive)


class Straight:
    """Keeps the server's own ``send`` for the streams.

    What wraps a response (headers, log) looks at its beginning only, but would be passed by every event for every client:
    a fifth of what telling costs.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> Awaitable[None]:
        scope[STRAIGHT] = send
        return self.app(scope, receive, send)


async def _asked(request: Request) -> Asked:
    here: Context = await request.app.state.resolve(request)
    kind, value = _subject(request.query_params)
    clinic, ticket = None, None
    if kind == "clinic":
        clinic = _clinic(value)
    elif kind == "ticket":
        ticket = _ticket(here, value)
    else:
        _require_facility(here, value)
    # The header is the younger one: a browser that reconnects by itself repeats the address it was given.
    last_id = request.headers.get("last-event-id") or request.query_params.get("last_event_id") or None
    inboxes = _inboxes(here, request.query_params.get("inbox"))
    return Asked(here.facility.id, here.address, last_id, clinic, ticket, inboxes)


def _subject(params: QueryParams) -> tuple[str, str]:
    found = [(name, value) for name, value in params.multi_items() if name in SUBJECTS]
    if len(found) != 1:
        raise OneSubject
    return found[0]


def _inboxes(here: Context, value: str | None) -> frozenset[str]:
    if value is None:
        return frozenset()
    if value != "mine":
        raise OwnInboxOnly
    return heard_by(here.actor)


def _clinic(value: str) -> str:
    if not _SLUG.match(value):
        raise ClinicNotFound
    return intern(value)


def _ticket(here: Context, value: str) -> tuple[UUID, May]:
    """Whether it may be had is decided by the read that finds it: a thousand may come at once, and share that."""
    try:
        ticket_id = UUID(value)
    except ValueError:
        raise TicketNotFound from None
    actor = tickets.viewer(here, ticket_id)
    tickets.require_viewer(actor, ticket_id)

    def may(view: TicketView, now: datetime) -> None:
        tickets.require_living(actor, view, now=now)
        # A ticket's stream shows its secret: it is for who holds it, and for those who may change the ticket anyway.
        if actor.kind != "patient":
            actor.require(Right.QUEUE, view.ticket.clinic)

    return ticket_id, may


def _require_facility(here: Context, value: str) -> None:
    here.actor.require(Right.WATCH)
    if value != here.facility.slug:
        raise FacilityNotFound
