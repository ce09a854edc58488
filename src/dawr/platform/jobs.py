"""Work that comes round by the clock. Each tick is run by one process, however many there are.

A job is registered with ``@periodic(name, every_seconds=…)`` or ``cron=…`` (in UTC) and must be idempotent: a tick whose
process died is run again by another. Procrastinate keeps the ticks in the database: the pair (job, tick) is unique there,
and a lock keeps two runs of one job apart. Around it stands what it does not do by itself: its worker ends, sometimes
silently, when the database goes away, and is started again here; jobs of dead workers keep their lock until they are
freed here; and its clock would stand still after the machine's was set back.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException
from procrastinate.worker import Worker
from sqlalchemy import Column, DateTime, Float, Text

from dawr.platform.db import Database
from dawr.platform.errors import Unavailable
from dawr.platform.logging import get_logger
from dawr.platform.schema import global_table
from dawr.platform.services import Services

QUEUE = "periodic"
HEARTBEAT = "heartbeat"
HEARTBEAT_SECONDS = 10
STALLED_SECONDS = 15.0
STOP_SECONDS = 1.0
_POLL_SECONDS = 1.0
_WATCH_SECONDS = 5.0
_RESTART_SECONDS = 1.0
_SET_BACK_SECONDS = 2.0
_CATCH_UP_SECONDS = 7 * 24 * 3600.0

Run = Callable[[Services], Awaitable[None]]
log = get_logger(__name__)

job_tick = global_table(
    "job_tick",
    Column("name", Text, primary_key=True),
    Column("ended_at", DateTime(timezone=True), nullable=False),
    Column("seconds", Float, nullable=False),
    Column("outcome", Text, nullable=False),
    reason="when each periodic job of the installation last ended, and how",
)

_ENDED = """
INSERT INTO job_tick (name, ended_at, seconds, outcome)
VALUES (%(name)s, clock_timestamp(), %(seconds)s, %(outcome)s)
ON CONFLICT (name) DO UPDATE SET ended_at = excluded.ended_at, seconds = excluded.seconds, outcome = excluded.outcome
"""
# A job whose next run waits already is dropped instead: two of one name cannot wait, and the one that waits is as good.
_FREE = """
WITH stalled AS MATERIALIZED (
    SELECT j.id, EXISTS (SELECT FROM procrastinate_jobs n WHERE n.queueing_lock = j.queueing_lock AND n.status = 'todo')
        AS followed
    FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
    WHERE j.status = 'doing' AND j.queue_name = %(queue)s
      AND (w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => %(seconds)s))
    FOR UPDATE OF j SKIP LOCKED
), dropped AS (
    DELETE FROM procrastinate_jobs WHERE id IN (SELECT id FROM stalled WHERE followed) RETURNING task_name
), freed AS (
    UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL
    WHERE id IN (SELECT id FROM stalled WHERE NOT followed) RETURNING task_name
)
SELECT task_name FROM dropped UNION ALL SELECT task_name FROM freed
"""
_LAST = "SELECT extract(epoch FROM clock_timestamp() - ended_at)::float FROM job_tick WHERE name = %(name)s"
_ALL = "SELECT name, ended_at, seconds, outcome FROM job_tick ORDER BY name"


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    name: str
    cron: str
    run: Run


@dataclass(frozen=True, slots=True)
class Tick:
    """How a job's last run ended: ``outcome`` is ``done`` or the type of the error."""

    name: str
    ended_at: datetime
    seconds: float
    outcome: str


_jobs: dict[str, PeriodicJob] = {}


def _every(seconds: int | None) -> str:
    """A crontab line for a whole part of a minute or an hour, the seconds last."""
    if seconds and seconds < 60 and 60 % seconds == 0:
        return f"* * * * * */{seconds}"
    if seconds and seconds % 60 == 0 and 3600 % seconds == 0:
        return "0 * * * *" if seconds == 3600 else f"*/{seconds // 60} * * * *"
    raise ValueError("every_seconds divides a minute or an hour; anything else is written as cron")


def periodic(name: str, *, cron: str | None = None, every_seconds: int | None = None) -> Callable[[Run], Run]:
    """Registers ``async def job(services)``. ``cron`` has five fields, or six, the last being seconds; UTC."""

    def register(run: Run) -> Run:
        job = PeriodicJob(name, cron or _every(every_seconds), run)
        if _jobs.setdefault(name, job).run is not run:
            raise ValueError(f"there is a periodic job {name} already")
        return run

    return register


async def seconds_since(db: Database, name: str) -> float | None:
    """How long ago a periodic job last ended, by the database's clock; None if it never did."""
    async with db.read() as tx:
        found: float | None = await tx.value(_LAST, name=name)
    return found


async def ticks(db: Database) -> list[Tick]:
    """The last run of every periodic job."""
    async with db.read() as tx:
        return [Tick(**row) for row in await tx.rows(_ALL)]


