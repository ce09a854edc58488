"""What live streams add to the house: the hub for as long as the app runs, its address, its health."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy

from fastapi import FastAPI
from starlette.routing import Route

from dawr.platform.db import Stream
from dawr.platform.health import Check, Status
from dawr.platform.services import Services
from dawr.realtime.api import PATH, EventStream, Straight
from dawr.realtime.described import OPERATION
from dawr.realtime.hub import Hub
from dawr.realtime.rules import WAKING, Pace
from dawr.realtime.store import Bell


def mount(app: FastAPI, services: Services) -> None:
    settings = services.settings
    pace = Pace(
        stream=settings.stream_seconds, jitter=settings.stream_jitter_seconds, heartbeat=settings.heartbeat_seconds
    )
    hub = Hub(services, pace, wake_url=_wake_url(services))

    async def well() -> Check:
        troubles = hub.troubles
        return Check(Status.DEGRADED, ", ".join(troubles)) if troubles else Check(Status.HEALTHY)

    route = Route(PATH, EventStream(hub), methods=["GET"], name="event_stream", include_in_schema=False)
    # First: a thousand clients may come in a second, and each route that stands before costs every one of them.
    app.router.routes.insert(0, route)
    _keep_straight(app)
    app.state.openapi_paths = getattr(app.state, "openapi_paths", {}) | {PATH: {"get": deepcopy(OPERATION)}}
    app.state.lifespans.append(hub.running)
    app.state.on_stop.append(hub.stop)
    app.state.health.add("events", well)
    app.state.hub = hub


def _keep_straight(app: FastAPI) -> None:
    """Around everything, the framework's own outermost layer too: that is no place for a middleware."""
    build = app.build_middleware_stack

    def around() -> Straight:
        return Straight(build())

    app.build_middleware_stack = around  # type: ignore[method-assign]


@asynccontextmanager
async def announcing(services: Services) -> AsyncIterator[None]:
    """For a process without streams (a worker of its own): tells the others what it commits."""
    bell = Bell(_wake_url(services))

    def committed(touched: set[Stream]) -> None:
        woken = [one for one in touched if one[1].startswith(WAKING)]
        if woken:
            bell.ring(woken)

    services.db.on_commit.append(committed)
    task = asyncio.create_task(bell.run())
    try:
        yield
    finally:
        services.db.on_commit.remove(committed)
        task.cancel()
        await asyncio.wait([task])


def _wake_url(services: Services) -> str:
    """Past any pooler: LISTEN needs a connection that stays."""
    return services.settings.database_direct_url or services.db.url
