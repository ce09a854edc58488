"""What patients add to the house."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from dawr.patients import api, jobs
from dawr.platform.services import Services


def mount(app: FastAPI, services: Services) -> None:
    app.include_router(api.router)
    app.state.lifespans.append(lambda: _without_the_erased(services))


@asynccontextmanager
async def _without_the_erased(services: Services) -> AsyncIterator[None]:
    """Before anything is answered, whoever was erased is erased again: the database may be an older one, put back."""
    await jobs.keep_erased(services)
    yield
