"""The page of an appointment, for whoever holds its secret address: look, move, cancel, answer an offer, wait for an earlier
time, check in. It needs no script; one offers messages to the browser."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dawr.appointments import queries as appointments
from dawr.facilities.rules import ONE_DAY, named
from dawr.notifications import queries as notifications
from dawr.web import inside
from dawr.web.errors import PageRoute
from dawr.web.inside import Answer
from dawr.web.patient.calendar import Entry, calendar_file
from dawr.web.patient.queries_appointment import (
    DAYS_SHOWN,
    AppointmentPage,
    appointment_page,
    chosen,
    free_days,
    last_first_day,
    today,
)
from dawr.web.patient.texts import appointment_states, appointment_texts
from dawr.web.render import Page, form_of, private, static_root_of

router = APIRouter(route_class=PageRoute)
# What a form of the page asks the API for.
VERBS = {
    "cancel": "cancel",
    "accept": "accept",
    "decline": "decline",
    "earlier": "earlier",
    "stop-waiting": "earlier/stop",
    "check-in": "check-in",
}


@router.get("/a/{secret}")
async def appointment(request: Request, secret: str) -> Response:
    page, found = await _opened(request, secret)
    return found if isinstance(found, Response) else await _appointment_page(page, secret, found)


@router.get("/a/{secret}/appointment.ics")
async def calendar(request: Request, secret: str) -> Response:
    """For the calendar of the reader's phone."""
    page, found = await _opened(request, secret)
    if isinstance(found, Response):
        return found
    one = (await appointment_page(page.here, found, page.lang)).one
    house = named(page.here.facility.name, page.lang)
    entry = Entry(
        appointment=one.appointment,
        version=one.version,
        starts=one.starts,
        ends=one.ends,
        title=page.voice.t.gettext("Appointment: %(facility)s") % {"facility": house},
        place=house,
        cancelled=one.status not in appointments.STANDING,
    )
    headers = {"content-disposition": 'attachment; filename="appointment.ics"'}
    content = calendar_file(entry, now=page.here.services.clock.now())
    return private(Response(content, media_type="text/calendar; charset=utf-8", headers=headers))


@router.get("/a/{secret}/times")
async def times(request: Request, secret: str) -> Response:
    page, found = await _opened(request, secret)
    return found if isinstance(found, Response) else await _times_page(page, secret, found)


@router.post("/a/{secret}/times")
async def move(request: Request, secret: str) -> Response:
    """Takes the time that was chosen; where somebody was faster, the times that are left are shown."""
    page, found = await _opened(request, secret)
    if isinstance(found, Response):
        return found
    fields = await form_of(request)
    answer = await _ask(page, secret, found, "reschedule", {"start": fields.get("start", "")})
    if answer.refused:
        return await _times_page(page, secret, found, answer)
    return page.redirect(f"/a/{secret}")


@router.post("/a/{secret}/{verb}")
async def act(
    request: Request,
    secret: str,
    verb: Literal["cancel", "accept", "decline", "earlier", "stop-waiting", "check-in"],
) -> Response:
    """The secret in the address is the right to do this; no other proof is needed."""
    page, found = await _opened(request, secret)
    if isinstance(found, Response):
        return found
    answer = await _ask(page, secret, found, VERBS[verb], {})
    if answer.refused:
        return await _appointment_page(page, secret, found, answer)
    follow = next((one["follow"] for one in answer.content.get("tickets", ())), None)
    return page.redirect(follow or f"/a/{secret}")


async def _opened(request: Request, secret: str) -> tuple[Page, UUID | Response]:
    """The page, and the appointment or where to look for it: the address may name another facility than its own, or none."""
    page = await Page.open(request)
    facility, appointment_id = await appointments.by_secret(page.here.services, secret)
    if facility.id == page.here.facility.id:
        return page, appointment_id
    rest = request.url.path.partition(secret)[2]
    return page, private(RedirectResponse(f"{static_root_of(request)}/f/{facility.slug}/a/{secret}{rest}", 303))


async def _ask(page: Page, secret: str, appointment_id: UUID, verb: str, body: Mapping[str, Any]) -> Answer:
    """Without the session of whoever is signed in here: it is the patient who asks."""
    headers = {
        "accept-language": page.lang,
        "x-facility": page.here.facility.slug,
        "appointment-secret": secret,
    }
    path = f"/api/v1/appointments/{appointment_id}/{verb}"
    return await inside.post(page.request, path, body, cookies={}, headers=headers)


async def _appointment_page(page: Page, secret: str, appointment_id: UUID, answer: Answer | None = None) -> Response:
    shown = await appointment_page(page.here, appointment_id, page.lang)
    headline, sentence = appointment_states(page.voice)[shown.state]
    push = await _push(page, shown)
    response = page.render(
        "appointment.html",
        status=answer.status if answer else 200,
        address=f"/a/{secret}",
        follow=f"/a/{secret}",
        shown=shown,
        headline=headline,
        sentence=sentence % {"time": shown.answer_by},
        offer=_offer(page, shown),
        error=answer.explanation if answer else None,
        **push,
    )
    return private(response)


async def _push(page: Page, shown: AppointmentPage) -> dict[str, Any]:
    """What offers messages to the browser, while there may be any; without it the page has no script."""
    key = None
    if shown.one.status in appointments.STANDING:
        async with page.here.read() as tx:
            key = await notifications.push_key(tx, page.here.services)
    if key is None:
        return {"push_key": None}
    own = {"appointment": str(shown.one.appointment), "push": key, "worker": f"{static_root_of(page.request)}/sw.js"}
    return {"push_key": key, "data": page.script_data(appointment_texts(page.voice), **own)}


def _offer(page: Page, shown: AppointmentPage) -> str | None:
    """Where the earlier time that is held for the reader is answered."""
    offered = shown.earlier.offered if shown.earlier else None
    return page.root + appointments.follow_of(page.here, offered) if offered else None


async def _times_page(page: Page, secret: str, appointment_id: UUID, answer: Answer | None = None) -> Response:
    shown = await appointment_page(page.here, appointment_id, page.lang)
    first = _day(page, "from") or today(page.here)
    first = min(max(first, today(page.here)), last_first_day(page.here))
    days = await free_days(page.here, shown.one, page.lang, first)
    response = page.render(
        "times.html",
        status=answer.status if answer else 200,
        address=f"/a/{secret}/times",
        shown=shown,
        days=days,
        chosen=chosen(days, _day(page, "day")),
        first=first,
        before=max(first - DAYS_SHOWN * ONE_DAY, today(page.here)) if first > today(page.here) else None,
        after=min(first + DAYS_SHOWN * ONE_DAY, last_first_day(page.here))
        if first < last_first_day(page.here)
        else None,
        back=f"/a/{secret}",
        error=answer.explanation if answer else None,
    )
    return private(response)


def _day(page: Page, name: str) -> date | None:
    """A day in the address; None where there is none, or it is not one."""
    try:
        return date.fromisoformat(page.request.query_params.get(name, ""))
    except ValueError:
        return None
