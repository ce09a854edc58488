"""What appointments add to the house."""

from fastapi import FastAPI

from dawr.appointments import (
    api,
    api_schedule,
    commands_people,
    commands_schedule,
    jobs,
    store_tables,  # noqa: F401 - declares the tables
)
from dawr.facilities.events import DOCTORS_CHANGED, DOCTORS_CHANGING
from dawr.patients.events import PATIENT_ERASED, RECORDS_CHANGED, RECORDS_CHANGING
from dawr.platform import listeners
from dawr.platform.services import Services

JOBS = (jobs.end_appointments,)


def mount(app: FastAPI, services: Services) -> None:
    app.include_router(api.router)
    app.include_router(api_schedule.router)
    join(services)


def join(services: Services) -> None:
    """Has appointments and waiting lists follow doctors who go and people whose records are merged, parted or erased."""
    listeners.now(services, DOCTORS_CHANGING, commands_schedule.hold_schedules)
    listeners.now(services, DOCTORS_CHANGED, commands_schedule.follow_doctors)
    listeners.now(services, RECORDS_CHANGING, commands_people.hold_doctors)
    listeners.now(services, RECORDS_CHANGED, commands_people.follow_records)
    listeners.now(services, PATIENT_ERASED, commands_people.forget_erased)
