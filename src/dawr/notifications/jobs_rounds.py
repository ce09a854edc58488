"""Going from facility to facility: at once to those that committed something here, to all of them in turn each second.

Row-level security shows one facility at a time, so work that lies in the facilities' own tables is looked for in each.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

from dawr.facilities import queries as facilities
from dawr.platform.db import Stream
from dawr.platform.errors import Unavailable
from dawr.platform.logging import get_logger
from dawr.platform.services import Services

POLL_SECONDS = 1.0
FACILITIES_A_POLL = 50
log = get_logger(__name__)

Visit = Callable[[UUID], Awaitable[None]]


class Rounds:
    """``visit`` is called for each facility that may have work; what it raises is noted and keeps no other from its turn."""

    def __init__(self, services: Services, *, streams: str, visit: Visit, name: str, gather: float) -> None:
        """``streams``: what the names of the streams begin with whose commits wake it. What is committed within ``gather``
        seconds is looked at together."""
        self._services = services
        self._streams = streams
        self._visit = visit
        self._name = name
        self._gather = gather
        self._woken: set[UUID] = set()
        self._waiting: list[UUID] = []
        self._polled = float("-inf")
        self._wake = asyncio.Event()
        self._stopped = asyncio.Event()

    @property
    def stopping(self) -> bool:
        return self._stopped.is_set()

    async def run(self) -> None:
        self._services.db.on_commit.append(self._committed)
        try:
            while not self.stopping:
                await self._round()
        finally:
            self._services.db.on_commit.remove(self._committed)

    def stop(self) -> None:
        self._stopped.set()
        self._wake.set()

    def wake(self, facility: UUID) -> None:
        self._woken.add(facility)
        self._wake.set()

    async def _round(self) -> None:
        try:
            for facility in await self._due():
                if self.stopping:
                    return
                await self._one(facility)
        except Unavailable:
            log.warning("notifications_wait", worker=self._name, reason="the database is out of reach")
            await self._pause(POLL_SECONDS)
        await self._pause(self._gather)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
        self._wake.clear()

    async def _pause(self, seconds: float) -> None:
        """Not interrupted by news, but by the end."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    async def _due(self) -> list[UUID]:
        woken, self._woken = self._woken, set()
        if time.monotonic() - self._polled >= POLL_SECONDS:
            self._polled = time.monotonic()
            if not self._waiting:
                self._waiting = await facilities.every_facility(self._services)
            woken.update(self._waiting[:FACILITIES_A_POLL])
            self._waiting = self._waiting[FACILITIES_A_POLL:]
        return sorted(woken)

    async def _one(self, facility: UUID) -> None:
        try:
            await self._visit(facility)
        except Unavailable:
            self._woken.add(facility)
            raise
        except Exception as error:
            log.error("notifications_failed", worker=self._name, error=type(error).__name__, exc_info=error)

    def _committed(self, touched: set[Stream]) -> None:
        found = {facility for facility, stream in touched if stream.startswith(self._streams)}
        if found:
            self._woken |= found
            self._wake.set()
