"""Reception's page: find or register a patient, make a visit, hand out the ticket; the day's visits and appointments."""

import io

import segno
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from dawr.accounts.rules import Right
from dawr.tickets import queries as tickets
from dawr.web import queries
from dawr.web.desk.pages import sign_in_page
from dawr.web.errors import PageRoute
from dawr.web.reception.queries import places, today
from dawr.web.reception.texts import channels, genders, languages, priorities, reception_texts, visit_statuses
from dawr.web.render import Page, private

router = APIRouter(route_class=PageRoute)


@router.get("/reception")
async def reception(request: Request) -> Response:
    page = await Page.open(request)
    staff = await queries.staff(page.here, page.lang)
    if staff is None:
        return sign_in_page(page, to="reception")
    page.here.actor.require(Right.VISITS)
    known = await places(page.here, page.lang)
    facility = page.here.facility
    day = today(page.here).isoformat()
    own = {
        "facility": facility.slug,
        "zone": facility.zone,
        "now": page.here.services.clock.now().isoformat(),
        "sees_accesses": page.here.actor.may(Right.RECORDS),
    }
    data = page.script_data(reception_texts(page.voice), today=day, **own, **known)
    response = page.render(
        "reception.html",
        staff=staff,
        data=data,
        genders=genders(page.voice),
        languages_spoken=languages(page.voice),
        channels_of_patients=channels(page.voice),
        priorities=priorities(page.voice),
        statuses=visit_statuses(page.voice),
        clinics=known["clinics"],
        doctors=known["doctors"],
    )
    response.headers["cache-control"] = "no-store"
    return response


@router.get("/t/{secret}/code.svg")
async def code_of_ticket(request: Request, secret: str) -> Response:
    """The ticket's own address as a code for the patient's phone; for the slip of paper that reception hands out."""
    page = await Page.open(request)
    facility, _ = await tickets.by_secret(page.here.services, secret)
    drawn = io.BytesIO()
    address = f"{page.here.services.settings.url}/f/{facility.slug}/t/{secret}"
    segno.make(address, error="m", micro=False).save(drawn, kind="svg", scale=6, border=4, light="#fff")
    return private(Response(drawn.getvalue(), media_type="image/svg+xml"))
