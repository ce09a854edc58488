"""Calling the next writes the same few rows whether ten people wait or a thousand."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import psycopg

from dawr.app import create_app
from dawr.platform.services import Services
from tests.conftest import House, Live, found_house, make_services, new_database, serving
from tests.tickets.conftest import Floor

CALLS = 5
WRITTEN = "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del AS rows FROM pg_stat_user_tables"
OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'dawr'"


async def come(services: Services, house: House, count: int) -> None:
    """So many strangers, fifty at once."""
    app = create_app(services)
    async with serving(app) as url, Live(url, app, services).client(house) as client:
        for first in range(0, count, 50):
            people = [{"clinic": "lab", "user": f"p{n}"} for n in range(first, min(first + 50, count))]
            answers = await asyncio.gather(*(client.post("/api/v1/queue/enter", json=one) for one in people))
            assert {one.status_code for one in answers} == {201}


async def written(url: str) -> Counter[str]:
    """Rows written so far by table. A connection tells what it wrote at its end at the latest, so all have to be gone."""
    ends = time.monotonic() + 20
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as owner:
        while (await (await owner.execute(OTHERS)).fetchone()) != (0,):
            assert time.monotonic() < ends, "a connection of the product stays open"
            await asyncio.sleep(0.02)
        return Counter(dict(await (await owner.execute(WRITTEN)).fetchall()))


async def rows_per_call(url: str, folder: Path, *, waiting: int) -> dict[str, float]:
    services = make_services(url, folder)
    await services.db.open()
    house = await found_house(services)
    await services.db.close()
    await come(make_services(url, folder), house, waiting)
    before = await written(url)
    again = make_services(url, folder)
    await again.db.open()
    called = [await Floor(House(again, house.facility)).call(desk="1") for _ in range(CALLS)]
    await again.db.close()
    assert [one.number for one in called] == [1, 2, 3, 4, 5]
    return {table: rows / CALLS for table, rows in (await written(url) - before).items()}


async def test_a_call_writes_the_ticket_the_queue_and_one_event(server_url: str, tmp_path: Path) -> None:
    url = new_database(server_url)
    few = await rows_per_call(url, tmp_path / "few", waiting=10)
    many = await rows_per_call(url, tmp_path / "many", waiting=1000)
    assert few == many == {"ticket": 1.0, "queue": 1.0, "event": 1.0}
