"""What accounts add to the house: sign-in and users over HTTP, and the end of old sessions."""

from fastapi import FastAPI

from dawr.accounts import jobs
from dawr.accounts.api import router
from dawr.platform.services import Services

__all__ = ["jobs", "mount"]


def mount(app: FastAPI, _: Services) -> None:
    app.include_router(router)
