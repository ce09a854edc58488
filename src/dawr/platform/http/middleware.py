"""What wraps every request, as plain ASGI: its id and log line, the size of its body, the facility in its path."""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote_to_bytes

from dawr.platform.errors import Invalid, Problem, TooLarge, TooSlow
from dawr.platform.http.bodies import FORBIDDEN
from dawr.platform.http.problems import language_of, response_of
from dawr.platform.logging import RequestContext, log_request
from dawr.platform.metrics import Metrics

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY = 64 * 1024
BODY_SECONDS = 20.0
_PREFIX = re.compile(r"^/f/([^/]+)(/.*)?$")
_PLAIN = re.compile(rb"[A-Za-z0-9/._-]+")
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")
_FORM = b"application/x-www-form-urlencoded"


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """A request's headers by their name in small letters, the first of each; read once a request."""
    found: dict[bytes, bytes] | None = scope.get("dawr.headers")
    if found is None:
        found = scope["dawr.headers"] = dict(reversed(scope["headers"]))
    return found


def header(scope: Scope, name: bytes) -> bytes | None:
    return headers_of(scope).get(name)


def body_of(scope: Scope) -> bytes:
    """The whole body of a request that changes something; ``PlainRequests`` has read it."""
    body: bytes = scope["dawr.body"]
    return body


async def refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    headers = {"accept-language": (header(scope, b"accept-language") or b"").decode("latin-1")}
    await response_of(problem, language_of(headers))(scope, receive, send)


class RequestLog:
    """Gives each request an id (the client's, where it is plain), a log line without its address's secrets, and metrics."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = headers_of(scope)
        request_id = request_id_of(headers)
        status, answered = 0, 0.0

        async def noting(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                # A stream's life is not the time somebody waited for it.
                status, answered = message["status"], time.perf_counter()
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        started = time.perf_counter()
        with RequestContext(request_id=request_id, user_agent=headers.get(b"user-agent", b"").decode("latin-1")):
            try:
                await self.app(scope, receive, noting)
            except Exception:
                status = status or 500
                raise
            finally:
                note(self.metrics, scope, status, (answered or time.perf_counter()) - started)


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id")
    if given is not None and _REQUEST_ID.match(text := given.decode("latin-1")):
        return text
    # 32 hexadecimal digits: a shorter id may hold what the log takes for a phone number. Nobody has to be kept from guessing it.
    return f"{random.getrandbits(128):032x}"


def note(metrics: Metrics, scope: Scope, status: int, seconds: float) -> None:
    """Counts a request and leaves its line in the log. Status 0: nobody was answered, whoever asked had gone."""
    # A plain ASGI endpoint is no route that the framework notes; it may tell its own path.
    matched = scope.get("route") or scope.get("endpoint")
    route: str = getattr(matched, "path", "unmatched")
    metrics.request(route=route, method=scope["method"], status=status or 499, seconds=seconds)
    log_request(method=scope["method"], route=route, status=status or 499, milliseconds=round(seconds * 1000, 1))


class PlainRequests:
    """Refuses control characters in addresses, and bodies over the limit; hands a body that has come whole on as one message.

    ``curl -d`` calls JSON a form: on the API's addresses that is read as the JSON it is.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            self._check_address(scope)
            if scope["method"] in ("POST", "PUT", "PATCH", "DELETE"):
                body = await read_body(scope, receive)
                receive = _replayed({"type": "http.request", "body": body, "more_body": False}, receive)
        except Problem as problem:
            await refuse(problem, scope, receive, send)
        except ConnectionAbortedError:
            return
        else:
            await self.app(scope, receive, send)

    def _check_address(self, scope: Scope) -> None:
        if _PLAIN.fullmatch(scope.get("raw_path") or b"") and not scope["query_string"]:
            return
        address = unquote_to_bytes(scope.get("raw_path") or scope["path"].encode()) + unquote_to_bytes(
            scope["query_string"]
        )
        try:
            text = address.decode()
        except UnicodeDecodeError as error:
            raise Invalid from error
        if FORBIDDEN.search(text):
            raise Invalid


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body, kept for ``body_of``. Raises ``TooLarge``, ``TooSlow`` for one that does not come,
    ``ConnectionAbortedError`` if its sender went."""
    headers = headers_of(scope)
    if int(headers.get(b"content-length") or 0) > MAX_BODY:
        raise TooLarge
    first = _at_once(receive())
    body, whole = _grown(b"", first) if first else (b"", False)
    if not whole:
        body = await _rest(body, receive)
    scope["dawr.body"] = body
    if "/api/" in scope["path"] and (headers.get(b"content-type") or _FORM).startswith(_FORM):
        kept = [(key, value) for key, value in scope["headers"] if key != b"content-type"]
        scope["headers"] = [*kept, (b"content-type", b"application/json")]
        headers[b"content-type"] = b"application/json"
    return body


async def _rest(body: bytes, receive: Receive) -> bytes:
    whole = False
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while not whole:
                body, whole = _grown(body, await receive())
    except TimeoutError as error:
        raise TooSlow from error
    return body


def _at_once(coming: Awaitable[Message]) -> Message | None:
    """What is there already, as most bodies are: a timer would cost more than to read one. ``None`` where there is something to
    wait for; nothing of that is taken."""
    steps = coming.__await__()
    try:
        next(steps)
    except StopIteration as arrived:
        message: Message = arrived.value
        return message
    steps.close()
    return None


def _grown(body: bytes, message: Message) -> tuple[bytes, bool]:
    """The body with what a message brings, and whether that is all of it."""
    if message["type"] == "http.disconnect":
        raise ConnectionAbortedError
    body += message.get("body", b"")
    if len(body) > MAX_BODY:
        raise TooLarge
    return body, not message.get("more_body", False)


def _replayed(first: Message, receive: Receive) -> Receive:
    waiting = [first]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


class FacilityPrefix:
    """Takes ``/f/<facility>`` for the root of the path: routes match what follows, links keep it.

    The scope is changed in place, so that the log around it sees the route that is found.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _PREFIX.match(scope["path"]) if scope["type"] == "http" else None
        if found:
            prefix = f"/f/{found[1]}"
            path = scope["path"] if found[2] else f"{prefix}/"
            scope.update(path=path, root_path=prefix, facility_slug=found[1])
        await self.app(scope, receive, send)
