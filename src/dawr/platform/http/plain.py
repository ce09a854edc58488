"""An operation that crowds ask for, as plain ASGI: one JSON body in, one answer out, without the framework's own work around it.

It stands before every route. What OpenAPI says of it comes from the route of a typed function that is never called.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from dawr.platform.http import problems
from dawr.platform.http.bodies import Body
from dawr.platform.http.context import context
from dawr.platform.http.middleware import App, Receive, Scope, Send, body_of, headers_of

B = TypeVar("B", bound=Body)


class PlainOperation(Generic[B]):
    """``handle(body, here)`` answers; ``here`` is the request's context."""

    def __init__(self, path: str, shape: type[B], handle: Callable[[B, Any], Awaitable[Response]]) -> None:
        self.path = path
        self._shape = shape
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            here = await context(request)
            response = await self._handle(self._body(body_of(scope), headers_of(scope).get(b"content-type")), here)
        except Exception as error:
            response = await problems.answer(request, error)
        await response(scope, receive, send)

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
        scope["endpoint"] = operation
        await operation(scope, receive, send)


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def mount(app: FastAPI, operation: PlainOperation[Any], described: APIRouter) -> None:
    """Puts a POST operation before every route. The route it is ``described`` by tells other methods what is allowed."""
    app.state.plain_operations[operation.path] = operation
    app.include_router(described)
