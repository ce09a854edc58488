"""Those who follow a facility's log behind everybody's back: at their own pace, in order, missing nothing.

A follower has a place in the log (``events.tail``) that is moved after its work is done, so what it was told in the moment of a
crash it is told again. The place is leased while one process works. What fails is tried again after a growing pause.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Identity, Integer, Text, Uuid, text

from dawr.platform import events
from dawr.platform.db import Database, ReadTx, Stream, WriteTx
from dawr.platform.errors import N_, NotFound, Unavailable
from dawr.platform.events import EPOCH, START, Place, Recorded
from dawr.platform.retry import in_time
from dawr.platform.schema import define_function, facility_table

LEASE_SECONDS = 60
BATCH = 50
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 600.0
UNFORESEEN = 5
LATELY_SECONDS = 600.0
LAST_WORDS_SECONDS = 0.4

follower = facility_table(
    "follower",
    Column("follower", Text, primary_key=True),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("xact", Text, nullable=False),
    Column("id", BigInteger, nullable=False),
    Column("epoch", Uuid, nullable=False),
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
    Column("again", Boolean, nullable=False, server_default=text("false")),
    grants="SELECT, INSERT, UPDATE, DELETE",
)

# Who has news, in all facilities, by one question: row-level security shows one at a time, so it looks into one after the other.
define_function(
    "directory.followers_due(text)",
    """
