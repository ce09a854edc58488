"""Writes of the waiting list, by whoever holds the doctor's schedule. The nodes of what somebody wants are there while they wait,
and only then: the first who wants a slot is found by looking each node above it up, however long the list."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation

from dawr.accounts.rules import Actor, Right
from dawr.appointments import events, store_schedule
from dawr.appointments.rules_schedule import Slot
from dawr.appointments.rules_waiting import (
    CELLS,
    LEVELS,
    AlreadyWaiting,
    Waiting,
    WaitingNotFound,
    WaitingStatus,
    cell,
    nodes,
)
from dawr.appointments.store_tables import IS_KEPT, IS_OPEN
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.events import Recorded, append

FIELDS = ", ".join(Waiting.__dataclass_fields__)
_ALL = f"SELECT {FIELDS} FROM appointment_waiting WHERE facility_id = %(facility_id)s"
_ONE = _ALL + " AND waiting = %(waiting)s"
_INSTEAD = _ALL + f" AND instead_of = %(appointment)s AND {IS_KEPT}"
_OF_PEOPLE = _ALL + f" AND patient = ANY(%(patients)s) AND {IS_KEPT} ORDER BY created_at, waiting"
_OPEN_OF_DOCTOR = _ALL + f" AND doctor = %(doctor)s AND {IS_OPEN} ORDER BY created_at, waiting"
_CLOSED_OF_DOCTOR = _ALL + " AND doctor = %(doctor)s AND status = 'closed' ORDER BY created_at, waiting"
_ANYBODY = """
SELECT EXISTS (SELECT FROM appointment_wanted WHERE facility_id = %(facility_id)s AND doctor = %(doctor)s)
"""
# A plan that was made while hardly anybody waited reads the whole list for every slot.
_PLANNED_ANEW = "SET LOCAL plan_cache_mode = force_custom_plan"
# Slot by slot in the order of time, and of each the nodes above it: a seek each, and no more slots than up to the first that
# somebody wants. Who has left an offer of this very start, or is known to be elsewhere then, is passed over.
# OFFSET 0 and count: a server without statistics may otherwise join, or look at everybody who wants a node before it sorts them.
FIRST = f"""
SELECT slot.n, one.waiting
FROM (SELECT * FROM unnest(%(starts)s::timestamptz[], %(cells)s::int[]) WITH ORDINALITY AS s (starts, cell, n) ORDER BY n) AS slot
CROSS JOIN LATERAL (
  SELECT found.created_at, found.waiting
  FROM generate_series(0, {LEVELS}) AS level
  CROSS JOIN LATERAL (
    SELECT w.created_at, w.waiting FROM (
      SELECT created_at, waiting FROM appointment_wanted
      WHERE facility_id = %(facility_id)s AND doctor = %(doctor)s AND node = (slot.cell + {CELLS}) >> level
      ORDER BY created_at, waiting OFFSET 0
    ) AS w
    WHERE (
        SELECT count(*) FROM appointment a WHERE a.facility_id = %(facility_id)s AND a.waiting = w.waiting
        AND a.starts = slot.starts AND a.status IN ('declined', 'lapsed')) = 0
      AND (
        SELECT count(*) FROM unnest(%(who)s::uuid[], %(when)s::timestamptz[]) AS busy (waiting, starts)
        WHERE busy.waiting = w.waiting AND busy.starts = slot.starts) = 0
    ORDER BY w.created_at, w.waiting LIMIT 1
  ) AS found
  ORDER BY found.created_at, found.waiting LIMIT 1
) AS one
ORDER BY slot.n LIMIT 1
"""
_INSERT = f"""
INSERT INTO appointment_waiting (facility_id, {FIELDS})
VALUES (%(facility_id)s, {", ".join(f"%({name})s" for name in Waiting.__dataclass_fields__)})
"""
_SAVE = """
UPDATE appointment_waiting w SET status = s.status, lapses = s.lapses, version = s.version
FROM json_populate_recordset(NULL::appointment_waiting, %(rows)s) AS s
WHERE w.facility_id = %(facility_id)s AND w.waiting = s.waiting
"""
_WANT = """
INSERT INTO appointment_wanted (facility_id, doctor, node, created_at, waiting)
SELECT %(facility_id)s, doctor, node, created_at, waiting FROM json_populate_recordset(NULL::appointment_wanted, %(rows)s)
ON CONFLICT DO NOTHING
"""
_WANT_NO_MORE = """
DELETE FROM appointment_wanted WHERE facility_id = %(facility_id)s AND waiting = ANY(%(places)s)
"""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Somebody on the list who cannot come to a slot that they would take."""

    waiting: UUID
    starts: datetime


