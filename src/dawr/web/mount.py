"""What this floor adds to the house: the pages, their static files, and the security headers of every answer."""

from fastapi import FastAPI

from dawr.web.assets import Assets
from dawr.web.errors import show_unknown_addresses
from dawr.web.headers import SecurityHeaders
from dawr.web.pages import router
from dawr.web.views import Views


def mount(app: FastAPI, views: Views) -> None:
    """Call it last: it wraps the handler for unknown addresses that the application already has."""
    app.state.views = views
    app.mount("/static", Assets(), name="static")
    app.include_router(router())
    app.add_middleware(SecurityHeaders)
    show_unknown_addresses(app)