CREATE OR REPLACE FUNCTION directory.followers_due(wanted text) RETURNS TABLE (facility uuid, name text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  present record;
BEGIN
  SELECT epoch, begins_after INTO present FROM public.log_epoch ORDER BY started_at DESC LIMIT 1;
  FOR facility IN SELECT f.facility_id FROM directory.facilities() f LOOP
    PERFORM set_config('dawr.facility', facility::text, true);
    FOR name IN
      SELECT f.follower FROM public.follower f
      WHERE f.facility_id = facility AND starts_with(f.follower, wanted) AND f.enabled AND f.due <= clock_timestamp() AND (
        f.epoch <> present.epoch
        OR EXISTS (SELECT FROM public.event e WHERE e.facility_id = facility AND (e.xact, e.id) > (f.xact::xid8, f.id)
                   AND e.id > present.begins_after AND e.xact < pg_snapshot_xmin(pg_current_snapshot()))
        OR EXISTS (SELECT FROM public.follower_failure x
                   WHERE x.facility_id = facility AND x.follower = f.follower AND x.again))
    LOOP
      RETURN NEXT;
    END LOOP;
    IF right(wanted, 1) <> ':'
       AND NOT EXISTS (SELECT FROM public.follower f WHERE f.facility_id = facility AND f.follower = wanted) THEN
      name := wanted;
      RETURN NEXT;
    END IF;
  END LOOP;
  PERFORM set_config('dawr.facility', '', true);
END $$
""",
)

_MEET = f"""
INSERT INTO follower (facility_id, follower, xact, id, epoch) SELECT %(facility_id)s, %(name)s, {START}, 0, {EPOCH}
ON CONFLICT DO NOTHING
"""
_DUE = "SELECT facility, name FROM directory.followers_due(%(wanted)s)"
_LEASE = """
UPDATE follower SET due = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE facility_id = %(facility_id)s AND follower = %(name)s AND enabled AND due <= clock_timestamp()
RETURNING xact, id, epoch, attempts
"""
_MOVE = """
UPDATE follower SET xact = %(xact)s, id = %(id)s, epoch = %(epoch)s, attempts = %(attempts)s,
       due = clock_timestamp() + make_interval(secs => %(pause)s)
WHERE facility_id = %(facility_id)s AND follower = %(name)s AND enabled
"""
_FAILED = """
INSERT INTO follower_failure (facility_id, follower, happening, type, error, at)
VALUES (%(facility_id)s, %(name)s, %(happening)s, %(type)s, %(error)s, %(at)s)
"""
_SWITCH = f"""
INSERT INTO follower AS f (facility_id, follower, enabled, xact, id, epoch)
SELECT %(facility_id)s, %(name)s, %(enabled)s, {START}, 0, {EPOCH}
ON CONFLICT (facility_id, follower) DO UPDATE SET
  enabled = excluded.enabled, attempts = 0, due = now(),
  xact = CASE WHEN f.enabled = excluded.enabled THEN f.xact ELSE excluded.xact END,
  id = CASE WHEN f.enabled = excluded.enabled THEN f.id ELSE excluded.id END,
  epoch = CASE WHEN f.enabled = excluded.enabled THEN f.epoch ELSE excluded.epoch END
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
_FAILED_LATELY = """
SELECT EXISTS (SELECT FROM follower_failure WHERE facility_id = %(facility_id)s AND follower = %(name)s
               AND at > %(now)s::timestamptz - make_interval(secs => %(seconds)s))
"""
_ASK_AGAIN = """
UPDATE follower_failure SET again = true
WHERE facility_id = %(facility_id)s AND follower = %(name)s AND (%(no)s::bigint IS NULL OR no = %(no)s)
"""
_ASKED_AGAIN = """
SELECT x.no, e.stream, e.version, e.entity, e.type, e.data, e.actor, e.at FROM follower_failure x
JOIN event e ON e.facility_id = x.facility_id AND e.stream = regexp_replace(x.happening, ':[0-9]+$', '')
  AND e.version = substring(x.happening from '[0-9]+$')::bigint
WHERE x.facility_id = %(facility_id)s AND x.follower = %(name)s AND x.again ORDER BY x.no LIMIT %(limit)s
"""
_DONE_AFTER_ALL = (
    "DELETE FROM follower_failure WHERE facility_id = %(facility_id)s AND follower = %(name)s AND no = %(no)s"
)
_FAILED_AGAIN = """
UPDATE follower_failure SET again = false, error = %(error)s, at = %(at)s
WHERE facility_id = %(facility_id)s AND follower = %(name)s AND no = %(no)s
"""
_FAILURES = """
SELECT no, happening, type, error, at, again FROM follower_failure
WHERE facility_id = %(facility_id)s AND follower = %(name)s ORDER BY no DESC LIMIT %(limit)s
"""


class FailureNotFound(NotFound):
    code = "failure_not_found"
    title = N_("There is no such skipped message")


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
    """A happening (``stream:version``) that was skipped after every try; ``again`` while it is to be told once more."""

    no: int
    happening: str
    type: str
    error: str
    at: datetime
    again: bool = False


async def lease(tx: WriteTx, name: str) -> Standing | None:
    """A follower's standing, for ``LEASE_SECONDS`` this process's alone; ``None`` while it is switched off, another's or pausing.
    One that is met for the first time begins with what happens from now on."""
    row = await tx.row(_LEASE, name=name, lease=LEASE_SECONDS)
    if row is None and await tx.execute(_MEET, name=name):
        row = await tx.row(_LEASE, name=name, lease=LEASE_SECONDS)
    return Standing(Place(row["xact"], row["id"], row["epoch"]), row["attempts"]) if row else None


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


async def ask_again(tx: WriteTx, name: str, no: int | None = None) -> None:
    """A happening that was skipped, or every one, is to be told once more, out of its order. ``FailureNotFound``."""
    if not await tx.execute(_ASK_AGAIN, name=name, no=no) and no is not None:
        raise FailureNotFound


async def due(db: Database, wanted: str) -> list[tuple[UUID, str]]:
    """In which facilities whom something waits for: the follower of this name, or all whose names begin so (``webhook:``). One
    question, however many facilities there are."""
    async with db.read() as tx:
        return [(row["facility"], row["name"]) for row in await tx.rows(_DUE, wanted=wanted)]


async def turn(
    db: Database, facility_id: UUID, name: str, tell: Tell, *, stopping: Callable[[], bool] = lambda: False
) -> bool:
    """Tells a follower what is new in one facility, for half of the lease at most; whether there was anything. Where it ends in
    the middle, the place that it has reached is kept."""
    async with db.write(facility_id) as tx:
        standing = await lease(tx, name)
    if standing is None:
        return False
    progress = _Progress(standing, stopping)
    try:
        return await _go_on(db, facility_id, name, tell, progress)
    except asyncio.CancelledError:
        with contextlib.suppress(Unavailable, TimeoutError):
            await in_time(_move(db, facility_id, name, progress), LAST_WORDS_SECONDS)
        raise


@dataclass(slots=True)
class _Progress:
    """How far a turn has come, and what ended it."""

    standing: Standing
    stopping: Callable[[], bool]
    failed: tuple[Place, Recorded, Failed] | None = None
    until: float = field(default_factory=lambda: asyncio.get_running_loop().time() + LEASE_SECONDS / 2)

    @property
    def over(self) -> bool:
        return self.failed is not None or self.stopping() or asyncio.get_running_loop().time() > self.until


async def _go_on(db: Database, facility_id: UUID, name: str, tell: Tell, progress: _Progress) -> bool:
    async with db.read(facility_id) as read:
        found = await events.tail(read, progress.standing.place, limit=BATCH)
        again = [(row.pop("no"), Recorded(**row)) for row in await read.rows(_ASKED_AGAIN, name=name, limit=BATCH)]
        if not found:
            progress.standing = replace(progress.standing, place=await events.latest(read, progress.standing.place))
    for no, recorded in again:
        if not progress.over:
            await _tell_again(db, facility_id, name, tell, progress=progress, one=(no, recorded))
    for place, recorded in found:
        if progress.over:
            break
        error = await _tried(tell, recorded)
        attempts = progress.standing.attempts + 1
        progress.standing = Standing(progress.standing.place, attempts) if error else Standing(place, 0)
        progress.failed = (place, recorded, error) if error else None
    await _move(db, facility_id, name, progress)
    return bool(found or again)


async def _tried(tell: Tell, recorded: Recorded) -> Failed | None:
    try:
        await tell(recorded)
    except Failed as error:
        return error
    except Exception as error:
        # Whoever is told must not end the worker that tells the others.
        if isinstance(error, (Unavailable, CannotFollow)):
            raise
        return Failed(type(error).__name__, tries=UNFORESEEN)
    return None


async def _tell_again(
    db: Database, facility_id: UUID, name: str, tell: Tell, *, progress: _Progress, one: tuple[int, Recorded]
) -> None:
    """Where the other side is away, it waits like everything else."""
    no, recorded = one
    error = await _tried(tell, recorded)
    if error is not None and error.tries is None:
        standing = progress.standing
        progress.standing = Standing(standing.place, standing.attempts + 1)
        progress.failed = (standing.place, recorded, error)
        return
    async with db.write(facility_id) as tx:
        if error is None:
            await tx.execute(_DONE_AFTER_ALL, name=name, no=no)
        else:
            await tx.execute(_FAILED_AGAIN, name=name, no=no, error=str(error), at=tx.now)


async def _move(db: Database, facility_id: UUID, name: str, progress: _Progress) -> None:
    after, pause = progress.standing, 0.0
    async with db.write(facility_id) as tx:
        if progress.failed is not None:
            place, recorded, error = progress.failed
            pause = error.pause or min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(after.attempts, 20))
            if error.tries is not None and (after.attempts >= error.tries or await _failed_lately(tx, name)):
                await _fail(tx, name, recorded, error)
                after, pause = Standing(place, 0), 0.0
        where = {"xact": after.place.xact, "id": after.place.id, "epoch": after.place.epoch, "attempts": after.attempts}
        await tx.execute(_MOVE, name=name, pause=pause, **where)


async def _failed_lately(tx: WriteTx, name: str) -> bool:
    """After one that was given up, the next are not tried for long: a line of refusals must not hold back what follows it."""
    found: bool = await tx.value(_FAILED_LATELY, name=name, now=tx.now, seconds=LATELY_SECONDS)
    return found


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
