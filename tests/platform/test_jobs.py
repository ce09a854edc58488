import asyncio
import os
import signal
import time

import procrastinate
import pytest

from dawr.platform import jobs
from dawr.platform.embedded_postgres import EmbeddedPostgres
from dawr.platform.jobs import JobsWorker, PeriodicJob, Run
from dawr.platform.services import Services
from tests.platform import servers

EVERY_SECOND = "* * * * * */1"


@pytest.fixture
def services(one_process: Services) -> Services:
    return one_process


class Runs:
    """A job that counts its runs."""

    def __init__(self, failures: int = 0) -> None:
        self.count = 0
        self.failures = failures
        self.changed = asyncio.Event()

    async def __call__(self, services: Services) -> None:
        self.count += 1
        self.changed.set()
        if self.count <= self.failures:
            raise ConnectionError

    async def until(self, count: int, seconds: float = 15) -> None:
        async with asyncio.timeout(seconds):
            while self.count < count:
                self.changed.clear()
                await self.changed.wait()


class Running:
    """A worker at work in the block."""

    def __init__(self, services: Services, run: Run, *, cron: str = EVERY_SECOND) -> None:
        self.worker = JobsWorker(services, jobs={"tidy": PeriodicJob("tidy", cron, run)})

    async def __aenter__(self) -> None:
        self.task = asyncio.create_task(self.worker.run())

    async def __aexit__(self, *_: object) -> None:
        self.worker.stop()
        await asyncio.wait_for(self.task, 5)


async def count(services: Services, what: str) -> int:
    async with services.db.read() as tx:
        found: int = await tx.value(f"SELECT count(*) FROM {what}")
    return found


def app(services: Services) -> procrastinate.App:
    return procrastinate.App(connector=procrastinate.PsycopgConnector())


async def test_a_job_comes_round_leaves_nothing_behind_and_says_when_it_ended(services: Services) -> None:
    runs = Runs()
    async with Running(services, runs):
        await runs.until(2)
    assert await count(services, "procrastinate_jobs") == 0
    assert await count(services, "procrastinate_workers") == 0
    (tick,) = await jobs.ticks(services.db)
    assert (tick.name, tick.outcome) == ("tidy", "done")
    since = await jobs.seconds_since(services.db, "tidy")
    assert since is not None
    assert 0 <= since < 5
    assert services.metrics.registry.get_sample_value("jobs_total", {"name": "tidy", "outcome": "done"}) == runs.count


async def test_each_tick_is_run_by_one_process(postgres: EmbeddedPostgres, services: Services) -> None:
    runs, began = Runs(), time.time()
    async with servers.services(postgres.url) as other:
        async with Running(services, runs), Running(other, runs):
            await runs.until(4)
    assert runs.count <= time.time() - began + 2


async def test_a_job_that_failed_is_tried_again_before_its_next_tick(services: Services) -> None:
    runs = Runs(failures=1)
    yearly = "0 0 1 1 *"
    async with Running(services, runs, cron=yearly):
        assert await jobs.seconds_since(services.db, "tidy") is None
        await defer(services)
        await runs.until(2)
    (tick,) = await jobs.ticks(services.db)
    assert tick.outcome == "done"


async def defer(services: Services) -> None:
    """What the tick of a job does."""
    made = app(services)
    async with made.open_async(services.db.pool):
        await made.configure_task("tidy", queue=jobs.QUEUE, lock="tidy").defer_async(timestamp=0)


async def stalled(services: Services, *, followed: bool) -> None:
    """Leaves a job behind whose worker died an hour ago, and maybe its next run."""
    async with services.db.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')"
        )
        for status in ["doing"] + ["todo"] * followed:
            await connection.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, status, worker_id, args)"
                " SELECT 'periodic', 'tidy', 'tidy', 'tidy', %s, id, '{\"timestamp\": 0}' FROM procrastinate_workers",
                [status],
            )


@pytest.mark.parametrize("followed", [False, True])
async def test_a_job_whose_process_died_is_freed_and_run(services: Services, followed: bool) -> None:
    await stalled(services, followed=followed)
    assert await jobs.free_stalled(services.db) == 1
    assert await jobs.free_stalled(services.db) == 0
    runs = Runs()
    async with Running(services, runs, cron="0 0 1 1 *"):
        await runs.until(1)
    assert runs.count == 1
    assert await count(services, "procrastinate_jobs") == 0


async def test_a_restart_of_the_database_is_survived(postgres: EmbeddedPostgres, services: Services) -> None:
    runs = Runs()
    async with Running(services, runs):
        await runs.until(1)
        os.kill(postgres.pid, signal.SIGQUIT)
        await runs.until(runs.count + 3, seconds=30)


async def test_an_outage_of_the_database_is_survived(services: Services, postgres: EmbeddedPostgres) -> None:
    runs = Runs()
    async with Running(services, runs):
        await runs.until(1)
        await asyncio.to_thread(postgres.stop)
        # Whatever the worker meets meanwhile, it meets while there is nothing to connect to.
        await asyncio.sleep(2)
        began = runs.count
        await asyncio.to_thread(postgres.start)
        await runs.until(began + 2, seconds=30)


async def test_a_clock_that_is_set_back_does_not_stop_the_jobs(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, real = Runs(), time.time
    monkeypatch.setattr(jobs, "_WATCH_SECONDS", 0.2)
    async with Running(services, runs):
        await runs.until(1)
        monkeypatch.setattr(time, "time", lambda: real() - 3600)
        await runs.until(runs.count + 3, seconds=15)


@pytest.mark.parametrize(
    ("seconds", "cron"),
    [(5, "* * * * * */5"), (60, "*/1 * * * *"), (900, "*/15 * * * *"), (3600, "0 * * * *")],
)
def test_a_period_is_written_as_a_crontab_line(seconds: int, cron: str) -> None:
    run = Runs()
    jobs.periodic(f"test_every_{seconds}", every_seconds=seconds)(run)
    assert jobs._jobs.pop(f"test_every_{seconds}").cron == cron


@pytest.mark.parametrize("seconds", [None, 0, 7, 90, 5400])
def test_a_period_that_does_not_divide_the_hour_is_refused(seconds: int | None) -> None:
    with pytest.raises(ValueError, match="written as cron"):
        jobs.periodic("test_odd", every_seconds=seconds)(Runs())


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="already"):
        jobs.periodic(jobs.HEARTBEAT, every_seconds=5)(Runs())
