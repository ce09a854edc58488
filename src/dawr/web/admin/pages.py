"""Messages to patients: what was sent, for reception as well; by which channels and when, for the administrator."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from dawr.accounts.rules import Right
from dawr.notifications.rules import MOST_AHEAD, MOST_MINUTES, QUEUE_MOMENTS
from dawr.web import queries
from dawr.web.admin.texts import audiences, delivery_statuses, messages_texts, patient_moments
from dawr.web.desk.pages import sign_in_page
from dawr.web.errors import PageRoute
from dawr.web.reception.texts import channels
from dawr.web.render import Page, static_root_of

router = APIRouter(route_class=PageRoute)


@router.get("/messages")
async def messages(request: Request) -> Response:
    page = await Page.open(request)
    staff = await queries.staff(page.here, page.lang)
    if staff is None:
        return sign_in_page(page, to="messages")
    page.here.actor.require(Right.DELIVERIES)
    now = page.here.services.clock.now()
    may_set = page.here.actor.may(Right.SETTINGS)
    texts = messages_texts(page.voice)
    response = page.render(
        "messages.html",
        staff=staff,
        data=page.script_data(
            texts,
            zone=page.here.facility.zone,
            now=now.isoformat(),
            may_set=may_set,
            worker=f"{static_root_of(request)}/sw.js",
        ),
        may_set=may_set,
        statuses=delivery_statuses(page.voice),
        channels=channels(page.voice),
        audiences=audiences(page.voice),
        patient_moments=patient_moments(page.voice),
        queue_moments=QUEUE_MOMENTS,
        most_ahead=MOST_AHEAD,
        most_minutes=MOST_MINUTES,
    )
    response.headers["cache-control"] = "no-store"
    return response
