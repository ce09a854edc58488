"""More requests than can be answered: those that would only wait are refused at once, so that the others are answered.

There are three lanes, each with room of its own: people who ask for a ticket, staff, and everybody else. A crowd at the door
fills its own lane only; a desk can call meanwhile, and whoever has a ticket sees it. Nobody queues for a lane: what is admitted
waits where it always waits (for the next shared transaction, for a connection), and a lane's room follows the time which that
takes. So an answer takes about ``answer_seconds`` at most, however slow the store has become, and a refusal takes none.

The lanes give precedence, not protection: who claims to be staff is not asked for proof before the request is worked on.
"""

import random
import re
import time
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar, get_args

from starlette.requests import Request
from starlette.responses import Response

from dawr.platform.errors import N_, Problem, Unavailable
from dawr.platform.http import problems
from dawr.platform.http.middleware import App, Receive, Scope, Send, headers_of
from dawr.platform.logging import get_logger
from dawr.platform.services import Services

Name = Literal["entering", "staff", "visiting"]
Show = Callable[[Request, Problem], Awaitable[Response]]
R = TypeVar("R")

LEAST = 32
SMALLER = 0.7
COME_BACK = (1, 4)
QUIET_SECONDS = 10.0
# Their own limits hold (live streams), they cost next to nothing (files), or they are how others see the overload.
_FREE = ("/static/", "/metrics", "/api/v1/health", "/api/v1/events/stream")
_FOR_STAFF = ("/api/v1/auth/", "/desk")
_ENTERING = ("/api/v1/queue/enter", "/c/")
_SESSION = re.compile(rb"(?:^|;\s*)(?:__Host-)?dawr=")
log = get_logger(__name__)


class Overloaded(Unavailable):
    code = "overloaded"
    title = N_("Very many people are asking at the moment; please try again in a few seconds")


class Lane:
    """How many requests of one kind are worked on at once.

    ``limit`` begins at ``most``. When the lane is well filled and an answer took longer than ``within`` seconds, it shrinks, at
    most once in that time; each answer in less than half of it makes it grow by one. In between it stays.
    """

    def __init__(self, most: int, *, within: float) -> None:
        self.most = most
        self.within = within
        self.limit = most
        self.inside = 0
        self._shrunk_at = 0.0

    def enter(self) -> bool:
        if self.inside >= self.limit:
            return False
        self.inside += 1
        return True

    def leave(self, seconds: float, *, now: float) -> None:
        """``seconds`` is what the answer took; ``now`` (a monotonic clock's) when it ended."""
        crowded = self.inside * 2 >= self.limit
        self.inside -= 1
        if seconds < self.within / 2:
            self.limit = min(self.most, self.limit + 1)
        elif seconds > self.within and crowded and now - self._shrunk_at >= self.within:
            self.limit = max(min(LEAST, self.most), int(self.limit * SMALLER))
            self._shrunk_at = now


def lane_of(scope: Scope) -> Name | None:
    """The lane of a request; ``None`` is for what is always served."""
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    if path.startswith(_FREE):
        return None
    headers = headers_of(scope)
    if path.startswith(_FOR_STAFF) or b"authorization" in headers or _SESSION.search(headers.get(b"cookie", b"")):
        return "staff"
    return "entering" if scope["method"] == "POST" and path.startswith(_ENTERING) else "visiting"


def _lane(name: Name, services: Services) -> Lane:
    """A lane whose figures are exported, from the start."""
    lane = Lane(services.settings.requests_at_once, within=services.settings.answer_seconds)
    services.metrics.requests_refused.labels(lane=name)
    services.metrics.lane_limit.labels(lane=name).set_function(lambda: lane.limit)
    services.metrics.lane_inside.labels(lane=name).set_function(lambda: lane.inside)
    return lane


async def _plainly(request: Request, problem: Problem) -> Response:
    return problems.response_of(problem, problems.language_of(request.headers))


class Lanes:
    """The lanes of one process. ``app.state.refusal``, where the app has one, puts a refusal into the form that its reader
    understands."""

    # What the log and the figures call the route of a refused request: none was looked for.
    path = "refused"

    def __init__(self, services: Services) -> None:
        self._metrics = services.metrics
        self._lanes = {name: _lane(name, services) for name in get_args(Name)}
        self._told_at = float("-inf")

    async def passed(self, scope: Scope, receive: Receive, work: Callable[[], Awaitable[R]]) -> R | Response:
        """What ``work`` gives, done in the request's lane; a refusal where there is no room."""
        name = lane_of(scope)
        # A page's form asks the API inside its own request, and shares its state: that has its place already.
        if name is None or scope.setdefault("state", {}).get("admitted"):
            return await work()
        lane = self._lanes[name]
        if not lane.enter():
            return await self._refusal(name, scope, receive)
        scope["state"]["admitted"] = True
        started = time.monotonic()
        try:
            return await work()
        finally:
            now = time.monotonic()
            lane.leave(now - started, now=now)

    async def _refusal(self, name: Name, scope: Scope, receive: Receive) -> Response:
        self._metrics.requests_refused.labels(lane=name).inc()
        self._tell(name)
        scope["endpoint"] = self
        problem = Overloaded(retry_after=random.randint(*COME_BACK))  # noqa: S311
        show: Show = getattr(scope["app"].state, "refusal", _plainly)
        return await show(Request(scope, receive), problem)

    def _tell(self, name: Name) -> None:
        """One line of the log for many refusals."""
        now = time.monotonic()
        if now - self._told_at >= QUIET_SECONDS:
            self._told_at = now
            log.warning("overloaded", lane=name, limit=self._lanes[name].limit)


class Admission:
    """Lets a request pass in its lane, or answers why it may not."""

    def __init__(self, app: App, lanes: Lanes) -> None:
        self.app = app
        self._lanes = lanes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = await self._lanes.passed(scope, receive, lambda: self.app(scope, receive, send))
        if refusal is not None:
            await refusal(scope, receive, send)
