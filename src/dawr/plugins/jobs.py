"""Follows each facility's log for each plugin, in the background, as slowly as the plugin likes: nobody waits for it."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from dawr.facilities import queries as facilities
from dawr.platform import followers
from dawr.platform.errors import Unavailable
from dawr.platform.events import Recorded
from dawr.platform.followers import Failed, Waker
from dawr.platform.logging import get_logger
from dawr.platform.services import Services
from dawr.plugins.process import CannotStart, PluginError, PluginProcess
from dawr.plugins.rules import follower

POLL_SECONDS = 2.0
GATHER_SECONDS = 0.25
START_AGAIN_SECONDS = 60.0
TRIES = 5
log = get_logger(__name__)


class PluginWorker:
    """Serves the plugins of the settings until ``stop``."""

    def __init__(self, services: Services, processes: Sequence[PluginProcess] | None = None) -> None:
        named = [PluginProcess(name) for name in services.settings.plugins]
        self._services = services
        self._processes = named if processes is None else processes
        self._waker = Waker(services.db)

    async def run(self) -> None:
        """Until ``stop``; what a plugin is told at that moment it is told again by whoever comes next."""
        try:
            with self._waker:
                async with asyncio.TaskGroup() as group:
                    for one in self._processes:
                        group.create_task(self._serve(one))
        finally:
            for one in self._processes:
                await one.close()

    def stop(self) -> None:
        self._waker.stop()

    async def _serve(self, process: PluginProcess) -> None:
        while not self._waker.stopping:
            pause = POLL_SECONDS
            try:
                if any([await self.turn(process, one) for one in await self._with_news(process)]):
                    continue
            except Unavailable:
                pass
            except CannotStart as error:
                log.error("plugin_cannot_start", plugin=process.name, reason=str(error))
                pause = START_AGAIN_SECONDS
            await self._waker.news(pause)
            # What comes together is looked for together.
            await asyncio.sleep(GATHER_SECONDS)

    async def _with_news(self, process: PluginProcess) -> list[UUID]:
        name = follower(process.name)
        return [facility for facility, found in await followers.due(self._services.db, name) if found == name]

    async def turn(self, process: PluginProcess, facility_id: UUID) -> bool:
        """Tells the plugin what is new in one facility; whether there was anything. Raises ``CannotStart``."""
        facility = await facilities.locate(self._services, id=facility_id)
        assert facility is not None
        tell = partial(_tell, process, facility.slug)
        name, db = follower(process.name), self._services.db
        return await followers.turn(db, facility_id, name, tell, stopping=lambda: self._waker.stopping)


async def _tell(process: PluginProcess, facility: str, recorded: Recorded) -> None:
    try:
        await process.tell(_happening(facility, recorded))
    except PluginError as error:
        log.warning("plugin_failed", plugin=process.name, type=recorded.type)
        raise Failed(str(error), tries=TRIES) from error


def _happening(facility: str, recorded: Recorded) -> dict[str, Any]:
    return {
        "id": f"{recorded.stream}:{recorded.version}",
        "facility": facility,
        "type": recorded.type,
        "entity": recorded.entity,
        "at": recorded.at.isoformat(),
        "data": dict(recorded.data),
    }
