"""What the queue adds to the house."""

from fastapi import FastAPI

from dawr.facilities import queries as facilities
from dawr.facilities.commands import OPEN_TICKETS
from dawr.platform.db import WriteTx
from dawr.platform.http import plain
from dawr.platform.services import Services
from dawr.tickets import api, api_enter, api_proof, commands, jobs
from dawr.tickets.api_crowd import TRAY, tray

JOBS = (jobs.turn_service_days, jobs.forget_proofs)


def mount(app: FastAPI, services: Services) -> None:
    plain.mount(app, api_enter.OPERATION, api_enter.described)
    app.include_router(api.router)
    app.state.plain_operations.update({one.path: one for one in api.STEPS})
    app.include_router(api_proof.router)
    app.include_router(api.figures)
    services.additions[OPEN_TICKETS] = _open_tickets
    services.additions[TRAY] = tray().ask


async def _open_tickets(tx: WriteTx, *, clinic: str, desk: str | None = None, doctor: str | None = None) -> int:
    facility = await facilities.facility(tx)
    assert facility is not None
    return await commands.open_tickets(tx, facility, clinic=clinic, desk=desk, doctor=doctor)
