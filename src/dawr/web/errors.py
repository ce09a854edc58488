"""What a reader sees when a page cannot be answered: a page in their language, never a bare code."""

from collections.abc import Awaitable
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dawr.platform.errors import NotFound, Problem, Unavailable
from dawr.platform.http import problems
from dawr.web.render import Page, root_of

FOR_PROGRAMS = ("/api/", "/static/", "/metrics")


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
            except RequestValidationError:
                if not wants_page(request):
                    raise
                return await error_page(request, NotFound())

        return handle


def wants_page(request: Request) -> bool:
    accepted = request.headers.get("accept", "*/*")
    return "text/html" in accepted or "application/json" not in accepted


async def error_page(request: Request, problem: Problem) -> Response:
    """The problem as a page. The facility's name is shown where it can still be read."""
    try:
        # With the store away there is nothing to read, and nobody should wait for that twice.
        page = Page.anywhere(request) if isinstance(problem, Unavailable) else await Page.open(request)
    except Problem:
        page = Page.anywhere(request)
    say = page.voice.t.gettext
    response = page.render(
        "error.html",
        status=problem.status,
        headline=say(problem.title),
        sentence=say(problem.detail).format(**problem.params) if problem.detail else "",
        problem=problem,
        retry=problem.status in (429, 503),
    )
    response.headers["cache-control"] = "no-store"
    if problem.retry_after is not None:
        response.headers["retry-after"] = str(problem.retry_after)
    return response


async def refusal(request: Request, problem: Problem) -> Response:
    """Why a request was not even looked at: a page for readers, the API's answer for programs."""
    if _is_for_programs(request) or not wants_page(request):
        return problems.response_of(problem, problems.language_of(request.headers))
    return await error_page(request, problem)


def show_unknown_addresses(app: FastAPI) -> None:
    """Makes a 404 for an address nobody serves a page too; every other error stays with the handler before."""
    before = app.exception_handlers[HTTPException]

    async def handle(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404 and not _is_for_programs(request) and wants_page(request):
            return await error_page(request, NotFound())
        answer: Response | Awaitable[Response] = before(request, error)
        return answer if isinstance(answer, Response) else await answer

    app.add_exception_handler(HTTPException, handle)


def _is_for_programs(request: Request) -> bool:
    """Errors of these addresses are problem+json whatever the caller says it accepts."""
    path: str = request.scope["path"]
    return path.removeprefix(root_of(request)).startswith(FOR_PROGRAMS)
