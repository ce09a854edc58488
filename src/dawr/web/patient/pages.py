"""The patient's pages: join a queue, follow the ticket. Both work without JavaScript."""

from uuid import uuid4

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from dawr.platform.errors import Problem
from dawr.web.errors import PageRoute
from dawr.web.guard import require_same_site
from dawr.web.patient.texts import join_texts, ticket_texts
from dawr.web.render import A_YEAR, Page, form_of, set_cookies
from dawr.web.views import Cookie, JoinWish, PatientVerb

router = APIRouter(route_class=PageRoute)

DEVICE_COOKIE = "dawr_device"


@router.get("/c/{clinic}")
async def join(request: Request, clinic: str) -> Response:
    return await _join_page(await Page.open(request), clinic)


@router.post("/c/{clinic}")
async def join_without_script(request: Request, clinic: str) -> Response:
    """The plain form: joins and goes to the ticket, or shows the form again with what is in the way."""
    page = await Page.open(request)
    require_same_site(request)
    fields = await form_of(request)
    wish = JoinWish(
        clinic=clinic,
        user=_device(request),
        key=fields.get("key", ""),
        doctor=fields.get("doctor"),
        name=fields.get("name"),
        phone=fields.get("phone"),
        language=fields.get("language"),
    )
    try:
        follow = await page.views.enter(request, wish)
    except Problem as problem:
        return await _join_page(page, clinic, problem=problem, fields=fields)
    return page.redirect(follow)


@router.get("/t/{secret}")
async def ticket(request: Request, secret: str) -> Response:
    page = await Page.open(request)
    shown = await page.views.ticket_page(request, secret, page.lang)
    headline, sentence = page.voice.status(shown.ticket)
    data = page.script_data(ticket_texts(page.voice), ticket=shown.ticket)
    response = page.render(
        "ticket.html",
        ticket=shown.ticket,
        clinic=shown.clinic,
        headline=headline,
        sentence=sentence,
        follow=f"/t/{secret}",
        data=data,
    )
    # The address is the key to the ticket: it must not be stored by others nor leave with a click.
    response.headers["cache-control"] = "no-store"
    response.headers["referrer-policy"] = "no-referrer"
    response.headers["x-robots-tag"] = "noindex"
    set_cookies(request, response, shown.cookies)
    return response


@router.post("/t/{secret}/{verb}")
async def act_without_script(request: Request, secret: str, verb: PatientVerb) -> Response:
    """The secret in the address is the right to do this; no other proof is needed."""
    page = await Page.open(request)
    await page.views.act(request, secret, verb)
    return page.redirect(f"/t/{secret}")


async def _join_page(
    page: Page, clinic: str, *, problem: Problem | None = None, fields: dict[str, str] | None = None
) -> Response:
    card = await page.views.clinic_card(page.request, clinic, page.lang)
    data = page.script_data(join_texts(page.voice), clinic=card.clinic)
    response = page.render(
        "join.html",
        status=problem.status if problem else 200,
        card=card,
        data=data,
        fields=fields or {},
        key=str(uuid4()),
        error=page.voice.t.gettext(problem.title) if problem else None,
    )
    set_cookies(page.request, response, [Cookie(name=DEVICE_COOKIE, value=_device(page.request), lifetime=A_YEAR)])
    return response


def _device(request: Request) -> str:
    """The browser's random name, made on its first visit."""
    return request.cookies.get(DEVICE_COOKIE) or str(uuid4())

