"""The floor under a visit: a bare handler that runs the same SQL and does nothing else.

When it starts, the product's own code creates one visit in each clinic, and every statement it runs is kept as it was sent: its
text, its parameters, which of them went together. A request then runs those again for another patient, with ids of its own and
the numbers and versions that the statements before gave. No rights, no rules, no sessions, no keys, no logs, no shapes.

Run as a program: ``python -m benchmarks.visits_floor DATABASE_URL PORT`` prints ``ready`` when it listens.
"""

import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool
from uuid_utils.compat import uuid7

from benchmarks import floor, serving
from dawr.accounts.rules import Actor, Role
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.patients import commands as patients
from dawr.patients.rules import Identity
from dawr.platform.db import Answers, WriteTx
from dawr.platform.schema import APP_ROLE
from dawr.visits import commands
from dawr.visits.commands import Wish
from tests.conftest import make_services

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_BEGIN = (
    f"BEGIN; SET LOCAL ROLE {APP_ROLE}; SET LOCAL statement_timeout = '8s';"
    f" SET LOCAL idle_in_transaction_session_timeout = '3s'; SET LOCAL dawr.facility = '{floor.FACILITY}'"
)
# The parameters that are rows, as one text.
ROWS = {"rows", "counters", "queues", "tickets", "events"}


@dataclass(frozen=True)
class Statement:
    """One that the product ran. ``trip`` numbers those that went together, 0 for one that went alone."""

    sql: str
    params: Mapping[str, Any]
    trip: int


@dataclass
class Kept:
    """What the product ran for one visit, and the ids that were its own."""

    statements: list[Statement] = field(default_factory=list)
    ids: tuple[UUID, ...] = ()
    trips: int = 0
    inside: bool = False


class Recording(WriteTx):
    """A transaction that keeps what runs in it."""

    kept: Kept

    @asynccontextmanager
    async def one_trip(self) -> AsyncIterator[None]:
        self.kept.trips += 1
        self.kept.inside = True
        async with super().one_trip():
            yield
        self.kept.inside = False

    async def _run(self, sql: str, params: dict[str, object]) -> Answers:
        answers = await super()._run(sql, params)
        self.kept.statements.append(Statement(sql, dict(params), self.kept.trips if self.kept.inside else 0))
        return answers


async def recorded(url: str) -> dict[str, Kept]:
    """What one visit in each clinic is to the database."""
    with tempfile.TemporaryDirectory() as folder:
        services = make_services(url, Path(folder))
    await services.db.open()
    async with services.db.read(floor.FACILITY) as tx:
        facility = await facilities.facility(tx)
    assert facility is not None
    actor = Actor(kind="staff", account_id=uuid7(), role=Role.RECEPTION)
    here = Context(services, facility, actor, language="en", address="", device="d" * 32)
    # The first visit of a clinic and day also opens its counter and fills what is remembered; the second is as all others.
    found = {clinic: [await _visit(here, clinic) for _ in range(2)][1] for clinic in floor.CLINICS}
    await services.db.close()
    return found


async def _visit(here: Context, clinic: str) -> Kept:
    async with here.write() as plain:
        person = (await patients.create(plain, here, Identity(name="Amina", phones=("+97455500123",)))).patient
    kept = Kept()
    async with here.write() as plain:
        tx = Recording(plain.connection, facility_id=here.facility.id, now=plain.now, metrics=here.services.metrics)
        tx.kept = kept
        begun = await commands.begin(tx, here, person, Wish(clinic=clinic))
    kept.ids = (person, begun.ticket.id, begun.visit.visit)
    return kept


