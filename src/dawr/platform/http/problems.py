"""Errors as ``application/problem+json`` (RFC 9457), in the reader's language; nothing internal leaks."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from dawr.platform.errors import N_, Invalid, NotFound, Problem
from dawr.platform.i18n import LANGUAGES, negotiate, translator
from dawr.platform.logging import get_logger

TYPE = "urn:dawr:problem:"
MEDIA_TYPE = "application/problem+json"
log = get_logger(__name__)


class MalformedJson(Invalid):
    code = "malformed_json"
    title = N_("The request is not valid JSON")


class MethodNotAllowed(Problem):
    status = 405
    code = "method_not_allowed"
    title = N_("This address does not answer that method")


class InternalError(Problem):
    status = 500
    code = "internal_error"
    title = N_("Something went wrong here; it has been noted")


def language_of(headers: Mapping[str, str]) -> str:
    return negotiate(headers.get("accept-language"), LANGUAGES)


def body_of(problem: Problem, language: str) -> dict[str, Any]:
    """The members of the answer, translated. ``detail`` falls back to the title."""
    gettext = translator(language).gettext
    title = gettext(problem.title)
    detail = gettext(problem.detail).format(**problem.params) if problem.detail else title
    own = {
        "type": TYPE + problem.code,
        "title": title,
        "status": problem.status,
        "detail": detail,
        "code": problem.code,
    }
    return own | problem.extra


def response_of(problem: Problem, language: str) -> Response:
    headers = {"Cache-Control": "no-store", "Content-Language": language, "Vary": "Accept-Language"}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="dawr"'
    return Response(orjson.dumps(body_of(problem, language)), problem.status, headers, MEDIA_TYPE)


def _with_allowed(response: Response, error: Exception) -> Response:
    """A 405 names the methods that the address does answer."""
    allowed = (error.headers or {}).get("Allow") if isinstance(error, HTTPException) else None
    if allowed:
        response.headers["Allow"] = allowed
    return response


def _places(error: RequestValidationError) -> list[dict[str, str]]:
    """Where the mistakes are and of what kind; never the value that was sent."""
    return [
        {"in": ".".join(str(part) for part in one["loc"][:12]), "problem": str(one["msg"])[:200]}
        for one in error.errors()[:20]
    ]


def _as_problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        if any(one["type"] == "json_invalid" for one in error.errors()):
            return MalformedJson()
        return Invalid(extra={"errors": _places(error)})
    if isinstance(error, HTTPException):
        return {404: NotFound, 405: MethodNotAllowed, 400: MalformedJson}.get(error.status_code, Invalid)()
    return InternalError()


async def answer(request: Request, error: Exception) -> Response:
    """A failure as its reader is told; what is not a problem of ours is noted and told as one."""
    problem = _as_problem(error)
    if problem.status == 500:
        log.error("internal_error", error=type(error).__name__, exc_info=error)
    return _with_allowed(response_of(problem, language_of(request.headers)), error)


def install(app: FastAPI) -> None:
    """Makes the app answer every failure as a problem."""
    for kind in (Problem, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of an operation for OpenAPI: these statuses, and those that any operation may answer."""
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {MEDIA_TYPE: {"schema": schema}}
    return {
        one: {"description": _PHRASES[one], "content": content} for one in sorted({*statuses, 404, 413, 422, 429, 503})
    }


_PHRASES = {
    400: "A value is missing",
    401: "No valid credential",
    403: "Not your right",
    404: "Not here",
    408: "Too slow to arrive",
    409: "Not in this state",
    413: "Too large",
    422: "A mistake in the request",
    429: "Too many requests",
    503: "Out of reach for a moment",
}

PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable and machine-readable"},
    },
}
