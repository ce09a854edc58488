"""What plugins add to the house."""

from fastapi import FastAPI

from dawr.platform.services import Services
from dawr.plugins import api


def mount(app: FastAPI, _: Services) -> None:
    app.include_router(api.router)
