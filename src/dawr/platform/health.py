"""Is this process able to do its work? Checks that say so in their own words, asked together.

``database`` and ``jobs`` are here; whoever else must be well registers with ``Health.add``. Only the store makes a process
unhealthy: what is late is caught up with, and a server that answers is better than none.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version

from dawr.platform import jobs, outbox
from dawr.platform.errors import Unavailable
from dawr.platform.logging import get_logger
from dawr.platform.retry import in_time
from dawr.platform.services import Services

VERSION = version("dawr")
REACH_SECONDS = 1.0
LATE_SECONDS = 60.0
log = get_logger(__name__)


class Status(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


_ORDER = list(Status)


@dataclass(frozen=True, slots=True)
class Check:
    """``detail`` is a plain sentence for whoever runs the installation; it names nothing internal."""

    status: Status
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    status: Status
    at: datetime
    checks: dict[str, Check]


Probe = Callable[[], Awaitable[Check]]
HEALTHY = Check(Status.HEALTHY)
UNREACHED = Check(Status.UNHEALTHY, "the database is out of reach")


class Health:
    """``stopping`` makes the process not ready, so that a load balancer looks elsewhere while open requests end."""

    def __init__(self, services: Services) -> None:
        self.stopping = False
        self.started = time.monotonic()
        self._services = services
        self._probes: dict[str, Probe] = {"database": self._database, "jobs": self._jobs}

    def add(self, name: str, probe: Probe) -> None:
        """Registers a check; it may take a second and may raise what it likes, which then counts as unhealthy."""
        self._probes[name] = probe

    async def report(self, names: Iterable[str] | None = None) -> Report:
        """Asks these checks (all of them) at once. The worst of them is the whole's status."""
        asked = list(self._probes if names is None else names)
        checks = dict(zip(asked, await asyncio.gather(*map(self._ask, asked)), strict=True))
        worst = max((_ORDER.index(check.status) for check in checks.values()), default=0)
        status = Status.UNHEALTHY if self.stopping else _ORDER[worst]
        return Report(status, self._services.clock.now(), checks)

    async def _ask(self, name: str) -> Check:
        try:
            return await in_time(self._probes[name](), REACH_SECONDS)
        except (TimeoutError, Unavailable):
            return UNREACHED
        except Exception as error:
            log.error("health_check_broken", check=name, exc_info=error)
            return Check(Status.UNHEALTHY, "the check itself failed")

    async def _database(self) -> Check:
        async with self._services.db.read() as tx:
            await tx.value("SELECT 1")
        return HEALTHY

    async def _jobs(self) -> Check:
        """Background work anywhere in the installation: a process without a worker asks the same question."""
        silent = await jobs.seconds_since(self._services.db, jobs.HEARTBEAT)
        waiting = await outbox.backlog(self._services.db)
        if silent is None or silent > LATE_SECONDS:
            if time.monotonic() - self.started < LATE_SECONDS:
                return Check(Status.HEALTHY, "starting")
            return Check(Status.DEGRADED, "no background worker is running")
        if waiting.late_seconds > LATE_SECONDS:
            return Check(Status.DEGRADED, f"background work is {round(waiting.late_seconds)} seconds late")
        return HEALTHY