def as_waiting(row: dict[str, Any]) -> Waiting:
    return Waiting(**(row | {"status": WaitingStatus(row["status"])}))


async def load_for(tx: WriteTx, actor: Actor, waiting_id: UUID) -> Waiting:
    actor.require(Right.APPOINTMENTS)
    found = await waiting(tx, waiting_id)
    await store_schedule.lock(tx, found.doctor)
    return await waiting(tx, waiting_id)


async def waiting(tx: ReadTx, waiting_id: UUID) -> Waiting:
    row = await tx.row(_ONE, waiting=waiting_id)
    if row is None:
        raise WaitingNotFound
    return as_waiting(row)


async def instead(tx: ReadTx, appointment_id: UUID) -> Waiting | None:
    """The place by which somebody waits for an earlier slot than this appointment's."""
    row = await tx.row(_INSTEAD, appointment=appointment_id)
    return as_waiting(row) if row else None


async def of_people(tx: ReadTx, patients: Collection[UUID]) -> list[Waiting]:
    """The places of these records that may still come to something, in the order in which they were taken."""
    return [as_waiting(row) for row in await tx.rows(_OF_PEOPLE, patients=list(patients))]


async def open_with(tx: ReadTx, doctor: str) -> list[Waiting]:
    """Who waits for a slot of this doctor, or has an offer."""
    return [as_waiting(row) for row in await tx.rows(_OPEN_OF_DOCTOR, doctor=doctor)]


async def closed_with(tx: ReadTx, doctor: str) -> list[Waiting]:
    """Who waited for a slot of this doctor until they took nobody any more."""
    return [as_waiting(row) for row in await tx.rows(_CLOSED_OF_DOCTOR, doctor=doctor)]


async def anybody(tx: ReadTx, doctor: str) -> bool:
    """Whether anybody waits for a slot of this doctor."""
    found: bool = await tx.value(_ANYBODY, doctor=doctor)
    return found


async def first(
    tx: ReadTx, doctor: str, slots: Sequence[Slot], elsewhere: Sequence[Elsewhere]
) -> tuple[int, Waiting] | None:
    """The first of these slots, which are in order, that somebody wants, as its place among them, and who of those came first."""
    await tx.asked(_PLANNED_ANEW)
    row = await tx.row(
        FIRST,
        doctor=doctor,
        starts=[one.starts for one in slots],
        cells=[cell(one.starts) for one in slots],
        who=[one.waiting for one in elsewhere],
        when=[one.starts for one in elsewhere],
    )
    return (row["n"] - 1, await waiting(tx, row["waiting"])) if row else None


async def insert(tx: WriteTx, actor: Actor, made: Waiting) -> Waiting:
    saved = replace(made, version=1)
    try:
        await tx.execute(_INSERT, **asdict(saved))
    except UniqueViolation as error:
        raise AlreadyWaiting from error
    await _want(tx, [saved])
    await _record(tx, actor, [saved], events.WAITING_JOINED)
    return saved


async def save(tx: WriteTx, actor: Actor, after: Waiting, type_: str) -> Waiting:
    (saved,) = await save_all(tx, actor, [after], type_)
    return saved


async def save_all(tx: WriteTx, actor: Actor, after: Sequence[Waiting], type_: str) -> list[Waiting]:
    """Several places, each with its next version and an event of this type, in as many statements as one takes."""
    if not after:
        return []
    saved = [replace(one, version=one.version + 1) for one in after]
    rows = [{name: getattr(one, name) for name in ("waiting", "status", "lapses", "version")} for one in saved]
    await tx.insert_rows(_SAVE, rows)
    await tx.execute(_WANT_NO_MORE, places=[one.waiting for one in saved])
    await _want(tx, [one for one in saved if one.status is WaitingStatus.WAITING])
    await _record(tx, actor, saved, type_)
    return saved


async def _want(tx: WriteTx, waiting: Sequence[Waiting]) -> None:
    rows = [
        {"doctor": one.doctor, "node": node, "created_at": one.created_at, "waiting": one.waiting}
        for one in waiting
        for node in nodes(one.earliest, one.latest)
    ]
    await tx.insert_rows(_WANT, rows)


async def _record(tx: WriteTx, actor: Actor, saved: Sequence[Waiting], type_: str) -> None:
    await append(tx, [_recorded(tx, actor, one, type_) for one in saved])


def _recorded(tx: WriteTx, actor: Actor, one: Waiting, type_: str) -> Recorded:
    data = {"patient": str(one.patient), "doctor": one.doctor, "status": one.status.value}
    return Recorded(one.stream, one.version, one.stream, type_, data, actor.label, tx.now)
