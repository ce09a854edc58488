"""Work that must follow a change: a row written with the change, done after it, at least once.

Whoever changes something calls ``put`` in the same transaction; a handler registered with ``@later(topic)`` does the work
once the change is committed. A handler runs again when a process dies between doing and saying so, or when the store is
away at that moment; so it must be idempotent. Rows hold ids and enums, never what describes a person.

A row is claimed by moving its ``due`` on by a lease, so a claim needs no clean-up: whoever dies lets it run out. What fails
comes back after a growing, random pause; what still fails a day after it was wanted is kept, dead, for a person to look at.
"""

import asyncio
import contextlib
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, Integer, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from dawr.platform.db import Database, Stream, WriteTx
from dawr.platform.errors import Unavailable
from dawr.platform.logging import get_logger
from dawr.platform.retry import retry
from dawr.platform.schema import global_table
from dawr.platform.services import Services

LEASE_SECONDS = 60
HANDLER_SECONDS = 45
DEADLINE_HOURS = 24
POLL_SECONDS = 1.0
GATHER_SECONDS = 0.1
"""What is committed within this time is claimed together."""
STOP_SECONDS = 1.0
STREAM = "outbox"
"""The name under which ``put`` marks its transaction as touched; no subject has it."""

Scalar = str | int | bool | None
Payload = Mapping[str, Any]
Handler = Callable[[Services, UUID, Payload], Awaitable[None]]
Together = Callable[[Services, UUID, Sequence[Payload]], Awaitable[None]]
log = get_logger(__name__)
_ID_OR_ENUM = re.compile(r"[!-~]{1,200}")

