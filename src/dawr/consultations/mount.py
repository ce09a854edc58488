"""What consultations add to the house: their addresses, and that the end of a ticket stays while one is kept for it."""

from fastapi import FastAPI

from dawr.consultations import (
    api,
    commands,
    store_tables,  # noqa: F401 - declares the tables
)
from dawr.platform import listeners
from dawr.platform.services import Services


def mount(app: FastAPI, services: Services) -> None:
    app.include_router(api.router)
    listeners.now(services, "ticket", commands.keep_ended)
