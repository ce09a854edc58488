"""Houses and processes for the proofs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx2

from dawr.app import create_app
from dawr.platform.db import Database
from dawr.platform.ratelimit import RateLimiter
from dawr.platform.services import Services
from tests.conftest import Live, make_services, serving

DESKS = {"lab": ("1", "2"), "xray": ("1",)}
"""Of the clinics of a test's house."""


def services_beside(services: Services, folder: Path) -> Services:
    """The services of a further process on the same database with the same keys, its clock at the same time."""
    made = make_services(services.db.url, folder)
    db = Database(services.db.url, clock=services.clock, metrics=made.metrics, size=12)
    limits = RateLimiter(db.pool, services.keyring, metrics=made.metrics, enabled=False)
    return replace(made, clock=services.clock, keyring=services.keyring, db=db, limits=limits)


@asynccontextmanager
async def process_beside(live: Live, folder: Path) -> AsyncIterator[Live]:
    """The web app a second time, on the database of the first."""
    services = services_beside(live.services, folder)
    app = create_app(services)
    async with serving(app) as url:
        yield Live(url, app, services)


@asynccontextmanager
async def reached(lives: Sequence[Live], client: httpx2.AsyncClient) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """A client that is signed in, at each of several processes."""
    clients = [httpx2.AsyncClient(base_url=one.url, headers=client.headers, timeout=20, verify=False) for one in lives]
    try:
        yield clients
    finally:
        for one in clients:
            await one.aclose()
