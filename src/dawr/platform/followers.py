"""Those who follow a facility's log behind everybody's back: at their own pace, in order, missing nothing.

A follower has a place in the log (``events.tail``) that is moved after its work is done, so what it was told in the moment of a
crash it is told again. The place is leased while one process works. What fails is tried again after a growing pause.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Identity, Integer, Text, text

from dawr.platform import events
from dawr.platform.db import Database, ReadTx, Stream, WriteTx
from dawr.platform.errors import Unavailable
from dawr.platform.events import START, Place, Recorded
from dawr.platform.schema import facility_table

LEASE_SECONDS = 60
BATCH = 50
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 600.0
UNFORESEEN = 5

follower = facility_table(
    "follower",
    Column("follower", Text, primary_key=True),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("xact", Text, nullable=False),
    Column("id", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("due", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)
follower_failure = facility_table(
    "follower_failure",
    Column("follower", Text, primary_key=True),
    Column("no", BigInteger, Identity(always=True), primary_key=True),
    Column("happening", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    grants="SELECT, INSERT, DELETE",
)

_MEET = f"""
INSERT INTO follower (facility_id, follower, xact, id) SELECT %(facility_id)s, %(name)s, {START}, 0
ON CONFLICT DO NOTHING
"""
_LEASE = """
UPDATE follower SET due = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE facility_id = %(facility_id)s AND follower = %(name)s AND enabled AND due <= clock_timestamp()
RETURNING xact, id, attempts
"""
_STANDS = """
SELECT xact, id, enabled AND due <= clock_timestamp() AS due FROM follower
WHERE facility_id = %(facility_id)s AND follower = %(name)s
"""
_MOVE = """
UPDATE follower SET xact = %(xact)s, id = %(id)s, attempts = %(attempts)s,
       due = clock_timestamp() + make_interval(secs => %(pause)s)
WHERE facility_id = %(facility_id)s AND follower = %(name)s AND enabled
"""
_FAILED = """
INSERT INTO follower_failure (facility_id, follower, happening, type, error, at)
VALUES (%(facility_id)s, %(name)s, %(happening)s, %(type)s, %(error)s, %(at)s)
"""
_SWITCH = f"""
INSERT INTO follower AS f (facility_id, follower, enabled, xact, id)
SELECT %(facility_id)s, %(name)s, %(enabled)s, {START}, 0
ON CONFLICT (facility_id, follower) DO UPDATE SET
  enabled = excluded.enabled, attempts = 0, due = now(),
  xact = CASE WHEN f.enabled = excluded.enabled THEN f.xact ELSE excluded.xact END,
  id = CASE WHEN f.enabled = excluded.enabled THEN f.id ELSE excluded.id END
"""
_FORGET = """
WITH gone AS (DELETE FROM follower_failure WHERE facility_id = %(facility_id)s AND follower = %(name)s)
DELETE FROM follower WHERE facility_id = %(facility_id)s AND follower = %(name)s
"""
_FORGET_FAILURES = "DELETE FROM follower_failure WHERE facility_id = %(facility_id)s AND at < %(before)s"
_STATES = """
SELECT follower, enabled, attempts,
       (SELECT count(*) FROM follower_failure x WHERE x.facility_id = f.facility_id AND x.follower = f.follower
        AND x.at > %(since)s::timestamptz - interval '24 hours') AS failures
FROM follower f WHERE facility_id = %(facility_id)s AND follower = ANY(%(names)s)
"""
_FAILURES = """
SELECT no, happening, type, error, at FROM follower_failure
WHERE facility_id = %(facility_id)s AND follower = %(name)s ORDER BY no DESC LIMIT %(limit)s
"""


class Failed(Exception):
    """A happening could not be told; the message is what is shown of it. It is tried ``tries`` times, then skipped and kept as
    a failure; ``None`` tries for ever, since it is not the happening's fault (the other side is away)."""

    def __init__(self, shown: str, *, tries: int | None, pause: float | None = None) -> None:
        super().__init__(shown)
        self.tries = tries
        self.pause = pause


class CannotFollow(Exception):
    """There is nobody to tell: nothing was tried, and all of it waits."""


Tell = Callable[[Recorded], Awaitable[None]]
"""Tells one happening; raises ``Failed``."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a follower stands, and how often the next happening was tried."""

    place: Place
    attempts: int


