"""The floor under ``enter``: a bare ASGI app on the product's server and tables that issues tickets and does nothing else.

Callers who come while a batch is under way share the next one; a batch is one statement in one transaction: the counter, the
ticket rows, the queue's row, the events. No rights, no rules, no limits, no replays, no languages, no logs, no metrics.

Run as a program: ``python -m benchmarks.floor DATABASE_URL PORT`` prints ``ready`` when it listens.
"""

import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from uuid import UUID

import orjson
import psycopg

import dawr.app  # noqa: F401  every table is declared by the time a schema is built
from benchmarks import serving
from dawr.platform import migrate

FACILITY = UUID("018f0000-0000-7000-8000-000000000001")
CLINICS = [f"clinic-{n:02d}" for n in range(1, 17)]
MOST = 128
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_ISSUE = """
WITH asked AS MATERIALIZED (
  SELECT a.id, a.clinic, a.person, row_number() OVER (PARTITION BY a.clinic ORDER BY a.place) AS n
  FROM unnest(%(ids)s::uuid[], %(clinics)s::text[], %(persons)s::bytea[]) WITH ORDINALITY AS a (id, clinic, person, place)
), counted AS (
  UPDATE counter c SET last = c.last + w.many
  FROM (SELECT clinic, max(n) AS many FROM asked GROUP BY clinic) w
  WHERE c.facility_id = %(facility_id)s AND c.kind = 'ticket' AND c.scope = w.clinic
  RETURNING c.scope AS clinic, c.last - w.many AS base, w.many
), moved AS (
  UPDATE queue q SET version = q.version + c.many, waiting = q.waiting + c.many FROM counted c
  WHERE q.facility_id = %(facility_id)s AND q.clinic = c.clinic
  RETURNING q.clinic, q.version - c.many AS base, q.service_day
), made AS (
  INSERT INTO ticket (facility_id, id, clinic, service_day, series, number, code, status, priority, rank, order_key, placed,
                      entered_at, changed_version, person)
  SELECT %(facility_id)s, a.id, a.clinic, m.service_day, 1, c.base + a.n, 'T-' || c.base + a.n, 'waiting', 'normal', 1,
         c.base + a.n, 'joined', %(now)s, m.base + a.n, a.person
  FROM asked a JOIN counted c USING (clinic) JOIN moved m USING (clinic)
  RETURNING id, clinic, number, changed_version
), told AS (
  INSERT INTO event (facility_id, stream, version, entity, type, data, actor, at)
  SELECT %(facility_id)s, 'queue:' || clinic, changed_version, id::text, 'TicketEntered',
         jsonb_build_object('code', 'T-' || number, 'number', number), 'stranger', %(now)s FROM made
)
SELECT id, number FROM made
"""


_FURNISH = """
INSERT INTO facility (facility_id, slug, no, name, zone, languages) VALUES (%(f)s, 'floor', 1, '{}', 'Asia/Qatar', '{en}');
INSERT INTO clinic (facility_id, clinic, name, prefix) SELECT %(f)s, c, '{}', 'T' || right(c, 2) FROM unnest(%(c)s::text[]) c;
INSERT INTO queue (facility_id, clinic, service_day) SELECT %(f)s, c, current_date FROM unnest(%(c)s::text[]) c;
INSERT INTO counter (facility_id, kind, scope, service_day, series, last)
SELECT %(f)s, 'ticket', c, current_date, 1, 1 FROM unnest(%(c)s::text[]) c
"""


def furnish(server: str, name: str = "floor") -> str:
    """A database with the product's tables and clinics to issue for, on a server; its address."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    url = server.rpartition("/")[0] + f"/{name}"
    migrate.build_fresh(url)
    with psycopg.ClientCursor(psycopg.connect(url, autocommit=True)) as cursor:
        cursor.execute(_FURNISH, {"f": FACILITY, "c": CLINICS})
    return url


class Floor:
    """The app and its tray."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._waiting: deque[tuple[dict[str, Any], UUID, asyncio.Future[int]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        ticket = _new_id()
        self._waiting.append((orjson.loads(body), ticket, answer))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._empty())
        content = orjson.dumps({"ticket": str(ticket), "number": await answer})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _empty(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST))]
            numbers = await self._issue(batch)
            for _, ticket, answer in batch:
                answer.set_result(numbers[ticket])

    async def _issue(self, batch: list[tuple[dict[str, Any], UUID, asyncio.Future[int]]]) -> dict[UUID, int]:
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        found = await self._connection.execute(
            _ISSUE,
            {
                "facility_id": FACILITY,
                "ids": [ticket for _, ticket, _ in batch],
                "clinics": [body["clinic"] for body, _, _ in batch],
                "persons": [body["user"].encode() for body, _, _ in batch],
                "now": time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime()),
            },
        )
        return {row[0]: row[1] for row in await found.fetchall()}


def _new_id() -> UUID:
    stamp = time.time_ns() // 1_000_000
    return UUID(bytes=stamp.to_bytes(6, "big") + bytes([0x70 | os.urandom(1)[0] & 15, *os.urandom(9)]))


if __name__ == "__main__":
    serving.run(Floor(sys.argv[1]), port=int(sys.argv[2]))
