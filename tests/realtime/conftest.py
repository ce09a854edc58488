"""Servers for the tests of live streams: the whole app, on a socket, on the test's database."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

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


def append_events(url: str, facility: UUID, count: int) -> None:
    """Many events at once, as a reset of a long queue would make them; no process is told."""
    data = {"code": "LAB-001", "number": 1, "desk": None, "from": "gone", "to": "gone", "ahead": None, "pad": ""}
    with psycopg.connect(url) as owner:
        owner.execute(
            "INSERT INTO event (facility_id, stream, version, entity, type, data, actor, at)"
            " SELECT %(facility)s, 'queue:lab', q.version + n, 'x', 'ticket_reset', %(data)s, 'system', now()"
            " FROM queue q, generate_series(1, %(count)s) n WHERE q.facility_id = %(facility)s AND q.clinic = 'lab'",
            {"facility": facility, "data": Jsonb(data), "count": count},
        )
        owner.execute(
            "UPDATE queue SET version = version + %s WHERE facility_id = %s AND clinic = 'lab'", [count, facility]
        )


@pytest.fixture
def base(live: Live, house: House) -> str:
    return base_of(live, house)


@pytest.fixture
def floor(house: House) -> Floor:
    return Floor(house)
