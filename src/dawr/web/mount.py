"""What this floor adds to the house: the pages and their static files."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from dawr.platform.services import Services
from dawr.web.assets import Assets
from dawr.web.errors import refusal, show_unknown_addresses
from dawr.web.pages import router
from dawr.web.render import prepare


def mount(app: FastAPI, _: Services) -> None:
    """It wraps the app's handler for unknown addresses, so that must be there already."""
    app.mount("/static", Assets(), name="static")
    app.include_router(router())
    show_unknown_addresses(app)
    app.state.refusal = refusal
    app.state.lifespans.append(_preparing)


@asynccontextmanager
async def _preparing() -> AsyncIterator[None]:
    """Beside the rest of the start, which need not wait for it."""
    prepared = asyncio.create_task(asyncio.to_thread(prepare))
    try:
        yield
    finally:
        await prepared
