"""An operation that crowds ask for, as plain ASGI: one JSON body in, one answer out, without the framework's own work around it.

At its plain address it is answered before the framework (``Shortcut``); asked in any other way (a facility in the path, a
query) by the innermost middleware. What OpenAPI says of it comes from the route of a typed function that is never called.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from dawr.platform.errors import Problem
from dawr.platform.http import problems
from dawr.platform.http.admission import Lanes
from dawr.platform.http.bodies import Body
from dawr.platform.http.context import context
from dawr.platform.http.headers import complete
from dawr.platform.http.middleware import (
    App,
    Receive,
    Scope,
    Send,
    body_of,
    headers_of,
    note,
    read_body,
    request_id_of,
)
from dawr.platform.logging import RequestContext
from dawr.platform.metrics import Metrics

B = TypeVar("B", bound=Body)


class PlainOperation(Generic[B]):
    """``handle(body, here)`` answers; ``here`` is the request's context."""

    def __init__(self, path: str, shape: type[B], handle: Callable[[B, Any], Awaitable[Response]]) -> None:
        self.path = path
        self._shape = shape
        self._handle = handle

    async def answer(self, request: Request) -> Response:
        """The answer to a request whose body has been read."""
        scope = request.scope
        scope["endpoint"] = self
        try:
            here = await context(request)
            return await self._handle(self._body(body_of(scope), headers_of(scope).get(b"content-type")), here)
        except Exception as error:
            return await problems.answer(request, error)

    def _body(self, sent: bytes, kind: bytes | None) -> B:
        try:
            # As the framework has it: what says of itself that it is something else is not read as JSON.
            if kind is not None and not _is_json(kind):
                return self._shape.model_validate(sent)
            return self._shape.model_validate_json(sent)
        except ValidationError as error:
            errors = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
            raise RequestValidationError(errors) from error


def _is_json(kind: bytes) -> bool:
    if kind == b"application/json":
        return True
    main = kind.partition(b";")[0].strip().lower()
    return main == b"application/json" or (main.startswith(b"application/") and main.endswith(b"+json"))


class PlainOperations:
    """The innermost middleware: answers what is asked of its operations, and hands everything else on."""

    def __init__(self, app: App, operations: Mapping[str, PlainOperation[Any]]) -> None:
        self.app = app
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation = self._operations.get(_path(scope)) if scope["type"] == "http" else None
        if operation is None or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        response = await operation.answer(Request(scope, receive))
        await response(scope, receive, send)


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


class Shortcut:
    """What the middlewares do for a plain operation, step by step in one place: thirteen layers, each with a function that
    sends, would cost as much as the ticket itself."""

    def __init__(self, operations: Mapping[str, PlainOperation[Any]], lanes: Lanes, metrics: Metrics) -> None:
        self._operations = operations
        self._lanes = lanes
        self._metrics = metrics

    def takes(self, scope: Scope) -> bool:
        """Whether this is an operation's plain address: nothing in it has to be looked at more closely."""
        path: str = scope.get("path", "")
        return (
            path in self._operations
            and scope["method"] == "POST"
            and not scope["query_string"]
            and scope.get("raw_path") == path.encode()
            and not scope.get("root_path")
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request that it takes; ``scope["app"]`` is set."""
        headers = headers_of(scope)
        request_id = request_id_of(headers)
        status, answered, started = 0, 0.0, time.perf_counter()
        with RequestContext(request_id=request_id, user_agent=headers.get(b"user-agent", b"").decode("latin-1")):
            try:
                response = await self._answer(scope, receive)
                status, answered = response.status_code, time.perf_counter()
                await _send(response, scope, send, request_id)
            except ConnectionAbortedError:
                return
            finally:
                note(self._metrics, scope, status, (answered or time.perf_counter()) - started)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        request = Request(scope, receive)
        try:
            await read_body(scope, receive)
        except Problem as problem:
            return await problems.answer(request, problem)
        operation = self._operations[scope["path"]]
        return await self._lanes.passed(scope, receive, lambda: operation.answer(request))


async def _send(response: Response, scope: Scope, send: Send, request_id: str) -> None:
    headers = complete([*response.raw_headers, (b"x-request-id", request_id.encode())], scope["scheme"])
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def mount(app: FastAPI, operation: PlainOperation[Any], described: APIRouter) -> None:
    """Puts a POST operation before every route. The route it is ``described`` by tells other methods what is allowed."""
    app.state.plain_operations[operation.path] = operation
    app.include_router(described)
