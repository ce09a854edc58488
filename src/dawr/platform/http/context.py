"""Where a handler gets its context from: the resolver that the composition root puts on the app."""

from typing import Any

from fastapi import Request

DEVICE_COOKIE = "dawr_device"
DEVICE_SECONDS = 400 * 24 * 3600
TICKET_COOKIE = "dawr_ticket_"


async def context(request: Request) -> Any:
    """The request's ``Context``: facility, actor, language, device. Raises what forbids to have one."""
    return await request.app.state.resolve(request)
