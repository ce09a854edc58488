"""What webhooks add to the house."""

from fastapi import FastAPI

from dawr.platform.services import Services
from dawr.webhooks import api, jobs

JOBS = (jobs.forget_failures,)


def mount(app: FastAPI, _: Services) -> None:
    app.include_router(api.router)
