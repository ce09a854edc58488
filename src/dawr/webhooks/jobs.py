"""Tells webhooks what happens, each at its own pace, in order."""

import asyncio
import contextlib
from collections import defaultdict
from datetime import timedelta
from functools import partial
from uuid import UUID

from dawr.facilities import queries as facilities
from dawr.platform import followers
from dawr.platform.errors import Unavailable
from dawr.platform.events import Recorded
from dawr.platform.followers import Failed, Waker
from dawr.platform.jobs import periodic
from dawr.platform.logging import get_logger
from dawr.platform.outgoing import Answer, ForbiddenAddress, NotSent, OutcomeUnknown, Outgoing
from dawr.platform.services import Services
from dawr.platform.signatures import signed
from dawr.webhooks import queries
from dawr.webhooks.commands import content
from dawr.webhooks.rules import PREFIX, TRIES, Webhook, follower, message_id

POLL_SECONDS = 2.0
STOP_SECONDS = 1.0
FAILURES_KEPT = timedelta(days=30)
GATHER_SECONDS = 0.25
AT_ONCE = 4
BUSY = frozenset({408, 425, 429})
GONE = 410
log = get_logger(__name__)


class WebhookWorker:
    """Serves the webhooks of every facility until ``stop``."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._waker = Waker(services.db)
        self._outgoing = Outgoing(private=services.settings.outgoing_networks)
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._gates: defaultdict[UUID, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))

    async def run(self) -> None:
        """Until ``stop``; what is being told then gets a moment to be answered, and the place reached is kept."""
        try:
            with self._waker:
                while not self._waker.stopping:
                    await self._begin()
                    await self._waker.news(POLL_SECONDS)
                    # What comes together is looked for together.
                    await asyncio.sleep(GATHER_SECONDS)
        finally:
            await self._wind_down()
            await self._outgoing.close()

    def stop(self) -> None:
        self._waker.stop()

    async def _wind_down(self) -> None:
        left = set(self._running.values())
        if left:
            _, left = await asyncio.wait(left, timeout=STOP_SECONDS)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _begin(self) -> None:
        """Lets every webhook that is not being told anything go on: none waits for another."""
        with contextlib.suppress(Unavailable):
            waiting = defaultdict(set)
            for facility_id, name in await followers.due(self._services.db, PREFIX):
                waiting[facility_id].add(name)
            for facility_id, names in waiting.items():
                for one in await self._webhooks(facility_id):
                    if follower(one.id) in names and one.id not in self._running:
                        self._running[one.id] = asyncio.create_task(self._follow(facility_id, one))

    async def _follow(self, facility_id: UUID, webhook: Webhook) -> None:
        try:
            while not self._waker.stopping and await self._turn_of(facility_id, webhook):
                pass
        except Unavailable:
            pass
        except Exception as error:
            log.error("webhook_broken", webhook=str(webhook.id), error=type(error).__name__, exc_info=error)
        finally:
            del self._running[webhook.id]

    async def _webhooks(self, facility_id: UUID) -> list[Webhook]:
        async with self._services.db.read(facility_id) as tx:
            return await queries.webhooks(tx, self._services.keyring)

    async def turn(self, facility_id: UUID) -> bool:
        """Tells each webhook of one facility what is new; whether there was anything."""
        return any([await self._turn_of(facility_id, one) for one in await self._webhooks(facility_id)])

    async def _turn_of(self, facility_id: UUID, webhook: Webhook) -> bool:
        facility = await facilities.locate(self._services, id=facility_id)
        assert facility is not None
        tell = partial(self._tell, facility_id, facility.slug, webhook)
        async with self._gates[facility_id]:
            name, db = follower(webhook.id), self._services.db
            return await followers.turn(db, facility_id, name, tell, stopping=lambda: self._waker.stopping)

    async def _tell(self, facility_id: UUID, slug: str, webhook: Webhook, recorded: Recorded) -> None:
        if not webhook.wants(recorded.type):
            return
        body = content(slug, recorded)
        id_ = message_id(webhook.id, f"{recorded.stream}:{recorded.version}")
        headers = signed(webhook.secrets, id=id_, at=self._services.clock.now(), body=body)
        try:
            answer = await self._outgoing.post(webhook.url, body, headers | {"content-type": "application/json"})
        except ForbiddenAddress as error:
            raise Failed("the address is in a private network", tries=None, pause=followers.LONGEST_PAUSE) from error
        except (NotSent, OutcomeUnknown) as error:
            raise Failed(f"no answer ({error})", tries=None) from error
        if answer.status == GONE:
            await self._switch_off(facility_id, webhook)
        _check(answer)

    async def _switch_off(self, facility_id: UUID, webhook: Webhook) -> None:
        """410 is how the other side takes itself off the list."""
        log.warning("webhook_gone", webhook=str(webhook.id))
        async with self._services.db.write(facility_id) as tx:
            await followers.switch(tx, follower(webhook.id), enabled=False)


@periodic("forget_failures", every_seconds=3600)
async def forget_failures(services: Services) -> None:
    """Deletes what webhooks and plugins failed at a month ago."""
    before = services.clock.now() - FAILURES_KEPT
    for facility_id in await facilities.every_facility(services):
        async with services.db.write(facility_id) as tx:
            await followers.forget_failures(tx, before)


def _check(answer: Answer) -> None:
    if answer.accepted:
        return
    away = answer.status >= 500 or answer.status in BUSY
    pause = min(answer.retry_after, followers.LONGEST_PAUSE) if answer.retry_after else None
    raise Failed(f"answered {answer.status}", tries=None if away else TRIES, pause=pause)
