"""All pages in one router, and the two that belong to nobody: the facility's front door and the API's manual."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from dawr.web import assets, queries
from dawr.web.admin.pages import router as admin_pages
from dawr.web.board.pages import router as board_pages
from dawr.web.desk.pages import router as desk_pages
from dawr.web.doctor.pages import router as doctor_pages
from dawr.web.errors import PageRoute
from dawr.web.patient.pages import router as patient_pages
from dawr.web.patient.pages_appointment import router as appointment_pages
from dawr.web.patient.stop import router as stop_pages
from dawr.web.reception.pages import router as reception_pages
from dawr.web.render import Page

own = APIRouter(route_class=PageRoute)


def router() -> APIRouter:
    everything = APIRouter(include_in_schema=False)
    pages = (
        own,
        patient_pages,
        appointment_pages,
        stop_pages,
        desk_pages,
        doctor_pages,
        reception_pages,
        admin_pages,
        board_pages,
    )
    for part in pages:
        everything.routes.extend(part.routes)
    return everything


@own.get("/")
async def home(request: Request) -> Response:
    page = await Page.open(request)
    return page.render("home.html", clinics=await queries.clinic_cards(page.here, page.lang))


@own.get("/sw.js")
async def service_worker() -> Response:
    """At the root, because a worker serves only what lies below it."""
    script = (assets.FOLDER / "sw.js").read_bytes()
    return Response(script, media_type="text/javascript", headers={"cache-control": "no-cache"})


@own.get("/api/docs")
async def docs(request: Request) -> Response:
    """Swagger UI, served by ourselves so that it works without the internet."""
    page = Page.anywhere(request)
    return page.render("docs.html", openapi=f"{page.root}/api/v1/openapi.json")
