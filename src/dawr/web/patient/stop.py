"""The page behind the link in a mail: no more messages, or some again. Nobody signs in; the link is the right to do this.

Looking changes nothing, since programs that look for harm in mails open every link. What mail programs send themselves when
their own button is pressed (RFC 8058) is the same as the page's.
"""

from datetime import timedelta

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from dawr.notifications import commands_stop
from dawr.platform.ratelimit import Limit
from dawr.web.errors import PageRoute
from dawr.web.render import Page, form_of

router = APIRouter(route_class=PageRoute)
OPENING = Limit("stop_link", 30, timedelta(minutes=1), 30)


@router.get("/u/{token}")
async def messages(request: Request, token: str) -> Response:
    page = await Page.open(request)
    recipient = await _receiver(page, token)
    async with page.here.read() as tx:
        stopped = await commands_stop.is_stopped(tx, recipient)
    return _stop_page(page, token, stopped=stopped)


@router.post("/u/{token}")
async def say(request: Request, token: str) -> Response:
    page = await Page.open(request)
    recipient = await _receiver(page, token)
    stopped = "again" not in await form_of(request)
    async with page.here.write() as tx:
        await commands_stop.say(tx, recipient, stopped=stopped)
    return _stop_page(page, token, stopped=stopped, done=True)


async def _receiver(page: Page, token: str) -> bytes:
    recipient = commands_stop.receiver(page.here, token)
    # Not by the caller's address: a large mail provider presses the button for all of its people.
    await page.here.services.limits.check((OPENING, recipient.hex()))
    return recipient


def _stop_page(page: Page, token: str, *, stopped: bool, done: bool = False) -> Response:
    response = page.render("stop.html", stopped=stopped, done=done, action=f"/u/{token}")
    # The address is the right to change this: it must not be stored by others nor leave with a click.
    response.headers["cache-control"] = "no-store"
    response.headers["referrer-policy"] = "no-referrer"
    response.headers["x-robots-tag"] = "noindex"
    return response
