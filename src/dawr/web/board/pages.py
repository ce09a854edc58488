"""The wall screen: the called numbers of one clinic, or of the whole facility."""

from collections.abc import Mapping, Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dawr.web.board.texts import board_texts
from dawr.web.errors import PageRoute
from dawr.web.render import Page, views_of
from dawr.web.views import ClinicCard, QueueState

router = APIRouter(route_class=PageRoute)


@router.get("/board")
async def board(request: Request, clinic: str | None = None) -> Response:
    page = await Page.open(request)
    states = await page.views.board(request, clinic)
    cards = await _cards(page, clinic)
    data = page.script_data(
        board_texts(page.voice), clinic=clinic, clinics=_names(cards), states=_plain(states), zone=page.facility.zone
    )
    return page.render("board.html", cards=cards, states=states, clinic=clinic, data=data)


@router.get("/board/queues")
async def queues(request: Request, clinic: str | None = None) -> Response:
    """The states of the queues for a screen that has no live stream of the whole facility."""
    states = await views_of(request).board(request, clinic)
    return JSONResponse(_plain(states), headers={"cache-control": "no-store"})


async def _cards(page: Page, clinic: str | None) -> Sequence[ClinicCard]:
    if clinic is None:
        return await page.views.clinics(page.request, page.lang)
    return [await page.views.clinic_card(page.request, clinic, page.lang)]


def _names(cards: Sequence[ClinicCard]) -> list[dict[str, str | None]]:
    return [{"clinic": card.clinic, "name": card.name, "floor": card.floor} for card in cards]


def _plain(states: Mapping[str, QueueState]) -> dict[str, object]:
    return {clinic: dict(state) for clinic, state in states.items()}
