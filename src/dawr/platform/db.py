"""PostgreSQL: one pool, two kinds of transaction, opened at the edge for one facility.

A transaction's first trip begins it, takes the role that owns nothing and names the facility, so that row-level security
shows that facility's rows and no others. ``ReadTx`` sees one snapshot; ``WriteTx`` commits when its block ends without an
exception, and only then tells the listeners which streams it touched. Whatever keeps the store out of reach is
``Unavailable``, soon enough for a person to be told.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from psycopg_pool.base import AttemptWithBackoff

from dawr.platform.clock import Clock
from dawr.platform.errors import Unavailable
from dawr.platform.logging import get_logger
from dawr.platform.metrics import Metrics
from dawr.platform.schema import APP_ROLE

SLOW_SECONDS = 0.1
REACH_SECONDS = 1.5
DEADLINE_SECONDS = 10.0
STATEMENT_TIMEOUT = "8s"
# A process that hangs, or is cut off, inside a transaction holds a queue's lock; nobody else shall wait long for it. Between
# statements that go together, whose end has not been said yet, a server does not take it for idle: there the whole time counts,
# where the server knows that limit (PostgreSQL 17).
IDLE_TIMEOUT = "3s"
TRANSACTION_TIMEOUT = "10s"
set_json_loads(orjson.loads)
# A server that restarts is back within a second: the pool's own pauses of 1 s, 2 s … would be most of the outage.
AttemptWithBackoff.INITIAL_DELAY = 0.1
_OUT_OF_REACH = (
    PoolTimeout,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.TransactionTimeout,
)
_COMMIT = "COMMIT"
Connection = AsyncConnection[DictRow]
Answers = psycopg.AsyncCursor[DictRow]
Stream = tuple[UUID, str]
Heard = Callable[["WriteTx", Sequence[Any]], Awaitable[None]]
log = get_logger(__name__)


class ReadTx:
    """One snapshot of one facility. Statements take named parameters (``%(name)s``); rows are dictionaries."""

    def __init__(self, connection: Connection, *, facility_id: UUID | None, now: datetime, metrics: Metrics) -> None:
        self.connection = connection
        self.facility_id = facility_id
        self.now = now
        self._metrics = metrics

    async def rows(self, sql: str, **params: object) -> list[dict[str, Any]]:
        return await (await self._run(sql, params)).fetchall()

    async def row(self, sql: str, **params: object) -> dict[str, Any] | None:
        return await (await self._run(sql, params)).fetchone()

    async def value(self, sql: str, **params: object) -> Any:
        found = await self.row(sql, **params)
        return None if found is None else next(iter(found.values()))

    async def asked(self, sql: str, **params: object) -> Answers:
        """A question whose rows are fetched later: where it went with others, after their ``one_trip``."""
        return await self._run(sql, params)

    @asynccontextmanager
    async def one_trip(self) -> AsyncIterator[None]:
        """Sends the statements of the block together. The first failure ends it. Whoever fetches rows in the block, or opens
        another trip there, makes more trips of it."""
        async with self.connection.pipeline():
            yield

    async def _run(self, sql: str, params: dict[str, object]) -> Answers:
        if self.facility_id is not None:
            params.setdefault("facility_id", self.facility_id)
        started = time.perf_counter()
        cursor = await self.connection.execute(sql, params)
        seconds = time.perf_counter() - started
        if seconds > SLOW_SECONDS:
            self._metrics.db_slow_queries.inc()
            log.warning("slow_query", milliseconds=round(seconds * 1000), statement=" ".join(sql.split()))
        return cursor


class WriteTx(ReadTx):
    """A transaction that may change things. ``touched`` collects the streams to wake after the commit; ``listeners`` hear of
    a change inside it."""

    def __init__(self, connection: Connection, *, facility_id: UUID | None, now: datetime, metrics: Metrics) -> None:
        super().__init__(connection, facility_id=facility_id, now=now, metrics=metrics)
        self.touched: set[Stream] = set()
        self.listeners: Mapping[str, Mapping[object, Heard]] = {}

    async def execute(self, sql: str, **params: object) -> int:
        """Runs a statement that returns no rows; the number of rows it changed."""
        return (await self._run(sql, params)).rowcount

    async def execute_many(self, sql: str, params: Iterable[dict[str, object]]) -> None:
        """Runs one statement for each set of parameters, in one trip."""
        rows = [{"facility_id": self.facility_id} | row for row in params]
        await self.connection.cursor().executemany(sql, rows)

    async def insert_rows(self, sql: str, rows: Iterable[Any], **params: object) -> Answers:
        """Runs one INSERT for all rows: ``… FROM json_populate_recordset(NULL::table, %(rows)s)``. Far cheaper than a statement
        for each."""
        return await self._run(sql, params | {"rows": rows_text(rows)})

    @asynccontextmanager
    async def last_trip(self) -> AsyncIterator[None]:
        """Sends the statements of the block together with the commit: whatever fails of them keeps all from being committed, and
        so does a block that ends with an exception. Nothing can follow in this transaction."""
        async with self.one_trip():
            yield
            await self.connection.execute(_COMMIT, prepare=False)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What fails inside is undone without losing the rest of the transaction."""
        await self.connection.execute("SAVEPOINT inner_step")
        try:
            yield
        except BaseException:
            await self.connection.execute("ROLLBACK TO SAVEPOINT inner_step")
            raise
        await self.connection.execute("RELEASE SAVEPOINT inner_step")


