"""The worker that hands messages to vendors: claimed and committed first, sent, then marked.

A process may die at any of these steps. Before the claim nothing has happened. After it the lease runs out, nobody knows
whether the message went out, and it is sent again under the same key. After the mark it is over.
"""

import asyncio
import contextlib
import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

from dawr.notifications import commands_send, queries, store_deliveries
from dawr.notifications.channel import Channel, channels_of
from dawr.notifications.commands_send import Ready
from dawr.notifications.jobs_rounds import Rounds
from dawr.notifications.rules import MOST_TRIES, Status, pause_after
from dawr.notifications.rules_channels import Outcome, Pace, Reason, Result
from dawr.notifications.store_deliveries import Mark
from dawr.platform.clock import Clock
from dawr.platform.errors import TooManyRequests, Unavailable
from dawr.platform.logging import get_logger
from dawr.platform.ratelimit import Limit, RateLimiter
from dawr.platform.retry import in_time, retry
from dawr.platform.services import Services

GATHER_SECONDS = 0.005
STOP_SECONDS = 1.0
LAST_WORDS_SECONDS = 0.4
BEGIN_WITHIN, ANSWER_WITHIN, MARK_WITHIN = 1 / 3, 1 / 2, 1 / 3
"""Parts of the lease. A message that was claimed longer ago is not begun any more: its lease could end before the vendor has
answered."""
AT_ONCE = 64
"""How many messages one process hands over at once, in all facilities together."""
_PLAIN = re.compile(r"[!-~]{1,200}")
Line = tuple[UUID, str]
"""A facility's channel. What one vendor says, or how slow it is, holds for this one alone."""
log = get_logger(__name__)


