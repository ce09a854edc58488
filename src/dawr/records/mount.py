"""What records add to the house: a patient's whole history, its export and erasure, and the ratings of visits."""

from fastapi import FastAPI

from dawr.platform.services import Services
from dawr.records import (
    api,
    api_ratings,
    store_tables,  # noqa: F401 - declares the tables
)


def mount(app: FastAPI, _: Services) -> None:
    app.include_router(api.router)
    app.include_router(api_ratings.router)
