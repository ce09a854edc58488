"""Taking a ticket over HTTP: what crowds ask for, and the one operation that strangers may repeat."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from dawr.accounts.rules import Right
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import Clinic, Entry
from dawr.platform.db import WriteTx
from dawr.platform.http.context import DEVICE_COOKIE, DEVICE_SECONDS
from dawr.platform.http.once import once, outcome
from dawr.platform.http.plain import PlainOperation
from dawr.platform.http.problems import documented
from dawr.platform.idempotency import Outcome
from dawr.platform.ids import new_id
from dawr.platform.ratelimit import Limit
from dawr.tickets import api_shapes as shapes
from dawr.tickets import commands_enter, commands_proof, queries
from dawr.tickets.api_crowd import TRAY, asking
from dawr.tickets.api_shapes import Enter, answers
from dawr.tickets.commands import Arrival
from dawr.tickets.people import device_index, keep_person
from dawr.tickets.rules import Priority, Ticket

PATH = "/api/v1/queue/enter"


described = APIRouter(tags=["queue"])


@described.post(
    PATH,
    name="enter",
    status_code=201,
    responses=documented(401, 403, 409)
    | answers(shapes.TicketAnswer, 201)
    | {200: {"model": shapes.TicketAnswer, "description": "Already in this queue"}},
)
def enter_described(body: Enter) -> None:
    """Takes the next number of a clinic."""


async def enter(body: Enter, here: Context) -> Response:
    """Takes the next number of a clinic; plain strangers share the transactions of those who ask beside them."""
    await _within_limits(here)
    if here.actor.kind == "stranger" and body.priority is Priority.NORMAL and body.proof is None:
        together: Response | None = await here.services.additions[TRAY](here.facility.id, asking(here, body))
        if together is not None:
            return with_device(here, together)

    async def work(tx: WriteTx) -> Outcome:
        clinic = await facilities.clinic(tx, body.clinic)
        proved = await _proved(tx, here, clinic, body)
        facilities.require_entry(here.services, clinic, here.actor, body.entry_code, proved=proved is not None)
        ticket_id = new_id(tx.now)
        personal = keep_person(here, ticket_id, user=proved or body.user, name=body.name, phone=body.phone)
        arrival = Arrival(ticket_id, body.doctor, body.priority, body.language, personal)
        ticket, existing = await commands_enter.enter(tx, here.actor, here.facility, clinic.id, arrival)
        mine = not existing or await _made_by(tx, here, ticket)
        key_id = here.services.keyring.primary_id if mine else None
        return outcome(ticket.id, status=200 if existing else 201, existing=existing, key_id=key_id)

    return with_device(here, await once(here, work, lambda tx, done: _entered(tx, here, done), same=shapes.UNCHANGING))


async def _proved(tx: WriteTx, here: Context, clinic: Clinic, body: Enter) -> str | None:
    """Who has proved to be there; None where nobody is asked to, or has not tried."""
    if body.proof is None or clinic.entry is not Entry.VERIFIED:
        return None
    return await commands_proof.proved_person(tx, here, clinic, phone=body.phone, proof=body.proof)


async def _within_limits(here: Context) -> None:
    """A device's own limit, and its address's far higher one: a hospital's Wi-Fi is one address."""
    limits, settings = here.services.limits, here.services.settings
    if not limits.enabled or here.actor.may(Right.QUEUE):
        return
    per_minute = timedelta(minutes=1)
    device = Limit(
        "enter_device", settings.enter_per_device_per_minute, per_minute, settings.enter_per_device_per_minute
    )
    address = Limit(
        "enter_address", settings.enter_per_address_per_minute, per_minute, settings.enter_per_address_burst
    )
    await limits.check((address, here.address), (device, here.device))


async def _made_by(tx: WriteTx, here: Context, ticket: Ticket) -> bool:
    if here.actor.may(Right.QUEUE, ticket.clinic):
        return True
    return await queries.made_by_device(tx, ticket.id, device_index(here))


async def _entered(tx: WriteTx, here: Context, done: Outcome) -> dict[str, Any]:
    view = await queries.view(tx, here, UUID(done.record))
    key_id = done.note["key_id"]
    follow = queries.follow_of(here, view.ticket.id, key_id=key_id) if key_id is not None else None
    return view.answer(follow=follow, existing=done.note["existing"])


def with_device(here: Context, response: Response) -> Response:
    if here.new_device:
        # Written out: the standard library's cookies would cost a tenth of a ticket.
        secure = "; Secure" if here.secure else ""
        cookie = f"{DEVICE_COOKIE}={here.device}; HttpOnly; Max-Age={DEVICE_SECONDS}; Path=/; SameSite=lax{secure}"
        response.raw_headers.append((b"set-cookie", cookie.encode()))
    return response


OPERATION = PlainOperation(PATH, Enter, enter)
