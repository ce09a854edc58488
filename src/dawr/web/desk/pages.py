"""The staff's pages: sign in, and the desk from which one queue is worked."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dawr.platform.errors import Problem, Unauthenticated
from dawr.web.desk.texts import desk_texts
from dawr.web.errors import PageRoute
from dawr.web.guard import require_csrf, require_same_site
from dawr.web.render import Page, form_of, views_of
from dawr.web.views import ClinicCard, StaffCard

router = APIRouter(route_class=PageRoute)


@router.get("/desk")
async def desk(request: Request) -> Response:
    page = await Page.open(request)
    staff = await page.views.staff(request, page.lang)
    if staff is None:
        return _sign_in_page(page)
    chosen = _chosen(staff, request.query_params.get("clinic"))
    targets = await page.views.clinics(request, page.lang) if chosen else ()
    data = page.script_data(desk_texts(page.voice), csrf=staff.csrf, clinic=chosen.clinic if chosen else None)
    response = page.render("desk.html", staff=staff, chosen=chosen, targets=targets, data=data)
    response.headers["cache-control"] = "no-store"
    return response


@router.post("/desk/sign-in")
async def sign_in(request: Request) -> Response:
    page = await Page.open(request)
    require_same_site(request)
    fields = await form_of(request)
    try:
        cookies = await page.views.sign_in(request, fields.get("email", ""), fields.get("password", ""))
    except Problem as problem:
        return _sign_in_page(page, problem, fields.get("email", ""))
    return page.redirect("/desk", cookies)


@router.post("/desk/sign-out")
async def sign_out(request: Request) -> Response:
    page = await Page.open(request)
    require_same_site(request)
    staff = await page.views.staff(request, page.lang)
    if staff is None:
        return page.redirect("/desk")
    require_csrf(staff, (await form_of(request)).get("csrf", ""))
    return page.redirect("/desk", await page.views.sign_out(request))


@router.get("/desk/queue")
async def queue(request: Request, clinic: str) -> Response:
    """The lists of one clinic for the script of the desk."""
    answer = await views_of(request).desk_queue(request, clinic)
    return JSONResponse(dict(answer), headers={"cache-control": "no-store"})


def _sign_in_page(page: Page, problem: Problem | None = None, email: str = "") -> Response:
    error = _explain(page, problem) if problem else None
    response = page.render("sign_in.html", status=problem.status if problem else 200, error=error, email=email)
    response.headers["cache-control"] = "no-store"
    if problem and problem.retry_after is not None:
        response.headers["retry-after"] = str(problem.retry_after)
    return response


def _explain(page: Page, problem: Problem) -> str:
    if isinstance(problem, Unauthenticated):
        return page.voice.t.gettext("The e-mail address or the password is not right.")
    return page.voice.t.gettext(problem.title)


def _chosen(staff: StaffCard, wish: str | None) -> ClinicCard | None:
    """The clinic whose queue is shown: the one asked for, else the only or first one."""
    by_name = {card.clinic: card for card in staff.clinics}
    return by_name.get(wish or "") or next(iter(staff.clinics), None)