outbox = global_table(
    "outbox",
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("facility_id", Uuid, nullable=False),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("wanted_at", DateTime(timezone=True), nullable=False),
    Column("due", DateTime(timezone=True), nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("last_error", Text),
    Column("dead_at", DateTime(timezone=True)),
    UniqueConstraint("facility_id", "topic", "key"),
    Index("outbox_due_idx", "due", "id", postgresql_where=text("dead_at IS NULL")),
    reason="claimed by workers across facilities; holds ids and enums only",
)

# The day in which it may fail counts from when the work is wanted, which may be weeks after it was put.
PUT = """
INSERT INTO outbox (facility_id, topic, key, payload, wanted_at, due)
VALUES (%(facility_id)s, %(topic)s, %(key)s, %(payload)s, coalesce(%(run_after)s, now()), coalesce(%(run_after)s, now()))
ON CONFLICT (facility_id, topic, key) DO NOTHING
"""
# The database's clock decides what is due: it is one, where the processes' may differ. Picked once: a limit that is looked
# at anew for each row of a join would claim everything.
_CLAIM = """
WITH picked AS MATERIALIZED (
    SELECT id FROM outbox WHERE dead_at IS NULL AND due <= clock_timestamp() AND topic = ANY(%(topics)s)
    ORDER BY due, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE outbox o SET due = clock_timestamp() + make_interval(secs => %(lease)s), attempts = attempts + 1
FROM picked WHERE o.id = picked.id
RETURNING o.id, o.facility_id, o.topic, o.payload, o.attempts
"""
_DONE = "DELETE FROM outbox WHERE id = ANY(%(ids)s)"
# ``attempts`` tells whose claim it is: one whose lease ran out and who was followed by another changes nothing.
_FAIL = """
UPDATE outbox SET last_error = %(error)s,
    due = clock_timestamp() + make_interval(secs => least(2 ^ least(attempts, 20), 3600) * (0.5 + random() / 2)),
    dead_at = CASE WHEN clock_timestamp() > wanted_at + make_interval(hours => %(deadline)s) THEN clock_timestamp() END
WHERE id = %(id)s AND attempts = %(attempts)s
RETURNING dead_at IS NOT NULL AS dead
"""
_GIVE_BACK = """
UPDATE outbox SET due = clock_timestamp(), attempts = attempts - 1 WHERE id = %(id)s AND attempts = %(attempts)s
"""
_BACKLOG = """
SELECT count(*) FILTER (WHERE dead_at IS NULL) AS pending, count(dead_at) AS dead,
       coalesce(extract(epoch FROM clock_timestamp() - min(due) FILTER (WHERE dead_at IS NULL)), 0)::float AS late_seconds
FROM outbox
"""

_handlers: dict[str, Handler] = {}
_together: dict[str, Together] = {}


@dataclass(frozen=True, slots=True)
class Claim:
    id: int
    facility_id: UUID
    topic: str
    payload: Payload
    attempts: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """``late_seconds``: by how much the row that waits longest is overdue; below zero where nothing is due yet."""

    pending: int
    dead: int
    late_seconds: float


def later(topic: str) -> Callable[[Handler], Handler]:
    """Registers the one handler of a topic: ``async def handler(services, facility_id, payload)``, 45 seconds at most."""

    def register(handler: Handler) -> Handler:
        if topic in _together or _handlers.setdefault(topic, handler) is not handler:
            raise ValueError(f"the topic {topic} has a handler already")
        return handler

    return register


def together(topic: str) -> Callable[[Together], Together]:
    """Registers the one handler of a topic whose rows of a facility are done together: ``async def handler(services,
    facility_id, payloads)``. What it fails with it is given again alone."""

    def register(handler: Together) -> Together:
        if topic in _handlers or _together.setdefault(topic, handler) is not handler:
            raise ValueError(f"the topic {topic} has a handler already")
        return handler

    return register


async def put(
    tx: WriteTx, topic: str, payload: Mapping[str, Scalar], *, key: str, run_after: datetime | None = None
) -> None:
    """Leaves work behind that happens if, and only if, the transaction commits.

    ``key`` names this one piece of work (an event's stream and version): the same key again, while it is not done, is the
    same work. ``payload`` takes ids and enums; anything with a space or a letter beyond ASCII is refused.
    """
    await tx.execute(PUT, **work(tx, topic, payload, key=key, run_after=run_after))


def work(
    tx: WriteTx, topic: str, payload: Mapping[str, Scalar], *, key: str, run_after: datetime | None = None
) -> dict[str, object]:
    """The parameters of ``PUT``, for a statement that leaves work behind with other things; see ``put``."""
    for value in (key, *payload.values()):
        if isinstance(value, str) and not _ID_OR_ENUM.fullmatch(value):
            raise ValueError(f"the outbox holds ids and enums, and the topic {topic} was given something else")
    assert tx.facility_id is not None
    tx.touched.add((tx.facility_id, STREAM))
    return {"topic": topic, "key": key, "payload": Jsonb(dict(payload)), "run_after": run_after}


async def claim(db: Database, *, limit: int, topics: list[str], lease: float = LEASE_SECONDS) -> list[Claim]:
    """Takes up to ``limit`` due rows for ``lease`` seconds; nobody else gets them meanwhile."""
    async with db.write() as tx:
        return [Claim(**row) for row in await tx.rows(_CLAIM, limit=limit, topics=topics, lease=lease)]


async def done(db: Database, *claimed: Claim) -> None:
    async with db.write() as tx:
        await tx.execute(_DONE, ids=[one.id for one in claimed])


async def fail(db: Database, claimed: Claim, error: BaseException, *, deadline_hours: int = DEADLINE_HOURS) -> bool:
    """Puts the row off, keeping the error's type (its text may name a person); whether the row is dead now."""
    async with db.write() as tx:
        row = await tx.row(
            _FAIL, id=claimed.id, attempts=claimed.attempts, error=type(error).__name__, deadline=deadline_hours
        )
    return bool(row and row["dead"])


async def backlog(db: Database) -> Backlog:
    async with db.read() as tx:
        row = await tx.row(_BACKLOG)
    assert row is not None
    return Backlog(**row)


class OutboxWorker:
    """Does the work of every registered topic, ``concurrency`` rows at a time, until ``stop``."""

    def __init__(
        self,
        services: Services,
        *,
        concurrency: int = 8,
        handlers: Mapping[str, Handler] = _handlers,
        together: Mapping[str, Together] = _together,
    ) -> None:
        self._services = services
        self._handlers = handlers
        self._together = together
        self._concurrency = concurrency
        self._running: dict[asyncio.Task[None], int] = {}
        self._wake = asyncio.Event()
        self._stopped = asyncio.Event()
        self._more = False

    async def run(self) -> None:
        """Until ``stop``; then what is running gets a moment to end, and what does not end goes back at once."""
        self._services.db.on_commit.append(self._committed)
        try:
            while not self._stopped.is_set():
                await self._turn()
        finally:
            self._services.db.on_commit.remove(self._committed)
            await self._wind_down()

    def stop(self) -> None:
        self._stopped.set()
        self._wake.set()

    async def _turn(self) -> None:
        """Fills the free places; then waits until there may be something to do."""
        self._wake.clear()
        free = self._concurrency - sum(self._running.values())
        claimed = await self._claim(free) if free else []
        for some in self._sorted(claimed):
            task = asyncio.create_task(self._do(some), name=f"outbox {some[0].topic}")
            self._running[task] = len(some)
            task.add_done_callback(self._ended)
        # Where not every place was taken, nothing is left that could be begun when one becomes free.
        self._more = len(claimed) == free
        if free and self._more:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
            if not self._more:
                await asyncio.wait_for(self._stopped.wait(), GATHER_SECONDS)

    def _sorted(self, claimed: Sequence[Claim]) -> list[list[Claim]]:
        """What is done at once: each row by itself, or those of a topic and facility that can be done together. What failed
        once goes alone: the others do not fail with it again."""
        found: defaultdict[object, list[Claim]] = defaultdict(list)
        for one in claimed:
            shares = one.topic in self._together and one.attempts == 1
            found[(one.facility_id, one.topic) if shares else one.id].append(one)
        return list(found.values())

    async def _claim(self, limit: int) -> list[Claim]:
        try:
            return await claim(self._services.db, limit=limit, topics=[*self._handlers, *self._together])
        except Unavailable:
            log.warning("outbox_waits", reason="the database is out of reach")
            await asyncio.sleep(POLL_SECONDS)
            return []

    async def _do(self, claimed: Sequence[Claim]) -> None:
        topic, outcome = claimed[0].topic, self._services.metrics.jobs.labels
        try:
            async with asyncio.timeout(HANDLER_SECONDS):
                await self._handle(claimed)
        except asyncio.CancelledError:
            await self._give_back(claimed)
            raise
        except Exception as error:
            outcome(name=topic, outcome="failed").inc(len(claimed))
            for one in claimed:
                await self._settle(partial(self._fail, one, error))
        else:
            outcome(name=topic, outcome="done").inc(len(claimed))
            await self._settle(partial(done, self._services.db, *claimed))

    async def _handle(self, claimed: Sequence[Claim]) -> None:
        first = claimed[0]
        if first.topic in self._together:
            payloads = [one.payload for one in claimed]
            await self._together[first.topic](self._services, first.facility_id, payloads)
        else:
            await self._handlers[first.topic](self._services, first.facility_id, first.payload)

    async def _fail(self, claimed: Claim, error: Exception) -> None:
        dead = await fail(self._services.db, claimed, error)
        fields = {
            "topic": claimed.topic,
            "row": claimed.id,
            "attempts": claimed.attempts,
            "error": type(error).__name__,
        }
        (log.error if dead else log.warning)("outbox_dead" if dead else "outbox_failed", **fields, exc_info=error)

    async def _settle(self, write: Callable[[], Awaitable[None]]) -> None:
        """Tries for what is left of the lease; if the store stays away, the lease runs out and the work is done again."""
        with contextlib.suppress(Unavailable, TimeoutError):
            await retry(write, on=(Unavailable,), attempts=20, deadline=LEASE_SECONDS - HANDLER_SECONDS)

    async def _give_back(self, claimed: Sequence[Claim]) -> None:
        with contextlib.suppress(Unavailable):
            async with self._services.db.write() as tx:
                for one in claimed:
                    await tx.execute(_GIVE_BACK, id=one.id, attempts=one.attempts)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if self._more:
            self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("outbox_broken", error=type(error).__name__, exc_info=error)

    def _committed(self, touched: set[Stream]) -> None:
        if any(stream == STREAM for _, stream in touched):
            self._wake.set()

    async def _wind_down(self) -> None:
        if not self._running:
            return
        _, left = await asyncio.wait(self._running, timeout=STOP_SECONDS)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
