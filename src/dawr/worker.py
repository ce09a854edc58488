"""The background worker: the outbox, the periodic jobs, who is told what, inside the web process or alone (``dawr worker``)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from dawr.notifications.jobs_send import Sender
from dawr.notifications.jobs_tail import QueueReader
from dawr.platform.jobs import JobsWorker
from dawr.platform.logging import get_logger
from dawr.platform.outbox import OutboxWorker
from dawr.platform.services import Services
from dawr.plugins.jobs import PluginWorker
from dawr.webhooks.jobs import WebhookWorker

STOP_SECONDS = 1.5
_RESTART_SECONDS = 1.0
log = get_logger(__name__)


class Worker(Protocol):
    async def run(self) -> None: ...

    def stop(self) -> None: ...


@asynccontextmanager
async def run_worker(services: Services) -> AsyncIterator[None]:
    """Works in the background of the block; at its end, what is running gets ``STOP_SECONDS`` to finish."""
    workers: tuple[Worker, ...] = (
        OutboxWorker(services),
        JobsWorker(services),
        QueueReader(services),
        Sender(services),
        PluginWorker(services),
        WebhookWorker(services),
    )
    tasks = [asyncio.create_task(_keep_running(worker), name=type(worker).__name__) for worker in workers]
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()
        _, left = await asyncio.wait(tasks, timeout=STOP_SECONDS)
        for task in left:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_running(worker: Worker) -> None:
    """A mistake in the worker itself must not leave a server that answers and never follows up."""
    while True:
        try:
            return await worker.run()
        except Exception as error:
            log.error("worker_broken", worker=type(worker).__name__, exc_info=error)
            await asyncio.sleep(_RESTART_SECONDS)