@periodic(HEARTBEAT, every_seconds=HEARTBEAT_SECONDS)
async def heartbeat(_: Services) -> None:
    """Does nothing: that it ran is what the health check looks at."""


class JobsWorker:
    """Runs the registered jobs until ``stop``, through restarts and outages of the database."""

    def __init__(
        self, services: Services, *, jobs: Mapping[str, PeriodicJob] | None = None, concurrency: int = 4
    ) -> None:
        self._services = services
        self._jobs = _jobs if jobs is None else jobs
        self._concurrency = concurrency
        self._stopping = asyncio.Event()
        self._left_behind: int | None = None

    async def run(self) -> None:
        """Until ``stop``; jobs that are running then get a moment to end."""
        logging.getLogger("procrastinate").setLevel(logging.WARNING)
        while not self._stopping.is_set():
            try:
                await self._session()
            except (ConnectorException, Unavailable, psycopg.Error) as error:
                log.warning("jobs_wait", reason=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _RESTART_SECONDS)

    def stop(self) -> None:
        self._stopping.set()

    async def _session(self) -> None:
        """One life of procrastinate's worker; it ends when the worker does, or something here says that it should."""
        app = self._app()
        async with app.open_async(self._services.db.pool):
            if self._left_behind is not None:
                await app.job_manager.unregister_worker(self._left_behind)
            await free_stalled(self._services.db)
            worker = self._worker(app)
            working = worker.run()  # type: ignore[no-untyped-call]
            tasks = [asyncio.create_task(work) for work in (working, self._stopping.wait(), self._watch())]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            worker.stop()  # type: ignore[no-untyped-call]
            for task in tasks[1:]:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            # Still set where the database was away when the worker wanted to sign off: its jobs are ours to free.
            self._left_behind = worker.worker_id
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    def _worker(self, app: procrastinate.App) -> Worker:
        return Worker(
            app,
            queues=[QUEUE],
            concurrency=self._concurrency,
            # Ticks can wait a second; a listener would need a connection of its own and may die unheard.
            listen_notify=False,
            fetch_job_polling_interval=_POLL_SECONDS,
            delete_jobs="always",
            install_signal_handlers=False,
            shutdown_graceful_timeout=STOP_SECONDS,
            update_heartbeat_interval=STALLED_SECONDS / 3,
            stalled_worker_timeout=STALLED_SECONDS,
        )

    async def _watch(self) -> None:
        """Frees the jobs of dead workers; returns when the clock was set back, for the next session to begin from there."""
        drift = time.time() - time.monotonic()
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            moved = time.time() - time.monotonic() - drift
            if moved < -_SET_BACK_SECONDS:
                log.warning("clock_set_back", seconds=round(-moved))
                return
            drift += moved
            await free_stalled(self._services.db)

    def _app(self) -> procrastinate.App:
        """Made for each session, since what it remembers of past ticks must not outlive a clock that was set back."""
        app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(), periodic_defaults={"max_delay": _CATCH_UP_SECONDS}
        )
        retry = procrastinate.RetryStrategy(max_attempts=3, exponential_wait=2)
        for job in self._jobs.values():
            task = app.task(name=job.name, queue=QUEUE, lock=job.name, queueing_lock=job.name, retry=retry)
            app.periodic(cron=job.cron)(task(self._runner(job)))
        return app

    def _runner(self, job: PeriodicJob) -> Callable[[int], Awaitable[None]]:
        async def run(timestamp: int) -> None:
            # Procrastinate never looks at how this task ends; where its end cannot be written, that is told by the session.
            if task := asyncio.current_task():
                task.add_done_callback(_look_at)
            started, outcome = time.perf_counter(), "aborted"
            try:
                await job.run(self._services)
                outcome = "done"
            except Exception as error:
                outcome = type(error).__name__
                log.warning("job_failed", job=job.name, error=outcome, exc_info=error)
                raise
            finally:
                self._services.metrics.jobs.labels(
                    name=job.name, outcome="done" if outcome == "done" else "failed"
                ).inc()
                await self._ended(job.name, time.perf_counter() - started, outcome)

        return run

    async def _ended(self, name: str, seconds: float, outcome: str) -> None:
        with contextlib.suppress(Unavailable):
            async with self._services.db.write() as tx:
                await tx.execute(_ENDED, name=name, seconds=seconds, outcome=outcome)


def _look_at(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


async def free_stalled(db: Database, *, seconds: float = STALLED_SECONDS) -> int:
    """Puts the jobs whose worker has not been heard of for this long back into the queue; how many."""
    try:
        async with db.write() as tx:
            freed = [row["task_name"] for row in await tx.rows(_FREE, queue=QUEUE, seconds=seconds)]
    except psycopg.errors.UniqueViolation:
        return 0  # a next run was queued at this moment; the coming round sees it
    for name in freed:
        log.warning("job_freed", job=name)
    return len(freed)
