"""The one event log: every change of state is a row, written in the transaction that makes the change.

A *stream* names a subject with a version of its own (``queue:lab``). Whoever appends has locked the subject's row and raised
its version, so a stream's versions have no gap. Data holds ids, codes and enums, never what describes a person.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, Index, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import UserDefinedType

from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.schema import facility_table, global_table
from dawr.platform.values import value


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
    Column("cluster", BigInteger, nullable=False, server_default=text("(pg_control_system()).system_identifier")),
    Column(
        "begins_after",
        BigInteger,
        nullable=False,
        server_default=text("coalesce(pg_sequence_last_value(pg_get_serial_sequence('event', 'id')::regclass), 0)"),
    ),
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
_NEWEST = """
SELECT id, stream, version, entity, type, data, actor, at FROM event
WHERE facility_id = %(facility_id)s AND stream = ANY(%(streams)s) AND id < %(before)s
ORDER BY id DESC LIMIT %(limit)s
"""
_COUNT = "SELECT count(*) FROM event WHERE facility_id = %(facility_id)s AND stream = ANY(%(streams)s)"
_END = 2**63 - 1
# Whoever follows the whole log stops before the oldest transaction that still runs: what that writes comes later.
START = "pg_snapshot_xmin(pg_current_snapshot())::text"
EPOCH = "(SELECT epoch FROM log_epoch ORDER BY started_at DESC LIMIT 1)"
_EPOCHS = "SELECT epoch, begins_after FROM log_epoch ORDER BY started_at"
_BEGIN_EPOCH = f"""
INSERT INTO log_epoch (started_at) SELECT clock_timestamp() WHERE NOT EXISTS (
  SELECT FROM log_epoch WHERE epoch = {EPOCH} AND cluster = (SELECT system_identifier FROM pg_control_system()))
"""  # noqa: S608
_TAIL = """
SELECT xact::text AS xact, id, stream, version, entity, type, data, actor, at FROM event
WHERE facility_id = %(facility_id)s AND (xact, id) > (%(xact)s::xid8, %(id)s) AND id > %(begins_after)s
  AND xact < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY xact, id LIMIT %(limit)s
"""
_TAIL_OF_BEFORE = """
SELECT xact::text AS xact, id, stream, version, entity, type, data, actor, at FROM event
WHERE facility_id = %(facility_id)s AND (xact, id) > (%(xact)s::xid8, %(id)s) AND id > %(begins_after)s
  AND id <= %(ends_with)s
ORDER BY xact, id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Place:
    """How far somebody has read a facility's log: up to this row of this transaction (``START``, 0: from now on) in this life of
    the log."""

    xact: str
    id: int
    epoch: UUID


@value(frozen=True, slots=True)
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


async def newest(
    tx: ReadTx, streams: Collection[str], *, before: int | None = None, limit: int
) -> list[tuple[int, Recorded]]:
    """What happened to these subjects, newest first, each with its number in the log, from before the number ``before`` on."""
    rows = await tx.rows(_NEWEST, streams=list(streams), before=before or _END, limit=limit)
    return [(row.pop("id"), Recorded(**row)) for row in rows]


async def count(tx: ReadTx, streams: Collection[str]) -> int:
    """How much has happened to these subjects."""
    found: int = await tx.value(_COUNT, streams=list(streams))
    return found


async def last(tx: ReadTx, entity: UUID | str) -> Recorded | None:
    """The latest thing that happened to one entity."""
    row = await tx.row(_LAST_OF_ENTITY, entity=str(entity))
    return Recorded(**row) if row else None


async def epoch(tx: ReadTx) -> UUID:
    """The life of the log that its cursors belong to."""
    found: UUID = await tx.value(f"SELECT {EPOCH}")
    return found


def begin_epoch(connection: psycopg.Connection[Any]) -> None:
    """Begins the next life of a log that a restore has brought into another cluster, before anybody writes to it there.

    Each cluster counts its transactions by itself: those of the old one say nothing about those to come. They stay in order
    among themselves, and all come before.
    """
    connection.execute(_BEGIN_EPOCH)


async def tail(tx: ReadTx, after: Place, *, limit: int = 100) -> list[tuple[Place, Recorded]]:
    """What the facility's log holds after a place, nothing skipped, at most ``limit``; each with its own place.

    One long transaction anywhere in the cluster holds it back: for readers that may lag.
    """
    for place, begins_after, ends_with in await _lives(tx, after):
        statement = _TAIL if ends_with is None else _TAIL_OF_BEFORE
        given = {"xact": place.xact, "id": place.id, "begins_after": begins_after, "ends_with": ends_with}
        rows = await tx.rows(statement, **given, limit=limit)
        if rows:
            return [(Place(row.pop("xact"), row.pop("id"), place.epoch), Recorded(**row)) for row in rows]
    return []


async def latest(tx: ReadTx, place: Place) -> Place:
    """The same place, in the present life of the log, for whoever has read what came before: nothing follows it there."""
    return (await _lives(tx, place))[-1][0]


async def _lives(tx: ReadTx, place: Place) -> list[tuple[Place, int, int | None]]:
    """Where to read on in this life of the log and in those after it, with the ids between which each lies."""
    rows = await tx.rows(_EPOCHS)
    known = [row["epoch"] for row in rows]
    at = known.index(place.epoch) if place.epoch in known else len(known) - 1
    ends: list[int | None] = [*(row["begins_after"] for row in rows[at + 1 :]), None]
    places = [place, *(Place("0", 0, row["epoch"]) for row in rows[at + 1 :])]
    return list(zip(places, [row["begins_after"] for row in rows[at:]], ends, strict=True))
