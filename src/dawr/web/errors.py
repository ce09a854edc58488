"""What a reader sees when a page cannot be answered: a page in their language, never a bare code."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dawr.platform.errors import NotFound, Problem
from dawr.web.render import NOWHERE, Page, language_of, root_of

Handler = Callable[[Request], Awaitable[Response]]


class PageRoute(APIRoute):
    """A route whose problems become pages. Requests of our scripts, which ask for JSON, get the API's answer."""

    def get_route_handler(self) -> Any:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except Problem as problem:
                if not wants_page(request):
                    raise
                return await error_page(request, problem)

        return handle


def wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "text/html")


async def error_page(request: Request, problem: Problem) -> Response:
    """The problem as a page. The facility's name is shown where it can still be read."""
    try:
        page = await Page.open(request)
    except Problem:
        page = Page(request, NOWHERE, language_of(request, NOWHERE))
    headline = page.voice.t.gettext(problem.title)
    sentence = page.voice.t.gettext(problem.detail).format(**problem.params) if problem.detail else ""
    response = page.render(
        "error.html", status=problem.status, headline=headline, sentence=sentence, problem=problem, retry=retry(problem)
    )
    response.headers["cache-control"] = "no-store"
    if problem.retry_after is not None:
        response.headers["retry-after"] = str(problem.retry_after)
    return response


def retry(problem: Problem) -> bool:
    """Whether the same page may simply be asked for again a little later."""
    return problem.status in (429, 503)


def show_unknown_addresses(app: FastAPI) -> None:
    """Makes a 404 for an address nobody serves a page too; every other error stays with the handler before."""
    before = app.exception_handlers.get(HTTPException)

    async def handle(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404 and not is_api(request) and wants_page(request):
            return await error_page(request, NotFound())
        if before is None:
            return Response(status_code=error.status_code, headers=error.headers)
        answer: Response | Awaitable[Response] = before(request, error)
        return answer if isinstance(answer, Response) else await answer

    app.add_exception_handler(HTTPException, handle)  # type: ignore[arg-type]


def is_api(request: Request) -> bool:
    """Addresses for programs: their errors are problem+json whatever the caller says it accepts."""
    path = str(request.scope["path"]).removeprefix(root_of(request))
    return path.startswith(("/api/", "/static/", "/metrics"))
