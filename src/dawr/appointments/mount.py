"""What appointments add to the house."""

from fastapi import FastAPI

from dawr.appointments import (
    api,
    api_schedule,
    jobs,
    store_tables,  # noqa: F401 - declares the tables
)
from dawr.platform.services import Services

JOBS = (jobs.end_appointments,)


def mount(app: FastAPI, _: Services) -> None:
    app.include_router(api.router)
    app.include_router(api_schedule.router)
