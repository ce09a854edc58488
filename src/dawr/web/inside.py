"""A page's plain form asks the API, in the same process, as a script in the browser would over the network.

So there is one way to change anything: limits, keys, rights and events are the API's, whoever asks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Scope

from dawr.web.render import root_of

# What tells the API who asks and from where; everything else belongs to the form itself.
_PASSED_ON = frozenset({b"host", b"origin", b"sec-fetch-site", b"user-agent", b"x-forwarded-for", b"x-forwarded-proto"})


@dataclass(slots=True)
class Answer:
    """What the API said. ``cookies`` are its ``Set-Cookie`` headers, for the browser."""

    status: int = 500
    content: dict[str, Any] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)
    retry_after: str | None = None

    @property
    def refused(self) -> bool:
        return self.status >= 400

    @property
    def explanation(self) -> str:
        """Why, in the reader's language."""
        return str(self.content.get("detail") or self.content.get("title") or "")

    def pass_cookies_to(self, response: Response) -> None:
        for cookie in self.cookies:
            response.headers.append("set-cookie", cookie)


async def post(
    request: Request, path: str, body: Mapping[str, Any], *, cookies: Mapping[str, str], headers: Mapping[str, str]
) -> Answer:
    """``POST`` to ``path`` below the facility's root, for whoever sent ``request``, with only these cookies."""
    content = orjson.dumps(dict(body))
    own = {"content-type": "application/json", "content-length": str(len(content)), "accept": "application/json"}
    if cookies:
        own["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    passed_on = [(name, value) for name, value in request.scope["headers"] if name in _PASSED_ON]
    sent = [(name.lower().encode(), value.encode("latin-1")) for name, value in (own | dict(headers)).items()]
    return await _ask(request, _scope(request, root_of(request) + path, [*passed_on, *sent]), content)


def _scope(request: Request, path: str, headers: list[tuple[bytes, bytes]]) -> Scope:
    kept = {name: request.scope[name] for name in ("type", "asgi", "http_version", "scheme", "server", "client")}
    state = {"state": request.scope["state"]} if "state" in request.scope else {}
    address = {"path": path, "raw_path": path.encode(), "query_string": b"", "root_path": ""}
    return {**kept, **state, **address, "method": "POST", "headers": headers}


async def _ask(request: Request, scope: Scope, content: bytes) -> Answer:
    answer, body = Answer(), bytearray()

    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            for name, value in message["headers"]:
                _note(answer, name.decode().lower(), value.decode("latin-1"))
        else:
            body.extend(message.get("body", b""))

    await request.app(scope, receive, send)
    if body:
        answer.content = orjson.loads(bytes(body))
    return answer


def _note(answer: Answer, name: str, value: str) -> None:
    if name == "set-cookie":
        answer.cookies.append(value)
    elif name == "retry-after":
        answer.retry_after = value