class Sender:
    """Sends what is due in every facility, each channel at its own pace, until ``stop``."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._rounds = Rounds(
            services, streams=store_deliveries.STREAM, visit=self._facility, name="messages", gather=GATHER_SECONDS
        )
        # Always on: vendors' limits hold whatever the installation's own do.
        self._limits = RateLimiter(services.db.pool, services.keyring, metrics=services.metrics)
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy: Counter[Line] = Counter()
        self._resting: dict[Line, float] = {}

    async def run(self) -> None:
        """Until ``stop``; what is being sent then gets a moment to end."""
        try:
            await self._rounds.run()
        finally:
            await self._wind_down()

    def stop(self) -> None:
        self._rounds.stop()

    async def _facility(self, facility_id: UUID) -> None:
        channels = channels_of(self._services)
        if not channels:
            return
        async with self._services.db.read(facility_id) as tx:
            waiting = await queries.channels_waiting(tx, list(channels))
        if waiting.lapsed:
            async with self._services.db.write(facility_id) as writing:
                await store_deliveries.release_lapsed(writing)
        for name in waiting.channels:
            await self._begin(facility_id, channels[name])

    async def _begin(self, facility_id: UUID, channel: Channel) -> None:
        """Claims as many messages as there is room for, and sends them behind."""
        line = (facility_id, channel.name)
        free = min(channel.pace.at_once - self._busy[line], AT_ONCE - len(self._tasks))
        if free <= 0 or self._rounds.stopping or self._rests(line):
            return
        claimed_at = time.monotonic()
        async with self._services.db.write(facility_id) as tx:
            ready = await commands_send.take(tx, self._services, channel.name, limit=free)
        for one in ready:
            self._busy[line] += 1
            task = asyncio.create_task(self._send(channel, one, claimed_at), name=f"send {channel.name}")
            self._tasks.add(task)
            task.add_done_callback(partial(self._ended, line))

    async def _send(self, channel: Channel, one: Ready, claimed_at: float) -> None:
        try:
            if not await self._may_send((one.message.facility_id, channel.name), channel.pace, claimed_at):
                await self._settle(partial(self._give_back, one))
                return
            result = await self._hand_over(channel, one)
        except asyncio.CancelledError:
            # It may have gone out: the next try is one after an unknown outcome.
            unknown = Mark(Status.PENDING, Reason.NO_ANSWER, "stopped", due=self._services.clock.now(), unknown=True)
            with contextlib.suppress(Exception):
                await in_time(self._mark(one, unknown), LAST_WORDS_SECONDS)
            raise
        if result.retry_after and channel.pace.rests:
            self._resting[one.message.facility_id, channel.name] = time.monotonic() + result.retry_after
        self._services.metrics.jobs.labels(name=f"send_{channel.name}", outcome=result.outcome.value).inc()
        await self._settle(partial(self._mark, one, mark_of(one, result, self._services.clock)))

    def _rests(self, line: Line) -> bool:
        return time.monotonic() < self._resting.get(line, 0.0)

    async def _may_send(self, line: Line, pace: Pace, claimed_at: float) -> bool:
        if time.monotonic() - claimed_at > _of_lease(BEGIN_WITHIN) or self._rests(line):
            return False
        facility_id, channel = line
        limit = Limit(f"send_{channel}", pace.per_second, timedelta(seconds=1), pace.burst)
        try:
            await self._limits.check((limit, f"{facility_id}/{channel}"))
        except TooManyRequests as refused:
            self._resting[line] = time.monotonic() + (refused.retry_after or 1)
            return False
        except Unavailable:
            return False
        return True

    async def _hand_over(self, channel: Channel, one: Ready) -> Result:
        """What the vendor says; whatever breaks on the way leaves it unknown whether the message went out."""
        seconds = min(channel.pace.seconds, _of_lease(ANSWER_WITHIN))
        try:
            return await in_time(channel.send(one.message), seconds)
        except TimeoutError:
            return Result(Outcome.UNKNOWN, reason=Reason.NO_ANSWER, detail="timeout")
        except Exception as error:
            # The error's text may quote the address: its type alone is kept.
            log.warning("channel_failed", channel=channel.name, delivery=one.claim.delivery, error=type(error).__name__)
            return Result(Outcome.UNKNOWN, reason=Reason.BROKEN, detail=type(error).__name__)

    async def _mark(self, one: Ready, made: Mark) -> None:
        async with self._services.db.write(one.message.facility_id) as tx:
            await store_deliveries.mark(tx, one.claim, made)

    async def _give_back(self, one: Ready) -> None:
        async with self._services.db.write(one.message.facility_id) as tx:
            await store_deliveries.give_back(tx, one.claim)

    async def _settle(self, write: Callable[[], Awaitable[None]]) -> None:
        """Tries for what is left of the lease; if the store stays away, the lease runs out."""
        with contextlib.suppress(Unavailable, TimeoutError):
            await retry(write, on=(Unavailable,), attempts=20, deadline=_of_lease(MARK_WITHIN))

    def _ended(self, line: Line, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._busy[line] -= 1
        if not self._busy[line]:
            del self._busy[line]
        self._rounds.wake(line[0])
        if not task.cancelled() and (error := task.exception()):
            log.error("sender_broken", error=type(error).__name__, exc_info=error)

    async def _wind_down(self) -> None:
        if not self._tasks:
            return
        _, left = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def _of_lease(part: float) -> float:
    return store_deliveries.LEASE_SECONDS * part


def mark_of(one: Ready, result: Result, clock: Clock, *, share: float | None = None) -> Mark:
    """What is written down after a try: over, or once more after a pause, unless that would be too late."""
    plain = result.provider_id if result.provider_id and _PLAIN.fullmatch(result.provider_id) else None
    detail = result.detail if result.detail and _PLAIN.fullmatch(result.detail) else None
    reason = result.reason.value if result.reason else None
    if result.outcome in (Outcome.SENT, Outcome.DELIVERED):
        return Mark(Status(result.outcome.value), None, detail, plain)
    unknown = result.outcome is Outcome.UNKNOWN
    if result.outcome is Outcome.REFUSED:
        return Mark(Status.FAILED, reason or Reason.VENDOR_REFUSED, detail, plain)
    pause = pause_after(one.claim.attempts, share=random.random() if share is None else share)  # noqa: S311
    due = clock.now() + timedelta(seconds=max(pause, result.retry_after or 0.0))
    if due >= one.claim.deadline or one.claim.attempts >= MOST_TRIES:
        return Mark(Status.FAILED, reason or Reason.VENDOR_AWAY, detail, plain, unknown=unknown)
    return Mark(Status.PENDING, reason or Reason.VENDOR_AWAY, detail, plain, due=due, unknown=unknown)
