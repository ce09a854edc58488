"""The staff's pages: sign in, and the desk from which one queue is worked."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from dawr.accounts.rules import Right
from dawr.web import inside, queries
from dawr.web.desk.texts import desk_texts
from dawr.web.errors import PageRoute
from dawr.web.inside import Answer
from dawr.web.queries import ClinicCard, StaffCard
from dawr.web.render import Page, form_of

router = APIRouter(route_class=PageRoute)
# Where somebody goes who has signed in there.
HOMES = {"desk": "/desk", "reception": "/reception", "messages": "/messages"}


@router.get("/desk")
async def desk(request: Request) -> Response:
    page = await Page.open(request)
    staff = await queries.staff(page.here, page.lang)
    if staff is None:
        return sign_in_page(page)
    chosen = _chosen(staff, request.query_params.get("clinic"))
    targets = await queries.clinic_cards(page.here, page.lang) if chosen else ()
    actor, zone = page.here.actor, page.here.facility.zone
    doctors = await queries.doctors_of(page.here, chosen.clinic, page.lang) if chosen else {}
    own = {"clinic": chosen.clinic if chosen else None, "doctor": actor.doctor, "doctors": doctors, "zone": zone}
    data = page.script_data(desk_texts(page.voice), **own)
    rights: dict[str, Any] = {
        "receives": actor.may(Right.VISITS),
        "consults": chosen is not None and actor.may(Right.CONSULT, chosen.clinic),
    }
    response = page.render("desk.html", staff=staff, chosen=chosen, targets=targets, data=data, **rights)
    response.headers["cache-control"] = "no-store"
    return response


@router.post("/desk/sign-in")
async def sign_in(request: Request) -> Response:
    page = await Page.open(request)
    fields = await form_of(request)
    email, to = fields.get("email", ""), fields.get("to", "desk")
    body = {"email": email, "password": fields.get("password", ""), "cookie": True}
    headers = {"accept-language": page.lang}
    answer = await inside.post(request, "/api/v1/auth/login", body, cookies=request.cookies, headers=headers)
    refused = answer.refused
    response = sign_in_page(page, answer, email, to=to) if refused else page.redirect(HOMES.get(to, HOMES["desk"]))
    answer.pass_cookies_to(response)
    return response


@router.post("/desk/sign-out")
async def sign_out(request: Request) -> Response:
    """The API asks for the session's own token, which the form carries."""
    page = await Page.open(request)
    headers = {"x-csrf-token": (await form_of(request)).get("csrf", ""), "accept-language": page.lang}
    answer = await inside.post(request, "/api/v1/auth/logout", {}, cookies=request.cookies, headers=headers)
    response = page.redirect("/desk")
    answer.pass_cookies_to(response)
    return response


def sign_in_page(page: Page, answer: Answer | None = None, email: str = "", *, to: str = "desk") -> Response:
    """The form; ``to`` names the page of ``HOMES`` on which one then is."""
    error = answer.explanation if answer else None
    response = page.render("sign_in.html", status=answer.status if answer else 200, error=error, email=email, to=to)
    response.headers["cache-control"] = "no-store"
    if answer and answer.retry_after:
        response.headers["retry-after"] = answer.retry_after
    return response


def _chosen(staff: StaffCard, wish: str | None) -> ClinicCard | None:
    """The clinic whose queue is shown: the one asked for, else the only or first one."""
    by_name = {card.clinic: card for card in staff.clinics}
    return by_name.get(wish or "") or next(iter(staff.clinics), None)
