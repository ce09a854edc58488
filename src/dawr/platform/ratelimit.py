"""Rate limits that hold across processes: the generic cell rate algorithm in one statement of PostgreSQL.

A key's row holds one moment, the *theoretical arrival time*: how far ahead the key has used up its share. A request moves
it on by one step (period ÷ requests per period) and is refused where it would then lie more than ``burst`` steps ahead
of now. The time is the database's, so servers with different clocks agree; the table is unlogged, because after a crash
an empty one is right soon enough. Keys are hashed: the table cannot tell whose they are.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow, tuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy import Column, DateTime, LargeBinary

from dawr.platform.crypto import Keyring
from dawr.platform.errors import TooManyRequests, Unavailable
from dawr.platform.metrics import Metrics
from dawr.platform.retry import in_time
from dawr.platform.schema import global_table

rate_limit = global_table(
    "rate_limit",
    Column("key", LargeBinary, primary_key=True),
    Column("tat", DateTime(timezone=True), nullable=False),
    reason="counts requests before a facility is known, under hashed keys; a crash may empty it",
    unlogged=True,
)

REACH_SECONDS = 1.5
_RACES = 20
_MICROSECOND = timedelta(microseconds=1)

# Refused keys come back with the seconds to wait. ``refused`` looks before anything is written, so a refusal by one key
# takes nothing from the others. Between that look and the row's lock another request may have taken the last place: then
# the insert changes fewer rows than were asked for, and the division by zero undoes all of it; the statement is run again.
# A row ``absurd``ly far ahead was written before the server's clock was set back; it counts as if it were not there.
_CHECK = """
WITH asked AS MATERIALIZED (
    SELECT key,
           step * interval '1 microsecond' AS step,
           now() + (room - step) * interval '1 microsecond' AS latest,
           now() + room * interval '1 microsecond' + interval '1 minute' AS absurd
      FROM unnest(%(keys)s::bytea[], %(steps)s::bigint[], %(rooms)s::bigint[]) AS given (key, step, room)
), refused AS MATERIALIZED (
    SELECT asked.key, extract(epoch FROM rate_limit.tat - asked.latest)::float8 AS seconds
      FROM asked JOIN rate_limit USING (key)
     WHERE rate_limit.tat > asked.latest AND rate_limit.tat < asked.absurd
), taken AS (
    INSERT INTO rate_limit AS r (key, tat)
    SELECT key, now() + step FROM asked WHERE NOT EXISTS (SELECT FROM refused) ORDER BY key
    ON CONFLICT (key) DO UPDATE
       SET tat = (SELECT asked.step + CASE WHEN r.tat < asked.absurd THEN greatest(r.tat, now()) ELSE now() END
                    FROM asked WHERE asked.key = r.key)
     WHERE (SELECT r.tat <= asked.latest OR r.tat >= asked.absurd FROM asked WHERE asked.key = r.key)
    RETURNING r.key
)
SELECT key, seconds FROM refused
UNION ALL
SELECT NULL, NULL
 WHERE 1 / (EXISTS (SELECT FROM refused) OR (SELECT count(*) FROM taken) = (SELECT count(*) FROM asked))::int = 0
"""

# Rows whose moment has passed say the same as no row. In key order and without waiting, so as never to meet a check.
_SWEEP = """
DELETE FROM rate_limit
 WHERE key IN (SELECT key FROM rate_limit WHERE tat < now() ORDER BY key LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True)
class Limit:
    """``per_period`` requests in each ``period`` in the long run, and at most ``burst`` of them at once.

    A caller that was quiet may send ``burst`` and then goes on at the long run's pace, so that within its first period
    up to ``burst + per_period`` are let through. ``name`` is a constant of the code: it labels a figure.
    """

    name: str
    per_period: int
    period: timedelta
    burst: int

    def __post_init__(self) -> None:
        if self.burst < 1 or self.per_period < 1 or self.step < 1:
            raise ValueError(f"the limit {self.name} lets nothing through or counts nothing")

    @property
    def step(self) -> int:
        """What one request uses up, in microseconds."""
        return self.period // self.per_period // _MICROSECOND


class RateLimiter:
    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        keyring: Keyring,
        *,
        metrics: Metrics,
        enabled: bool = True,
    ) -> None:
        """``pool`` gives autocommit connections: a check is one statement and one trip."""
        self._pool = pool
        self._keyring = keyring
        self._metrics = metrics
        self.enabled = enabled

    async def check(self, *pairs: tuple[Limit, str]) -> None:
        """Counts one request against each limit for its subject (a device, an address …), all of them or none.

        ``TooManyRequests`` says when all of them would let it through; ``Unavailable`` that the database is out of reach.
        """
        if not self.enabled or not pairs:
            return
        limits = {self._key(limit, subject): limit for limit, subject in pairs}
        refused = await self._ask(limits)
        for key in refused:
            self._metrics.rate_limited.labels(limit=limits[key].name).inc()
        if refused:
            raise TooManyRequests(retry_after=max(1, math.ceil(max(refused.values()))))

    async def sweep(self, limit: int = 10_000) -> int:
        """Deletes up to ``limit`` rows that no longer say anything; how many it were. For a periodic job."""
        async with self._pool.connection() as connection:
            return (await connection.execute(_SWEEP, {"limit": limit})).rowcount

    async def _ask(self, limits: Mapping[bytes, Limit]) -> dict[bytes, float]:
        params: dict[str, Sequence[object]] = {
            "keys": list(limits),
            "steps": [limit.step for limit in limits.values()],
            "rooms": [limit.step * limit.burst for limit in limits.values()],
        }
        for _ in range(_RACES):
            try:
                return dict(await in_time(self._run(params), REACH_SECONDS))
            except psycopg.errors.DivisionByZero:
                continue
            except (PoolTimeout, TimeoutError, psycopg.OperationalError, psycopg.InterfaceError) as error:
                raise Unavailable from error
        # Each lost race is a place that somebody else took: whoever loses so many meets a crowd.
        return dict.fromkeys(limits, 1.0)

    async def _run(self, params: Mapping[str, Sequence[object]]) -> list[TupleRow]:
        async with self._pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_CHECK, params)
            return await cursor.fetchall()

    def _key(self, limit: Limit, subject: str) -> bytes:
        return self._keyring.blind(subject, facility="", where=f"rate_limit.{limit.name}")
