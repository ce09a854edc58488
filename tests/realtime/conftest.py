"""Servers for the tests of live streams: the whole app, on a socket, on the test's database."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dawr.app import create_app
from dawr.realtime.hub import Hub
from tests.conftest import House, Live, make_services, serving
from tests.tickets.conftest import Floor


def base_of(live: Live, house: House) -> str:
    """The address of a facility on a server."""
    return f"{live.url}/f/{house.facility.slug}"


def floor_of(live: Live, house: House) -> Floor:
    """The house's waiting room, its commands run by this process."""
    return Floor(replace(house, services=live.services))


def hub_of(live: Live) -> Hub:
    found: Hub = live.app.state.hub
    return found


@asynccontextmanager
async def process(
    url: str, folder: Path, *, pace: Mapping[str, Any] | None = None, **settings: Any
) -> AsyncIterator[Live]:
    """A process of its own: services, app and port; the database may be another process's too."""
    services = make_services(url, folder, **settings)
    app = create_app(services)
    app.state.hub.pace = replace(app.state.hub.pace, **(pace or {}))
    async with serving(app) as address:
        yield Live(address, app, services)


@pytest.fixture
def base(live: Live, house: House) -> str:
    return base_of(live, house)


@pytest.fixture
def floor(house: House) -> Floor:
    return Floor(house)
