"""Writes of doctors' time: the schedule, which is locked by whoever changes it or books in it, leave, and a facility's rules."""

from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from dawr.accounts.rules import Actor
from dawr.appointments.rules import AppointmentRules
from dawr.appointments.rules_schedule import Leave, LeaveNotFound, Reason, Schedule, read_window, shown_window
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.events import Recorded, append

_SCHEDULE = """
SELECT doctor, windows, extra, version FROM schedule WHERE facility_id = %(facility_id)s AND doctor = %(doctor)s
"""
_BEGIN = "INSERT INTO schedule (facility_id, doctor) VALUES (%(facility_id)s, %(doctor)s) ON CONFLICT DO NOTHING"
_SAVE = """
UPDATE schedule SET windows = %(windows)s, extra = %(extra)s, version = %(version)s
WHERE facility_id = %(facility_id)s AND doctor = %(doctor)s
"""
_LEAVES = """
SELECT leave, doctor, starts, ends, reason, cancelled_at FROM leave
WHERE facility_id = %(facility_id)s AND doctor = %(doctor)s AND cancelled_at IS NULL AND ends > %(since)s
ORDER BY starts, leave
"""
_LEAVE = """
SELECT leave, doctor, starts, ends, reason, cancelled_at FROM leave
WHERE facility_id = %(facility_id)s AND doctor = %(doctor)s AND leave = %(leave)s
"""
_INSERT_LEAVE = """
INSERT INTO leave (facility_id, leave, doctor, starts, ends, reason)
VALUES (%(facility_id)s, %(leave)s, %(doctor)s, %(starts)s, %(ends)s, %(reason)s)
"""
_CANCEL_LEAVE = """
UPDATE leave SET cancelled_at = %(now)s WHERE facility_id = %(facility_id)s AND leave = %(leave)s
"""
_RULES = """
SELECT late_minutes, no_show_minutes, offer_minutes, reminders, version FROM appointment_rules
WHERE facility_id = %(facility_id)s
"""
_LOCK_FACILITY = "SELECT 1 FROM facility WHERE facility_id = %(facility_id)s FOR NO KEY UPDATE"
_SAVE_RULES = """
INSERT INTO appointment_rules (facility_id, late_minutes, no_show_minutes, offer_minutes, reminders, version)
VALUES (%(facility_id)s, %(late_minutes)s, %(no_show_minutes)s, %(offer_minutes)s, %(reminders)s, %(version)s)
ON CONFLICT (facility_id) DO UPDATE SET late_minutes = excluded.late_minutes,
  no_show_minutes = excluded.no_show_minutes, offer_minutes = excluded.offer_minutes, reminders = excluded.reminders,
  version = excluded.version
"""


def as_schedule(row: dict[str, Any]) -> Schedule:
    windows, extra = (tuple(map(read_window, row[name])) for name in ("windows", "extra"))
    return Schedule(row["doctor"], windows, extra, row["version"])


def as_leave(row: dict[str, Any]) -> Leave:
    return Leave(**(row | {"reason": Reason(row["reason"])}))


async def lock(tx: WriteTx, doctor: str) -> Schedule:
    """The doctor's schedule, locked until the transaction ends. The doctor exists."""
    found = await lock_known(tx, doctor)
    if found is None:
        await tx.execute(_BEGIN, doctor=doctor)
        found = await lock_known(tx, doctor)
    assert found is not None
    return found


async def lock_known(tx: WriteTx, doctor: str) -> Schedule | None:
    """The doctor's schedule, locked; ``None`` where nobody ever asked for their time."""
    row = await tx.row(_SCHEDULE + " FOR UPDATE", doctor=doctor)
    return as_schedule(row) if row else None


async def schedule(tx: ReadTx, doctor: str) -> Schedule:
    """The doctor's schedule as it is; an empty one where none was ever written."""
    row = await tx.row(_SCHEDULE, doctor=doctor)
    return as_schedule(row) if row else Schedule(doctor)


async def leaves(tx: ReadTx, doctor: str, *, since: Any) -> list[Leave]:
    """The doctor's leave that is not over at ``since``, in order."""
    return [as_leave(row) for row in await tx.rows(_LEAVES, doctor=doctor, since=since)]


async def leave(tx: ReadTx, doctor: str, leave_id: UUID) -> Leave:
    row = await tx.row(_LEAVE, doctor=doctor, leave=leave_id)
    if row is None:
        raise LeaveNotFound
    return as_leave(row)


async def save_schedule(tx: WriteTx, actor: Actor, changed: Schedule, type_: str, **data: Any) -> Schedule:
    """Writes a locked schedule with its next version and the event that carries it."""
    saved = replace(changed, version=changed.version + 1)
    windows, extra = ([shown_window(one) for one in many] for many in (saved.windows, saved.extra))
    await tx.execute(_SAVE, doctor=saved.doctor, windows=Jsonb(windows), extra=Jsonb(extra), version=saved.version)
    await append(tx, [Recorded(saved.stream, saved.version, saved.stream, type_, data, actor.label, tx.now)])
    return saved


async def insert_leave(tx: WriteTx, one: Leave) -> None:
    await tx.execute(_INSERT_LEAVE, **asdict(one))


async def cancel_leave(tx: WriteTx, one: Leave) -> None:
    await tx.execute(_CANCEL_LEAVE, leave=one.leave, now=tx.now)


async def rules(tx: ReadTx) -> AppointmentRules:
    """What the facility has decided, or what counts where it has decided nothing."""
    row = await tx.row(_RULES)
    return AppointmentRules(**(row | {"reminders": tuple(row["reminders"])})) if row else AppointmentRules()


async def lock_rules(tx: WriteTx) -> AppointmentRules:
    """The facility's rules, nobody else changing them meanwhile."""
    await tx.execute(_LOCK_FACILITY)
    return await rules(tx)


async def save_rules(tx: WriteTx, actor: Actor, changed: AppointmentRules, type_: str) -> AppointmentRules:
    saved = replace(changed, version=changed.version + 1)
    row = asdict(saved) | {"reminders": list(saved.reminders)}
    await tx.execute(_SAVE_RULES, **row)
    stream = "appointment_rules"
    await append(tx, [Recorded(stream, saved.version, stream, type_, row, actor.label, tx.now)])
    return saved
