"""The worker that follows the queues' logs."""

from uuid import UUID

from dawr.facilities import queries as facilities
from dawr.notifications import commands_queue
from dawr.notifications.jobs_rounds import Rounds
from dawr.platform.services import Services

GATHER_SECONDS = 0.25
"""A crowd at the door is not followed ticket by ticket."""


class QueueReader:
    """Reads every queue on as it moves, until ``stop``. What it was about to write when it ends is read again."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._rounds = Rounds(
            services, streams=commands_queue.QUEUE, visit=self._facility, name="queues", gather=GATHER_SECONDS
        )

    async def run(self) -> None:
        await self._rounds.run()

    def stop(self) -> None:
        self._rounds.stop()

    async def _facility(self, facility_id: UUID) -> None:
        async with self._services.db.write(facility_id) as tx:
            clinics = await commands_queue.behind(tx)
        facility = await facilities.locate(self._services, id=facility_id) if clinics else None
        for clinic in clinics if facility else ():
            assert facility is not None
            read = commands_queue.EVENTS_A_READ
            while read == commands_queue.EVENTS_A_READ and not self._rounds.stopping:
                async with self._services.db.write(facility_id) as writing:
                    read = await commands_queue.read_on(writing, self._services, facility, clinic)