@dataclass(frozen=True, slots=True)
class State:
    """``attempts``: how often the happening that comes next has failed; ``failures``: how many were skipped in a day."""

    name: str
    enabled: bool
    attempts: int
    failures: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A happening (``stream:version``) that was skipped after every try."""

    no: int
    happening: str
    type: str
    error: str
    at: datetime


async def lease(tx: WriteTx, name: str) -> Standing | None:
    """A follower's standing, for ``LEASE_SECONDS`` this process's alone; ``None`` while it is switched off, another's or pausing.
    One that is met for the first time begins with what happens from now on."""
    row = await tx.row(_LEASE, name=name, lease=LEASE_SECONDS)
    if row is None and await tx.execute(_MEET, name=name):
        row = await tx.row(_LEASE, name=name, lease=LEASE_SECONDS)
    return Standing(Place(row["xact"], row["id"]), row["attempts"]) if row else None


async def switch(tx: WriteTx, name: str, *, enabled: bool) -> None:
    """Switched on again, it begins with what happens from then on."""
    await tx.execute(_SWITCH, name=name, enabled=enabled)


async def forget(tx: WriteTx, name: str) -> None:
    await tx.execute(_FORGET, name=name)


async def forget_failures(tx: WriteTx, before: datetime) -> None:
    await tx.execute(_FORGET_FAILURES, before=before)


async def states(tx: ReadTx, names: Sequence[str]) -> dict[str, State]:
    """Of each of the names; one that was not met yet is enabled."""
    rows = await tx.rows(_STATES, names=list(names), since=tx.now)
    found = {row["follower"]: State(row["follower"], row["enabled"], row["attempts"], row["failures"]) for row in rows}
    return {name: found.get(name, State(name, enabled=True, attempts=0, failures=0)) for name in names}


async def failures(tx: ReadTx, name: str, *, limit: int = 100) -> list[Failure]:
    """The latest first."""
    return [Failure(**row) for row in await tx.rows(_FAILURES, name=name, limit=limit)]


async def turn(db: Database, facility_id: UUID, name: str, tell: Tell) -> bool:
    """Tells a follower what is new in one facility, for half of the lease at most; whether there was anything."""
    if not await _has_news(db, facility_id, name):
        return False
    async with db.write(facility_id) as tx:
        standing = await lease(tx, name)
    if standing is None:
        return False
    async with db.read(facility_id) as read:
        found = await events.tail(read, standing.place, limit=BATCH)
    after, failed = await _told(standing, found, tell)
    async with db.write(facility_id) as tx:
        pause = 0.0
        if failed is not None:
            place, recorded, error = failed
            pause = error.pause or min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(after.attempts, 20))
            if error.tries is not None and after.attempts >= error.tries:
                await _fail(tx, name, recorded, error)
                after, pause = Standing(place, 0), 0.0
        where = {"xact": after.place.xact, "id": after.place.id, "attempts": after.attempts}
        await tx.execute(_MOVE, name=name, pause=pause, **where)
    return bool(found)


async def _has_news(db: Database, facility_id: UUID, name: str) -> bool:
    """Whether there may be something to do: looked at without writing, since mostly there is not."""
    async with db.read(facility_id) as tx:
        row = await tx.row(_STANDS, name=name)
        if row is None:
            return True
        return row["due"] and bool(await events.tail(tx, Place(row["xact"], row["id"]), limit=1))


async def _told(
    standing: Standing, found: Sequence[tuple[Place, Recorded]], tell: Tell
) -> tuple[Standing, tuple[Place, Recorded, Failed] | None]:
    until = asyncio.get_running_loop().time() + LEASE_SECONDS / 2
    for place, recorded in found:
        if asyncio.get_running_loop().time() > until:
            break
        try:
            await tell(recorded)
        except Failed as error:
            return Standing(standing.place, standing.attempts + 1), (place, recorded, error)
        except Exception as error:
            # Whoever is told must not end the worker that tells the others.
            if isinstance(error, (Unavailable, CannotFollow)):
                raise
            failed = Failed(type(error).__name__, tries=UNFORESEEN)
            return Standing(standing.place, standing.attempts + 1), (place, recorded, failed)
        standing = Standing(place, 0)
    return standing, None


async def _fail(tx: WriteTx, name: str, recorded: Recorded, error: Failed) -> None:
    happening = f"{recorded.stream}:{recorded.version}"
    await tx.execute(_FAILED, name=name, happening=happening, type=recorded.type, error=str(error), at=tx.now)


class Waker:
    """Wakes a loop when this process has committed something, and after a while in any case, since others commit too."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._news = asyncio.Event()
        self.stopping = False

    def __enter__(self) -> "Waker":
        self._db.on_commit.append(self._committed)
        return self

    def __exit__(self, *_: object) -> None:
        self._db.on_commit.remove(self._committed)

    def stop(self) -> None:
        self.stopping = True
        self._news.set()

    async def news(self, seconds: float) -> None:
        """Waits for something new, ``seconds`` at most."""
        if not self.stopping:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), seconds)

    def _committed(self, _: set[Stream]) -> None:
        self._news.set()
