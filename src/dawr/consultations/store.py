"""Every write of consultations. ``load_for`` finds one, asks for the right and locks it; there is no other way to change one."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation

from dawr.accounts.rules import Actor, Right
from dawr.consultations.events import CONSULTATION_COMPLETED
from dawr.consultations.rules import Consultation, ConsultationNotFound, ConsultationStands, Standing
from dawr.platform import events
from dawr.platform.db import ReadTx, WriteTx

FIELDS = ", ".join(Consultation.__dataclass_fields__)
VALUES = ", ".join(f"%({name})s" for name in Consultation.__dataclass_fields__)
_ONE = f"SELECT {FIELDS} FROM consultation WHERE facility_id = %(facility_id)s AND id = %(id)s"
_LOCKED = _ONE + " FOR NO KEY UPDATE"
_INSERT = f"INSERT INTO consultation (facility_id, {FIELDS}) VALUES (%(facility_id)s, {VALUES})"
_SAVE = """
UPDATE consultation SET outcome = %(outcome)s, standing = %(standing)s, version = %(version)s
WHERE facility_id = %(facility_id)s AND id = %(id)s
"""
_NOTE = """
INSERT INTO consultation_note (facility_id, consultation, version, notes_sealed, outcome, standing, at)
VALUES (%(facility_id)s, %(id)s, %(version)s, %(notes_sealed)s, %(outcome)s, %(standing)s, %(at)s)
"""
_COUNT = """
INSERT INTO doctor_average AS a (facility_id, doctor, consultations, seconds)
VALUES (%(facility_id)s, %(doctor)s, %(count)s, %(seconds)s)
ON CONFLICT (facility_id, doctor) DO UPDATE
SET consultations = a.consultations + excluded.consultations, seconds = a.seconds + excluded.seconds
"""
_UNCOUNT = """
UPDATE doctor_average SET consultations = consultations - 1, seconds = seconds - %(seconds)s
WHERE facility_id = %(facility_id)s AND doctor = %(doctor)s
"""
# The visit's very record, though it be merged into another: whoever takes them apart again finds each with its own notes.
_WHOSE = """
SELECT v.visit, v.patient FROM visit_ticket vt
JOIN visit v ON v.facility_id = vt.facility_id AND v.visit = vt.visit
WHERE vt.facility_id = %(facility_id)s AND vt.ticket = %(ticket)s
"""
_ACCESS = """
INSERT INTO consultation_access (facility_id, access, consultation, at, actor, reason_sealed)
VALUES (%(facility_id)s, %(access)s, %(consultation)s, %(at)s, %(actor)s, %(reason_sealed)s)
"""
_STANDING = f"""
SELECT {FIELDS} FROM consultation
WHERE facility_id = %(facility_id)s AND ticket = ANY(%(tickets)s) AND standing <> 'entered_in_error'
"""


def as_consultation(row: Mapping[str, Any]) -> Consultation:
    return Consultation(**(dict(row) | {"standing": Standing(row["standing"])}))


async def load_for(tx: WriteTx, actor: Actor, consultation_id: UUID) -> Consultation:
    """The consultation, locked, for a doctor of its clinic. Who wrote it is the rules' to ask."""
    actor.require(Right.CONSULT)
    row = await tx.row(_LOCKED, id=consultation_id)
    if row is None:
        raise ConsultationNotFound
    actor.require(Right.CONSULT, row["clinic"])
    return as_consultation(row)


async def consultation(tx: ReadTx, consultation_id: UUID) -> Consultation:
    """A consultation as it is, without a lock and without asking for a right."""
    row = await tx.row(_ONE, id=consultation_id)
    if row is None:
        raise ConsultationNotFound
    return as_consultation(row)


async def whose(tx: ReadTx, ticket: UUID) -> tuple[UUID | None, UUID | None]:
    """The visit that a ticket belongs to and its patient; neither where it belongs to none."""
    row = await tx.row(_WHOSE, ticket=ticket)
    return (row["visit"], row["patient"]) if row else (None, None)


async def standing_of(tx: ReadTx, tickets: list[UUID]) -> list[Consultation]:
    """The consultations that are kept for these tickets, but for those withdrawn."""
    return [as_consultation(row) for row in await tx.rows(_STANDING, tickets=tickets)]


async def insert(tx: WriteTx, actor: Actor, made: Consultation, *, notes_sealed: bytes) -> None:
    """The consultation with its first notes, the doctor's average, the event. ``ConsultationStands`` for a ticket's second."""
    try:
        await tx.execute(_INSERT, **asdict(made))
    except UniqueViolation as error:
        raise ConsultationStands(extra={"state": "done"}) from error
    await _note(tx, made, notes_sealed)
    if made.doctor is not None:
        await tx.execute(_COUNT, doctor=made.doctor, count=1, seconds=made.duration_seconds)
    data = {"doctor": made.doctor, "seconds": made.duration_seconds}
    referral = {"referred_to": str(made.referred_to)} if made.referred_to else {}
    await _record(tx, actor, made, CONSULTATION_COMPLETED, data | referral)


async def save(tx: WriteTx, actor: Actor, changed: Consultation, type_: str, *, notes_sealed: bytes) -> None:
    """The consultation with its next version; the notes of this version are added to those before it."""
    await tx.execute(_SAVE, **asdict(changed))
    await _note(tx, changed, notes_sealed)
    await _record(tx, actor, changed, type_, {})


async def uncount(tx: WriteTx, withdrawn: Consultation) -> None:
    """Takes a consultation out of the average of its doctor."""
    if withdrawn.doctor is not None:
        await tx.execute(_UNCOUNT, doctor=withdrawn.doctor, seconds=withdrawn.duration_seconds)


async def note_access(
    tx: WriteTx, actor: Actor, one: Consultation, access: UUID, *, reason_sealed: bytes | None
) -> None:
    """That somebody read notes which are part of no patient's record."""
    row = {"access": access, "consultation": one.id, "reason_sealed": reason_sealed}
    await tx.execute(_ACCESS, at=tx.now, actor=actor.label, **row)


async def _note(tx: WriteTx, one: Consultation, notes_sealed: bytes) -> None:
    row = {"id": one.id, "version": one.version, "outcome": one.outcome, "standing": one.standing}
    await tx.execute(_NOTE, notes_sealed=notes_sealed, at=tx.now, **row)


async def _record(tx: WriteTx, actor: Actor, one: Consultation, type_: str, data: Mapping[str, Any]) -> None:
    """What the log keeps: ids and seconds, nothing of what was said."""
    own = {"ticket": str(one.ticket), "clinic": one.clinic} | dict(data)
    stream = f"consultation:{one.id}"
    await events.append(tx, [events.Recorded(stream, one.version, stream, type_, own, actor.label, tx.now)])
