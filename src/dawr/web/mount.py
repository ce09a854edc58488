"""What this floor adds to the house: the pages, their static files, and the security headers of every answer."""

from fastapi import FastAPI

from dawr.platform.services import Services
from dawr.web.assets import Assets
from dawr.web.errors import refusal, show_unknown_addresses
from dawr.web.headers import SecurityHeaders
from dawr.web.pages import router


def mount(app: FastAPI, _: Services) -> None:
    """It wraps the app's handler for unknown addresses, so that must be there already."""
    app.mount("/static", Assets(), name="static")
    app.include_router(router())
    app.add_middleware(SecurityHeaders)
    show_unknown_addresses(app)
    app.state.refusal = refusal
