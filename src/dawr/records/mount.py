"""What records add to the house: a patient's whole history, its export and erasure, and the ratings of visits."""

from fastapi import FastAPI

from dawr.patients.events import PATIENT_ERASED
from dawr.platform import listeners
from dawr.platform.services import Services
from dawr.records import (
    api,
    api_ratings,
    commands,
    store_tables,  # noqa: F401 - declares the tables
)


def mount(app: FastAPI, services: Services) -> None:
    app.include_router(api.router)
    app.include_router(api_ratings.router)
    listeners.now(services, PATIENT_ERASED, commands.forget_words)
