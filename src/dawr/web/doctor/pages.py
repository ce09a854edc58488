"""The doctor's pages: the consultation of the ticket that is being served, and one patient's history."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from dawr.accounts.rules import Right
from dawr.web import queries
from dawr.web.desk.pages import sign_in_page
from dawr.web.doctor.queries import served
from dawr.web.doctor.texts import consultation_texts, history_texts, outcomes
from dawr.web.errors import PageRoute
from dawr.web.reception.queries import places
from dawr.web.render import Page

router = APIRouter(route_class=PageRoute)


@router.get("/consultation/{ticket}")
async def consultation(request: Request, ticket: UUID) -> Response:
    page = await Page.open(request)
    staff = await queries.staff(page.here, page.lang)
    if staff is None:
        return sign_in_page(page)
    seen = await served(page.here, ticket)
    data = page.script_data(
        consultation_texts(page.voice),
        **await _common(page),
        ticket=seen.ticket,
        clinic=seen.ticket["clinic"],
        visit=str(seen.visit) if seen.visit else None,
        now=page.here.services.clock.now().isoformat(),
    )
    choices = outcomes(page.voice)
    return _private(page.render("consultation.html", staff=staff, data=data, seen=seen, outcomes=choices))


@router.get("/history/{patient}")
async def history(request: Request, patient: UUID) -> Response:
    """What it shows is read by its script, through the API, which keeps who read it and why."""
    page = await Page.open(request)
    staff = await queries.staff(page.here, page.lang)
    if staff is None:
        return sign_in_page(page)
    page.here.actor.require(Right.CONSULT)
    data = page.script_data(history_texts(page.voice), **await _common(page), patient=str(patient))
    return _private(page.render("history.html", staff=staff, data=data, outcomes=outcomes(page.voice)))


async def _common(page: Page) -> dict[str, Any]:
    found = await places(page.here, page.lang)
    mine = [one["clinic"] for one in found["clinics"] if page.here.actor.may(Right.CONSULT, one["clinic"])]
    return {"zone": page.here.facility.zone, "consults_in": mine} | found


def _private(response: Response) -> Response:
    response.headers["cache-control"] = "no-store"
    return response