class Database:
    def __init__(self, url: str, *, clock: Clock, metrics: Metrics, size: int = 16, prepare: bool = True) -> None:
        """``prepare=False`` where a pooler hands each transaction another server connection."""
        self.url = url
        self.clock = clock
        self.on_commit: list[Callable[[set[Stream]], None]] = []
        self.listeners: dict[str, dict[object, Heard]] = {}
        self._metrics = metrics
        self._role_clause = f"SET LOCAL ROLE {APP_ROLE}; "
        self._limits = _limits(0)
        self._returned_at = 0.0
        self.pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            connection_class=AsyncConnection[DictRow],
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "connect_timeout": 3,
                "prepare_threshold": 5 if prepare else None,
                "application_name": "dawr",
            },
            min_size=2,
            max_size=size,
            timeout=REACH_SECONDS,
            reconnect_timeout=2,
            max_idle=300,
            open=False,
        )

    async def open(self) -> None:
        await self.pool.open()
        with _as_unavailable():
            async with self.pool.connection() as connection:
                self._role_clause = await _role_clause(connection)
                self._limits = _limits(connection.info.server_version)

    async def close(self) -> None:
        await self.pool.close(timeout=2)

    @asynccontextmanager
    async def read(self, facility_id: UUID | None = None) -> AsyncIterator[ReadTx]:
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        async with self._transaction(begin, facility_id) as connection:
            yield ReadTx(connection, facility_id=facility_id, now=self.clock.now(), metrics=self._metrics)

    @asynccontextmanager
    async def write(self, facility_id: UUID | None = None) -> AsyncIterator[WriteTx]:
        async with self._transaction("BEGIN", facility_id) as connection:
            tx = WriteTx(connection, facility_id=facility_id, now=self.clock.now(), metrics=self._metrics)
            tx.listeners = self.listeners
            yield tx
        if tx.touched:
            for listener in self.on_commit:
                listener(tx.touched)

    async def _borrowed(self) -> Connection:
        """Waits for a connection as long as others come back (a crowd), no longer than ``REACH_SECONDS`` where none does."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                return await self.pool.getconn(REACH_SECONDS)
            except PoolTimeout:
                if time.monotonic() - self._returned_at > REACH_SECONDS or time.monotonic() > deadline:
                    raise

    async def _begun(self, first: str) -> Connection:
        """A connection on which ``first`` has run. Nothing is done before it, so where it meets the end of a connection that a
        server left behind, the next connection is tried."""
        started = time.monotonic()
        while True:
            connection = await self._borrowed()
            try:
                with _leashed(connection, REACH_SECONDS):
                    await connection.execute(first, prepare=False)
                return connection
            except (psycopg.OperationalError, psycopg.InterfaceError):
                await self.pool.putconn(connection)
                if time.monotonic() - started > REACH_SECONDS / 2:
                    raise
            except BaseException:
                await self.pool.putconn(connection)
                raise

    @asynccontextmanager
    async def _transaction(self, begin: str, facility_id: UUID | None) -> AsyncIterator[Connection]:
        setting = f"; SET LOCAL dawr.facility = '{facility_id}'" if facility_id else ""
        first = f"{begin}; {self._role_clause}{self._limits}{setting}"
        with _as_unavailable():
            connection = await self._begun(first)
            try:
                async with self._ended(connection):
                    yield connection
            finally:
                await self.pool.putconn(connection)
        self._returned_at = time.monotonic()

    @asynccontextmanager
    async def _ended(self, connection: Connection) -> AsyncIterator[None]:
        """Commits what the block did, or takes it back."""
        outcome = self._metrics.db_transactions.labels
        try:
            with _leashed(connection, DEADLINE_SECONDS):
                yield
                if connection.info.transaction_status is not TransactionStatus.IDLE:
                    await connection.execute(_COMMIT, prepare=False)
        except BaseException as error:
            outcome(outcome=_outcome(error)).inc()
            await _roll_back(connection)
            raise
        outcome(outcome="committed").inc()


def rows_text(rows: Iterable[Any]) -> str:
    """Rows (mappings or dataclasses) as the one text that ``json_populate_recordset`` reads."""
    return orjson.dumps(list(rows), default=_as_text).decode()


def _as_text(value: object) -> str:
    """What JSON has no form for, as PostgreSQL reads it."""
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    raise TypeError(f"{type(value).__name__} has no form in a row")


@contextmanager
def _as_unavailable() -> Iterator[None]:
    """Whatever keeps the server out of reach is ``Unavailable``."""
    try:
        yield
    except _OUT_OF_REACH as error:
        log.warning("database_out_of_reach", reason=type(error).__name__)
        raise Unavailable from error


@contextmanager
def _leashed(connection: Connection, seconds: float) -> Iterator[None]:
    """Cuts the line to the server when the block is not done in time.

    A server that hangs (stopped, not ended) answers neither a statement nor a request to cancel it; a line that is cut makes
    both fail at once, as if the server had gone.
    """
    timer = asyncio.get_running_loop().call_later(seconds, _cut, connection)
    try:
        yield
    finally:
        timer.cancel()


def _cut(connection: Connection) -> None:
    if connection.closed:
        return
    log.warning("database_line_cut")
    with suppress(OSError), socket.socket(fileno=os.dup(connection.pgconn.socket)) as line:
        line.shutdown(socket.SHUT_RDWR)


def _limits(server_version: int) -> str:
    limits = {"statement_timeout": STATEMENT_TIMEOUT, "idle_in_transaction_session_timeout": IDLE_TIMEOUT}
    if server_version >= 170000:
        limits["transaction_timeout"] = TRANSACTION_TIMEOUT
    return "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in limits.items())


async def _role_clause(connection: Connection) -> str:
    """The clause that leaves the owner's rights; empty where the server gave none to take the role (RLS is forced anyway)."""
    right = "SET" if connection.info.server_version >= 160000 else "MEMBER"
    cursor = await connection.execute(
        "SELECT exists(SELECT FROM pg_roles WHERE rolname = %(role)s AND pg_has_role(oid, %(right)s)) AS mine,"
        " (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) AS above",
        {"role": APP_ROLE, "right": right},
    )
    found = await cursor.fetchone()
    assert found is not None
    if found["mine"]:
        return f"SET LOCAL ROLE {APP_ROLE}; "
    if found["above"]:
        raise RuntimeError(f"the role {APP_ROLE} is missing: run `dawr migrate`")
    return ""


async def _roll_back(connection: Connection) -> None:
    try:
        with _leashed(connection, REACH_SECONDS):
            # The driver's own: it also forgets what it took for prepared, which a pipeline cut short leaves wrong.
            await connection.rollback()
    except psycopg.Error:
        await connection.close()


def _outcome(error: BaseException) -> str:
    if isinstance(error, psycopg.errors.DeadlockDetected):
        return "deadlocked"
    return "failed" if isinstance(error, psycopg.Error) else "rolled_back"
