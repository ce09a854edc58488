"""``dawr worker``: background work without a web server."""

import asyncio
import time
from pathlib import Path
from uuid import uuid4

import psycopg

from dawr.platform import outbox
from dawr.platform.outbox import later
from dawr.worker import run_worker
from tests.cli.conftest import Starter
from tests.conftest import make_services, new_database
from tests.platform import servers


def test_it_runs_the_jobs_and_stops_when_told(start: Starter, server_url: str) -> None:
    url = servers.database(server_url, "worker_alone")
    running = start("worker", "--data", "data", DATABASE_URL=url)
    running.read_until("Background work is running")
    with psycopg.connect(url, autocommit=True) as connection:
        end = time.monotonic() + 30
        while not connection.execute("SELECT 1 FROM job_tick WHERE name = 'heartbeat'").fetchone():
            assert time.monotonic() < end, start.errors()
            time.sleep(0.1)
    code, seconds = running.stop()
    assert code == 0
    assert seconds < 5
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM procrastinate_workers").fetchone() == (0,)


async def test_inside_another_process_it_lasts_as_long_as_its_block(server_url: str, tmp_path: Path) -> None:
    services = make_services(new_database(server_url), tmp_path)
    done, topic = asyncio.Event(), f"test_{uuid4().hex}"

    @later(topic)
    async def note(*_: object) -> None:
        done.set()

    await services.db.open()
    try:
        async with run_worker(services):
            async with services.db.write(uuid4()) as tx:
                await outbox.put(tx, topic, {}, key="queue:lab/1")
            await asyncio.wait_for(done.wait(), 10)
        assert services.db.on_commit == []
        assert not [task for task in asyncio.all_tasks() if task.get_name() in ("OutboxWorker", "JobsWorker")]
    finally:
        await services.db.close()
