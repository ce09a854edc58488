"""What notifications add to the house."""

from fastapi import FastAPI

from dawr.accounts.rules_inbox import LATEST
from dawr.notifications import api, api_callbacks, api_channels, api_push, jobs, queries, store_channels, store_tables
from dawr.notifications.channel import use
from dawr.notifications.channels.registry import configured
from dawr.notifications.commands_code import way_of_codes
from dawr.notifications.queries_person import messages_of
from dawr.patients.events import PATIENT_ERASED
from dawr.platform import listeners
from dawr.platform.services import Services
from dawr.records.queries import MESSAGES
from dawr.tickets.commands_proof import SEND_CODE

JOBS = (jobs.visit_events, jobs.appointment_event, jobs.forget_notifications)
TABLES = (store_tables.notice, store_tables.delivery)


def mount(app: FastAPI, services: Services) -> None:
    app.include_router(api.router)
    app.include_router(api_channels.router)
    app.include_router(api_push.router)
    app.include_router(api_callbacks.router)
    use(services, configured(services))
    listeners.now(services, PATIENT_ERASED, store_channels.forget_people)
    services.additions[MESSAGES] = messages_of
    services.additions[LATEST] = queries.latest
    services.additions[SEND_CODE] = way_of_codes
