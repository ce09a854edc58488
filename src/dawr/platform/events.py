"""The one event log: every change of state is a row, written in the transaction that makes the change.

A *stream* names a subject with a version of its own (``queue:lab``). Whoever appends has locked the subject's row and raised
its version, so a stream's versions have no gap. Data holds ids, codes and enums, never what describes a person.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, Index, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import UserDefinedType

from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.schema import facility_table, global_table


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id; readers that may lag tail the log by it."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


event = facility_table(
    "event",
    Column("stream", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("entity", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("xact", Xid8(), nullable=False, server_default=text("pg_current_xact_id()")),
    CheckConstraint("version > 0", name="version_positive"),
    Index("event_entity_idx", "facility_id", "entity", "id"),
    Index("event_tail_idx", "facility_id", "xact", "id"),
    grants="SELECT, INSERT",
)

log_epoch = global_table(
    "log_epoch",
    Column("epoch", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    reason="one row an installation: which life of the log this is; a restore starts the next",
    grants="SELECT",
)

APPEND = """
INSERT INTO event (facility_id, stream, version, entity, type, data, actor, at)
SELECT %(facility_id)s, stream, version, entity, type, data, actor, at FROM json_populate_recordset(NULL::event, %(rows)s)
"""
_SINCE = """
SELECT stream, version, entity, type, data, actor, at FROM event
WHERE facility_id = %(facility_id)s AND stream = %(stream)s AND version > %(version)s AND type <> %(but)s
ORDER BY version LIMIT %(limit)s
"""
_OF_ENTITY = """
SELECT stream, version, entity, type, data, actor, at FROM event
WHERE facility_id = %(facility_id)s AND entity = %(entity)s ORDER BY id
"""
_LAST_OF_ENTITY = """
SELECT stream, version, entity, type, data, actor, at FROM event
WHERE facility_id = %(facility_id)s AND entity = %(entity)s ORDER BY id DESC LIMIT 1
"""
# Whoever follows the whole log stops before the oldest transaction that still runs: what that writes comes later.
START = "pg_snapshot_xmin(pg_current_snapshot())::text"
_TAIL = """
SELECT xact::text AS xact, id, stream, version, entity, type, data, actor, at FROM event
WHERE facility_id = %(facility_id)s AND (xact, id) > (%(xact)s::xid8, %(id)s)
  AND xact < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY xact, id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Place:
    """How far somebody has read a facility's log: up to this row of this transaction (``START``, 0: from now on)."""

    xact: str
    id: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """One row of the log. ``entity`` is what it is about (a ticket's id), ``actor`` who did it (``account:…``, ``patient``)."""

    stream: str
    version: int
    entity: str
    type: str
    data: Mapping[str, Any]
    actor: str
    at: datetime


async def append(tx: WriteTx, events: Sequence[Recorded]) -> None:
    """Writes the events, whose versions the caller has taken under its subjects' locks, and marks their streams touched."""
    await tx.insert_rows(APPEND, events)
    touch(tx, events)


def touch(tx: WriteTx, events: Iterable[Recorded]) -> None:
    """Marks the streams of events as touched. For whoever sends them (the rows of ``APPEND``) with other things."""
    assert tx.facility_id is not None
    tx.touched |= {(tx.facility_id, one) for one in {one.stream for one in events}}


async def since(tx: ReadTx, *, stream: str, version: int, limit: int = 1000, but: str = "") -> list[Recorded]:
    """What happened to a subject after ``version``, in order, at most ``limit``; ``but`` is a type that is left out."""
    return [Recorded(**row) for row in await tx.rows(_SINCE, stream=stream, version=version, limit=limit, but=but)]


async def history(tx: ReadTx, entity: UUID | str) -> list[Recorded]:
    """Everything that happened to one entity, oldest first."""
    return [Recorded(**row) for row in await tx.rows(_OF_ENTITY, entity=str(entity))]


async def last(tx: ReadTx, entity: UUID | str) -> Recorded | None:
    """The latest thing that happened to one entity."""
    row = await tx.row(_LAST_OF_ENTITY, entity=str(entity))
    return Recorded(**row) if row else None


async def epoch(tx: ReadTx) -> UUID:
    """The life of the log that its cursors belong to."""
    found: UUID = await tx.value("SELECT epoch FROM log_epoch ORDER BY started_at DESC LIMIT 1")
    return found


async def tail(tx: ReadTx, after: Place, *, limit: int = 100) -> list[tuple[Place, Recorded]]:
    """What the facility's log holds after a place, nothing skipped, at most ``limit``; each with its own place.

    One long transaction anywhere in the cluster holds it back: for readers that may lag.
    """
    rows = await tx.rows(_TAIL, xact=after.xact, id=after.id, limit=limit)
    return [(Place(row.pop("xact"), row.pop("id")), Recorded(**row)) for row in rows]
