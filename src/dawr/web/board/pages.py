"""The wall screen: the called numbers of one clinic, or of the whole facility."""

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dawr.accounts.rules import Right
from dawr.web import queries
from dawr.web.board.texts import board_texts
from dawr.web.errors import PageRoute
from dawr.web.queries import ClinicCard
from dawr.web.render import Page

router = APIRouter(route_class=PageRoute)


@router.get("/board")
async def board(request: Request, clinic: str | None = None) -> Response:
    page = await Page.open(request)
    here, lang = page.here, page.lang
    shown = await queries.board_of(here, clinic, lang) if clinic else await queries.board(here, lang)
    data = page.script_data(
        board_texts(page.voice),
        clinic=clinic,
        clinics=_names(shown.cards),
        states=shown.states,
        zone=here.facility.zone,
        stream=_stream(page, clinic),
    )
    return page.render("board.html", cards=shown.cards, states=shown.states, clinic=clinic, data=data)


@router.get("/board/queues")
async def queues(request: Request) -> Response:
    """The states of all queues, for a screen that nobody signed in and that therefore has no stream of all clinics."""
    page = await Page.open(request)
    shown = await queries.board(page.here, page.lang)
    return JSONResponse(shown.states, headers={"cache-control": "no-store"})


def _stream(page: Page, clinic: str | None) -> str | None:
    """What the screen may listen to: one clinic's stream is open to all, that of all clinics is the staff's."""
    if clinic:
        return f"clinic={clinic}"
    return f"facility={page.here.facility.slug}" if page.here.actor.may(Right.WATCH) else None


def _names(cards: Sequence[ClinicCard]) -> list[dict[str, str | None]]:
    return [{"clinic": card.clinic, "name": card.name, "floor": card.floor} for card in cards]
