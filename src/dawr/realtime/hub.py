"""One hub a process: it holds the open streams, wakes the feeds that have news, and keeps time for all of them.

News comes three ways: from commits of this process at once, from those of others by NOTIFY, and once a second by asking.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import orjson

from dawr.platform.db import Stream
from dawr.platform.errors import Unavailable
from dawr.platform.services import Services
from dawr.realtime.feed import Feed
from dawr.realtime.inboxes import Inboxes
from dawr.realtime.outlet import Outlet, Send
from dawr.realtime.readers import Reader
from dawr.realtime.room import room_for
from dawr.realtime.rules import RETRY_MILLISECONDS, STREAM, WAKING, Pace, StreamsFull, TooManyStreams, frame, retry
from dawr.realtime.store import Bell, Ear

READS_AT_ONCE = 4
TICKS_A_BEAT = 30
BEATS_AT_ONCE = 100
COME_BACK_AFTER = 10


class Hub:
    def __init__(self, services: Services, pace: Pace, *, wake_url: str) -> None:
        """``wake_url`` reaches the database past any pooler: LISTEN needs a connection of its own."""
        self.pace = pace
        self.inboxes = Inboxes(services)
        self._services = services
        self._feeds: dict[UUID, Feed] = {}
        self._outlets: set[Outlet] = set()
        self._addresses: Counter[str] = Counter()
        self._gate = asyncio.Semaphore(READS_AT_ONCE)
        self._stopping = False
        self._bell = Bell(wake_url)
        self._ear = Ear(wake_url, own=self._bell.sender, heard=self._heard, deaf=self._deaf)

    @property
    def streams(self) -> int:
        return len(self._outlets)

    @property
    def troubles(self) -> list[str]:
        """What is wrong at the moment, in names for machines."""
        found = [] if self._ear.listening else ["not_listening"]
        return [*found, "reads_fail"] if any(feed.failing for feed in self._feeds.values()) else found

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self._services.db.on_commit.append(self._committed)
        loops: tuple[Coroutine[Any, Any, None], ...] = (
            self._bell.run(),
            self._ear.run(),
            self._poll(),
            self._beat(),
            self.inboxes.poll(self.pace.poll),
        )
        tasks = [asyncio.create_task(one) for one in loops]
        try:
            with room_for(self.pace.per_process):
                yield
        finally:
            self.stop()
            self._services.db.on_commit.remove(self._committed)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, *(feed.close() for feed in self._feeds.values()), return_exceptions=True)

    def stop(self) -> None:
        """Ends every stream at once and takes no more; clients come back to whoever serves then, not all together."""
        self._stopping = True
        for outlet in self._outlets:
            outlet.end(retry(random.randint(RETRY_MILLISECONDS, 5 * RETRY_MILLISECONDS)))  # noqa: S311

    @asynccontextmanager
    async def admitted(self, send: Send, address: str) -> AsyncIterator[Outlet]:
        """A client's end for as long as the block lasts. Raises ``TooManyStreams``, ``StreamsFull`` or ``Unavailable``."""
        outlet = self._admit(send, address)
        try:
            yield outlet
        finally:
            self._dismiss(outlet, address)

    def _admit(self, send: Send, address: str) -> Outlet:
        if self._stopping:
            raise Unavailable
        if len(self._outlets) >= self.pace.per_process:
            raise StreamsFull(retry_after=COME_BACK_AFTER)
        if self._services.settings.rate_limits and self._addresses[address] >= self.pace.per_address:
            raise TooManyStreams(retry_after=COME_BACK_AFTER)
        now = asyncio.get_running_loop().time()
        age = self.pace.stream + random.uniform(-self.pace.jitter, self.pace.jitter)  # noqa: S311
        outlet = Outlet(send, room=self.pace.outbox, ends_at=now + age, beat_at=now + self.pace.heartbeat)
        self._outlets.add(outlet)
        self._addresses[address] += 1
        self._services.metrics.streams_open.set(len(self._outlets))
        return outlet

    def _dismiss(self, outlet: Outlet, address: str) -> None:
        self._outlets.discard(outlet)
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]
        self._services.metrics.streams_open.set(len(self._outlets))

    @asynccontextmanager
    async def listening(self, facility: UUID, reader: Reader) -> AsyncIterator[None]:
        """The block begins when the reader's first event is in its outlet; raises the problem if it cannot have one."""
        feed = self._feeds.get(facility)
        if feed is None:
            feed = self._feeds[facility] = Feed(facility, self._services, self.pace, self._gate)
        try:
            await feed.join(reader)
            yield
        finally:
            feed.leave(reader)

    def _committed(self, touched: set[Stream]) -> None:
        woken = [(facility, stream) for facility, stream in touched if stream.startswith(WAKING)]
        if not woken:
            return
        for facility, stream in woken:
            self._heard(facility, [stream])
        self._bell.ring(woken)

    def _heard(self, facility: UUID, streams: list[str]) -> None:
        self.inboxes.wake(facility, streams)
        feed = self._feeds.get(facility)
        queues = [one for one in streams if one.startswith(STREAM)]
        if feed is not None and queues:
            feed.wake(queues)

    def _deaf(self) -> None:
        """What others said meanwhile was not heard."""
        self._wake_all()
        self.inboxes.wake_all()

    def _wake_all(self) -> None:
        for feed in self._feeds.values():
            feed.wake()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self.pace.poll)
            self._feeds = {facility: feed for facility, feed in self._feeds.items() if not feed.idle}
            self._wake_all()

    async def _beat(self) -> None:
        """One timer for the heartbeats and ages of all streams."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.pace.heartbeat / TICKS_A_BEAT)
            now = loop.time()
            chunk = frame("heartbeat", orjson.dumps({"at": self._services.clock.now().isoformat()}))
            for place, outlet in enumerate(tuple(self._outlets)):
                self._keep_time(outlet, now, chunk)
                if place % BEATS_AT_ONCE == BEATS_AT_ONCE - 1:
                    await asyncio.sleep(0)

    def _keep_time(self, outlet: Outlet, now: float, chunk: bytes) -> None:
        if now >= outlet.ends_at:
            outlet.ends_at = float("inf")
            outlet.end(retry(random.randint(RETRY_MILLISECONDS // 2, RETRY_MILLISECONDS)))  # noqa: S311
        elif now >= outlet.beat_at:
            # After a pause of the whole process the beats that were due are not made up for.
            outlet.beat_at = max(outlet.beat_at + self.pace.heartbeat, now + self.pace.heartbeat / 2)
            outlet.beat(chunk)