class Handler:
    """The app."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[dict[str, Any]]] | None = None
        self._kept: dict[str, Kept] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        body = orjson.loads((await receive())["body"])
        if self._pool is None:
            await self._open()
        content = orjson.dumps(await self._visit(self._kept[body["clinic"]], UUID(body["patient"])))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _open(self) -> None:
        kwargs = {"autocommit": True, "row_factory": dict_row}
        self._pool = AsyncConnectionPool(self._url, kwargs=kwargs, min_size=16, max_size=16, open=False)
        self._kept = await recorded(self._url)
        await self._pool.open(wait=True)

    async def _visit(self, kept: Kept, person: UUID) -> dict[str, Any]:
        assert self._pool is not None
        again = Again(kept, person)
        async with self._pool.connection() as connection:
            await connection.execute(_BEGIN, prepare=False)
            try:
                for one in kept.statements:
                    if one.trip == 0:
                        again.learn(one.sql, await _rows(await connection.execute(one.sql, again.params(one))))
                    elif again.trip != one.trip:
                        again.trip = one.trip
                        together = [other for other in kept.statements if other.trip == one.trip]
                        async with connection.pipeline():
                            asked = [await connection.execute(other.sql, again.params(other)) for other in together]
                        for other, cursor in zip(together, asked, strict=True):
                            again.learn(other.sql, await _rows(cursor))
                await connection.execute("COMMIT", prepare=False)
            except BaseException:
                await connection.rollback()
                raise
        return {"visit": str(again.ids[kept.ids[2]]), "number": again.visit_number, "rows": again.shown}


async def _rows(cursor: psycopg.AsyncCursor[dict[str, Any]]) -> list[dict[str, Any]]:
    return await cursor.fetchall() if cursor.description else []


class Again:
    """The same statements for another visit."""

    def __init__(self, kept: Kept, person: UUID) -> None:
        self.ids: dict[object, UUID] = {kept.ids[0]: person, kept.ids[1]: uuid7(), kept.ids[2]: uuid7()}
        self.trip = self.version = self.waiting = self.ticket_number = self.visit_number = 0
        self.key = time.time_ns()
        self.shown: list[str] = []
        self._texts = [(str(old), str(fresh)) for old, fresh in self.ids.items()]
        # Who it is, by the blind index that is unique among those who wait.
        self._person = uuid7().bytes

    def learn(self, sql: str, rows: list[dict[str, Any]]) -> None:
        if "FOR UPDATE OF queue" in sql:
            self.version, self.waiting = rows[0]["version"] + 1, rows[0]["waiting"] + 1
        elif "AS later" in sql:
            self.ticket_number = rows[0]["last"] + 1
        elif "INTO visit " in sql:
            self.visit_number = rows[0]["number"]
        self.shown += [str(value) for row in rows for value in row.values()]

    def params(self, one: Statement) -> dict[str, Any]:
        live = {"order_key": self.key, "last_key": self.key, "persons": [self._person]}
        if "AS later" in one.sql:
            live["now"] = self.key
        if "access" in one.params:
            live["access"] = uuid7()
        found = {name: live.get(name, self._other(value)) for name, value in one.params.items()}
        for name in ROWS & found.keys():
            found[name] = orjson.dumps([self._row(row) for row in orjson.loads(str(found[name]))]).decode()
        return found

    def _row(self, row: dict[str, Any]) -> dict[str, Any]:
        if "order_key" in row:
            person = f"\\x{self._person.hex()}"
            own = {
                "number": self.ticket_number,
                "order_key": self.key,
                "changed_version": self.version,
                "person": person,
            }
            return row | own | {"code": f"T-{self.ticket_number}"}
        if "last_key" in row:
            return row | {"version": self.version, "last_key": self.key, "waiting": self.waiting}
        if "given" in row:
            return row | {"given": self.ticket_number - 1, "last": self.ticket_number}
        return row | {"version": self.version} if row.get("stream", "").startswith("queue:") else row

    def _other(self, value: Any) -> Any:
        if isinstance(value, str):
            for old, fresh in self._texts:
                value = value.replace(old, fresh)
            return value
        if isinstance(value, Jsonb):
            return Jsonb({name: self._other(inside) for name, inside in value.obj.items()})
        if isinstance(value, list):
            return [self._other(inside) for inside in value]
        return self.ids.get(value, value) if isinstance(value, UUID) else value


if __name__ == "__main__":
    serving.run(Handler(sys.argv[1]), port=int(sys.argv[2]))
