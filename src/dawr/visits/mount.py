"""What visits add to the house."""

from fastapi import FastAPI

from dawr.patients.events import PATIENT_ERASED, RECORDS_CHANGED
from dawr.patients.rules import PATIENT_KNOWN_TO
from dawr.platform import listeners
from dawr.platform.services import Services
from dawr.visits import api, commands, commands_follow, commands_people, queries


def mount(app: FastAPI, services: Services) -> None:
    app.include_router(api.router)
    app.state.plain_operations[api.CREATE.path] = api.CREATE
    join(services)


def join(services: Services) -> None:
    """Has visits follow their tickets and forget who is erased, and says whom a doctor knows."""
    services.additions[PATIENT_KNOWN_TO] = queries.known_to
    listeners.now(services, "ticket", commands_follow.follow)
    listeners.now(services, PATIENT_ERASED, commands.forget_erased)
    listeners.now(services, RECORDS_CHANGED, commands_people.follow_records)
