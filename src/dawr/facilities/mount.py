"""What facilities add to the house."""

from fastapi import FastAPI

from dawr.facilities import api, api_people
from dawr.platform.services import Services


def mount(app: FastAPI, _: Services) -> None:
    app.include_router(api.router)
    app.include_router(api_people.router)
