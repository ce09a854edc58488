"""Rows in bulk, as the product would have written them: people who wait, clinics, years of past tickets with their events.

Everything goes through the tables' own keys, checks and foreign keys; only the product's own commands are passed by. The
server's superuser writes it, whom row-level security does not bind.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

import psycopg

from dawr.platform.embedded_postgres_home import running_url
from tests.proof.program import Program

A_DAY = 320
CHUNK_DAYS = 24

# As PostgreSQL 18's own uuidv7(), which older servers do not have.
_ID = """overlay(overlay(gen_random_uuid()::text PLACING '7' FROM 15) PLACING
  overlay(lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0') PLACING '-' FROM 9 FOR 0) FROM 1 FOR 13)::uuid"""
_FACILITY = "SELECT facility_id FROM facility WHERE slug = 'mmc'"
_CLINICS = """
INSERT INTO clinic (facility_id, clinic, name, prefix, mean_service_seconds, place)
SELECT %(facility_id)s, 'room-' || lpad(n::text, 4, '0'), '{"en": "Room", "ar": "غرفة"}', 'R' || lpad(n::text, 4, '0'), 480, n
FROM generate_series(1, %(count)s::int) n
"""
_DESKS = """
INSERT INTO desk (facility_id, clinic, desk)
SELECT facility_id, clinic, '1' FROM clinic WHERE facility_id = %(facility_id)s AND clinic LIKE 'room-%%'
"""
_QUEUES = """
INSERT INTO queue (facility_id, clinic, service_day)
SELECT %(facility_id)s, clinic, (SELECT service_day FROM queue WHERE facility_id = %(facility_id)s LIMIT 1)
FROM unnest(%(clinics)s::text[]) clinic
ON CONFLICT DO NOTHING
"""
_WAITING = f"""
INSERT INTO ticket (facility_id, id, clinic, service_day, series, number, code, status, priority, rank, order_key, placed,
                    language, entered_at, changed_version, person, device)
SELECT q.facility_id, {_ID.format(at="clock_timestamp()")}, q.clinic, q.service_day, q.series, n,
       c.prefix || '-' || lpad(n::text, 3, '0'), 'waiting', 'normal', 1,
       (extract(epoch FROM now()) * 1e9)::bigint - (%(each)s - n) * 1000, 'arrival', 'en', now(), q.version + n,
       sha256((q.clinic || n)::bytea), sha256(('device' || n)::bytea)
FROM queue q JOIN clinic c USING (facility_id, clinic) CROSS JOIN generate_series(1, %(each)s::int) n
WHERE q.facility_id = %(facility_id)s AND q.clinic = ANY(%(clinics)s)
"""
_COUNTERS = """
INSERT INTO counter (facility_id, kind, scope, service_day, series, last)
SELECT facility_id, 'ticket', clinic, service_day, series, %(each)s FROM queue
WHERE facility_id = %(facility_id)s AND clinic = ANY(%(clinics)s)
"""
_WAITING_EVENTS = """
INSERT INTO event (facility_id, stream, version, entity, type, data, actor, at)
SELECT facility_id, 'queue:' || clinic, changed_version, id::text, 'ticket_entered', %(data)s::jsonb, 'stranger', entered_at
FROM ticket WHERE facility_id = %(facility_id)s AND clinic = ANY(%(clinics)s) AND status = 'waiting'
"""
_WAITING_VERSIONS = """
UPDATE queue SET version = version + %(each)s, waiting = waiting + %(each)s,
       last_key = (extract(epoch FROM now()) * 1e9)::bigint
WHERE facility_id = %(facility_id)s AND clinic = ANY(%(clinics)s)
"""
# Of ten people eight were served, one did not come and one cancelled.
_PAST = f"""
INSERT INTO ticket (facility_id, id, clinic, service_day, series, number, code, status, priority, rank, order_key, placed,
                    language, entered_at, called_at, started_at, ended_at, ended_day, calls, changed_version, person, device)
SELECT q.facility_id, {_ID.format(at="joined")}, q.clinic, day, 1, n, c.prefix || '-' || lpad(n::text, 3, '0'),
       CASE n %% 10 WHEN 0 THEN 'no_show' WHEN 1 THEN 'cancelled' ELSE 'done' END, 'normal', 1,
       (extract(epoch FROM joined) * 1e9)::bigint, 'arrival', 'en', joined, joined + '20 min',
       CASE WHEN n %% 10 > 1 THEN joined + '21 min'::interval END, joined + '28 min', day, 1,
       q.version + (back - 1) * %(a_day)s::int + n, sha256((q.clinic || back || n)::bytea), sha256(('device' || n)::bytea)
FROM queue q JOIN clinic c USING (facility_id, clinic)
CROSS JOIN generate_series(%(from_back)s::int, %(to_back)s::int) back
CROSS JOIN LATERAL (SELECT q.service_day - back AS day) d
CROSS JOIN generate_series(1, %(a_day)s::int) n
CROSS JOIN LATERAL (SELECT day + '06:00'::time + n * '2 min'::interval AS joined) j
WHERE q.facility_id = %(facility_id)s AND q.clinic = ANY(%(clinics)s)
ORDER BY back DESC, n
"""
_PAST_EVENTS = """
INSERT INTO event (facility_id, stream, version, entity, type, data, actor, at)
SELECT facility_id, 'queue:' || clinic, changed_version, id::text, 'ticket_done', %(data)s::jsonb, 'account:1', ended_at
FROM ticket WHERE facility_id = %(facility_id)s AND clinic = ANY(%(clinics)s)
AND ended_day BETWEEN (SELECT max(service_day) FROM queue WHERE facility_id = %(facility_id)s) - %(to_back)s::int
              AND (SELECT max(service_day) FROM queue WHERE facility_id = %(facility_id)s) - %(from_back)s::int
ORDER BY changed_version
"""
_PAST_VERSIONS = """
UPDATE queue SET version = version + %(days)s::int * %(a_day)s::int
WHERE facility_id = %(facility_id)s AND clinic = ANY(%(clinics)s)
"""
_EVENT_DATA = "SELECT data::text FROM event WHERE facility_id = %(facility_id)s AND type = %(type)s LIMIT 1"


@dataclass(frozen=True)
class Bulk:
    """The tables of one running program's default facility."""

    url: str
    facility_id: UUID

    @classmethod
    def of(cls, server: Program) -> "Bulk":
        url = running_url(server.folder / "data" / "postgres")
        assert url is not None
        with psycopg.connect(url) as connection:
            found = connection.execute(_FACILITY).fetchone()
        assert found is not None
        return cls(url, found[0])

    async def clinics(self, count: int) -> list[str]:
        """Further clinics with one desk each: ``room-0001`` …"""
        await self._run([_CLINICS, _DESKS], count=count)
        return [f"room-{n:04d}" for n in range(1, count + 1)]

    async def waiting(self, clinics: list[str], each: int) -> None:
        """``each`` people wait in every one of these clinics, which have given no ticket today."""
        data = await self._value(_EVENT_DATA, type="ticket_entered")
        steps = [_QUEUES, _WAITING, _COUNTERS, _WAITING_EVENTS, _WAITING_VERSIONS]
        await self._run(steps, clinics=clinics, each=each, data=data)

    async def past(self, clinics: list[str], tickets: int) -> int:
        """At least ``tickets`` ended tickets, ``A_DAY`` a clinic and day back from yesterday, each with the event of its end
        (of its four or five: the others differ in nothing a hot statement could notice). How many were made.

        Two connections at a time, a few weeks in each transaction, as this machine has two cores.
        """
        data = await self._value(_EVENT_DATA, type="ticket_done")
        days = -(-tickets // (len(clinics) * A_DAY))
        await self._run([_QUEUES], clinics=clinics)
        two = asyncio.Semaphore(2)

        async def chunk(to_back: int) -> None:
            async with two:
                back = {"from_back": max(1, to_back - CHUNK_DAYS + 1), "to_back": to_back}
                await self._run([_PAST, _PAST_EVENTS], clinics=clinics, a_day=A_DAY, data=data, **back)

        await asyncio.gather(*(chunk(to_back) for to_back in range(days, 0, -CHUNK_DAYS)))
        await self._run([_PAST_VERSIONS], clinics=clinics, days=days, a_day=A_DAY)
        return days * A_DAY * len(clinics)

    async def settle(self) -> None:
        """What the server does by itself in time: statistics, the visibility map, a checkpoint."""

        def settle() -> None:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute("VACUUM (ANALYZE)")
                connection.execute("CHECKPOINT")

        await asyncio.to_thread(settle)

    async def size(self) -> int:
        """Bytes of the database."""
        return int(await self._value("SELECT pg_database_size(current_database())"))

    async def _run(self, steps: Iterable[LiteralString], **params: object) -> None:
        def run() -> None:
            with psycopg.connect(self.url) as connection:
                for step in steps:
                    connection.execute(step, params | {"facility_id": self.facility_id})

        await asyncio.to_thread(run)

    async def _value(self, step: LiteralString, **params: object) -> str:
        def value() -> str:
            with psycopg.connect(self.url) as connection:
                found = connection.execute(step, params | {"facility_id": self.facility_id}).fetchone()
            assert found is not None, step
            return str(found[0])

        return await asyncio.to_thread(value)
