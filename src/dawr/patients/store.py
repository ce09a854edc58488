"""Writes of patients. ``load_for`` finds, asks for the right and locks; there is no other way to get one to change.

The lock of a record covers those merged into it: whoever changes one of those takes the surviving record's lock first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from dawr.accounts.rules import Right
from dawr.facilities.queries import Context
from dawr.patients import events, fields, queries, store_tables  # noqa: F401 - whoever writes rows needs the tables declared
from dawr.patients.queries import reason_place
from dawr.patients.rules import CannotMerge, Identity, MergedMeanwhile, NotMerged, PatientCard, PatientNotFound, Purpose
from dawr.patients.tokens import Entry
from dawr.patients.vault import PatientKey
from dawr.platform.crypto import Keyring
from dawr.platform.db import Answers, ReadTx, WriteTx
from dawr.platform.events import Recorded, append
from dawr.platform.ids import new_id

ERASED_WHY = "patient.erased_why"
_RACES = 5
_LOCK = """
SELECT 1 FROM patient
WHERE facility_id = %(facility_id)s AND patient = %(patient)s AND survivor = %(patient)s AND status = 'active'
FOR NO KEY UPDATE
"""
# Stronger than what holders of a record have, who link something to it: they and an end of the record exclude each other.
_LOCK_WHOLE = _LOCK.replace("FOR NO KEY UPDATE", "FOR UPDATE")
_HOLD = _LOCK.replace("FOR NO KEY UPDATE", "FOR KEY SHARE")
_HOLD_OPEN = f"""
SELECT {queries.COLUMNS}
FROM patient s LEFT JOIN patient_key k ON k.facility_id = s.facility_id AND k.patient = s.patient
WHERE s.facility_id = %(facility_id)s AND s.survivor = s.patient AND s.status = 'active'
  AND s.patient = (SELECT survivor FROM patient WHERE facility_id = %(facility_id)s AND patient = %(patient)s)
FOR KEY SHARE OF s
"""
_OWN = f"""
SELECT {queries.COLUMNS}
FROM patient s LEFT JOIN patient_key k ON k.facility_id = s.facility_id AND k.patient = s.patient
WHERE s.facility_id = %(facility_id)s AND s.patient = %(patient)s
"""
_INSERT = f"""
INSERT INTO patient (facility_id, patient, survivor, created_at, version, {", ".join(fields.SEALED)})
VALUES (%(facility_id)s, %(patient)s, %(patient)s, %(now)s, 1, {", ".join(f"%({one})s" for one in fields.SEALED)})
"""
_INSERT_KEY = """
INSERT INTO patient_key (facility_id, patient, wrapped) VALUES (%(facility_id)s, %(patient)s, %(wrapped)s)
"""
_SAVE = f"""
UPDATE patient SET version = %(version)s, {", ".join(f"{one} = %({one})s" for one in fields.SEALED)}
WHERE facility_id = %(facility_id)s AND patient = %(patient)s
"""
_RAISE = """
UPDATE patient SET version = version + 1 WHERE facility_id = %(facility_id)s AND patient = %(patient)s RETURNING version
"""
_ADD_TOKENS = """
INSERT INTO patient_index (facility_id, kind, token, patient, bloom)
SELECT %(facility_id)s, kind, token, patient, bloom FROM json_populate_recordset(NULL::patient_index, %(rows)s)
ON CONFLICT DO NOTHING
"""
_TOKENS = "SELECT kind, token, bloom FROM patient_index WHERE facility_id = %(facility_id)s AND patient = %(patient)s"
_DROP_TOKENS = """
DELETE FROM patient_index i USING unnest(%(kinds)s::text[], %(tokens)s::bytea[]) AS gone (kind, token)
WHERE i.facility_id = %(facility_id)s AND i.kind = gone.kind AND i.token = gone.token AND i.patient = %(patient)s
"""
_MERGE = """
UPDATE patient SET survivor = %(into)s,
  status = 'merged',
  merged_into = CASE WHEN patient = %(patient)s THEN %(into)s ELSE merged_into END,
  version = CASE WHEN patient = %(patient)s THEN version + 1 ELSE version END
WHERE facility_id = %(facility_id)s AND survivor = %(patient)s
"""
_UNMERGE = """
WITH RECURSIVE part AS (
  SELECT patient FROM patient WHERE facility_id = %(facility_id)s AND patient = %(patient)s
  UNION ALL
  SELECT p.patient FROM patient p JOIN part ON p.merged_into = part.patient WHERE p.facility_id = %(facility_id)s
)
UPDATE patient p SET survivor = %(patient)s,
  status = CASE WHEN p.patient = %(patient)s THEN 'active' ELSE 'merged' END,
  merged_into = CASE WHEN p.patient = %(patient)s THEN NULL ELSE merged_into END,
  version = CASE WHEN p.patient = %(patient)s THEN version + 1 ELSE version END
FROM part WHERE p.facility_id = %(facility_id)s AND p.patient = part.patient
"""
_IS_PART = """
SELECT 1 FROM patient
WHERE facility_id = %(facility_id)s AND patient = %(patient)s AND survivor = %(survivor)s AND status = 'merged'
"""
_ERASE = f"""
UPDATE patient SET status = 'erased', erased_at = %(now)s, erased_why = %(why)s, version = version + 1,
  survivor = CASE WHEN survivor = ANY(%(patients)s) THEN survivor ELSE patient END,
  {", ".join(f"{one} = NULL" for one in fields.SEALED)}
WHERE facility_id = %(facility_id)s AND patient = ANY(%(patients)s) AND status <> 'erased'
RETURNING patient, version
"""
# Records that an older backup holds as parts of an erased one, from which they had been taken out by then.
_FREE = """
UPDATE patient SET status = 'active', survivor = patient, merged_into = NULL, version = version + 1
WHERE facility_id = %(facility_id)s AND survivor = ANY(%(patients)s) AND status = 'merged'
RETURNING patient, version
"""
_FORGET_TOKENS = "DELETE FROM patient_index WHERE facility_id = %(facility_id)s AND patient = ANY(%(patients)s)"
_DESTROY_KEYS = "DELETE FROM patient_key WHERE facility_id = %(facility_id)s AND patient = ANY(%(patients)s)"
_NOT_ERASED = """
SELECT patient FROM patient WHERE facility_id = %(facility_id)s AND patient = ANY(%(patients)s) AND status <> 'erased'
"""
_ACCESS = """
INSERT INTO patient_access (facility_id, access, patient, at, actor, purpose, break_glass, reason_sealed)
VALUES (%(facility_id)s, %(access)s, %(patient)s, %(now)s, %(actor)s, %(purpose)s, %(break_glass)s, %(reason_sealed)s)
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A record under its lock, with what opens it."""

    card: PatientCard
    identity: Identity
    key: PatientKey

    @property
    def id(self) -> UUID:
        return self.card.patient


# Load: find, authorise, lock


async def load_for(tx: WriteTx, here: Context, patient_id: UUID, right: Right, *, whole: bool = False) -> Loaded:
    """The surviving record of this id, locked; ``whole`` also against those who would link something to it."""
    here.actor.require(right)
    survivor = await _locked(tx, patient_id, _LOCK_WHOLE if whole else _LOCK)
    return await _loaded(tx, here.services.keyring, survivor)


async def load_two_for(tx: WriteTx, here: Context, one: UUID, other: UUID, right: Right) -> tuple[Loaded, Loaded]:
    """Two surviving records, both locked whole, in the order of their ids whoever asks."""
    here.actor.require(right)
    locked = {asked: await queries.survivor(tx, asked) for asked in (one, other)}
    for survivor in sorted(set(locked.values())):
        # Merged or erased meanwhile: whoever asks again sees it.
        if not await tx.execute(_LOCK_WHOLE, patient=survivor):
            raise CannotMerge
    keyring = here.services.keyring
    return await _loaded(tx, keyring, locked[one]), await _loaded(tx, keyring, locked[other])


async def load_part_for(tx: WriteTx, here: Context, patient_id: UUID, right: Right) -> UUID:
    """The record that this one is merged into, locked whole; ``NotMerged`` where it stands for itself."""
    here.actor.require(right)
    survivor = await _locked(tx, patient_id, _LOCK_WHOLE)
    if not await tx.row(_IS_PART, patient=patient_id, survivor=survivor):
        raise NotMerged
    return survivor


async def hold(tx: WriteTx, patient_id: UUID) -> UUID:
    return await _locked(tx, patient_id, _HOLD)


async def ask_to_hold(tx: WriteTx, patient_id: UUID) -> Answers:
    """Holds a record and asks what is in it, in a trip of the caller's. To be followed by ``held``."""
    return await tx.asked(_HOLD_OPEN, patient=patient_id)


async def held(tx: WriteTx, here: Context, asked: Answers, patient_id: UUID) -> PatientCard:
    row = await asked.fetchone()
    if row is None:
        if (await queries.card(tx, here, patient_id)).erased:
            raise PatientNotFound
        # A queue may be locked by now, and records come before queues: the one that answers now is not waited for here.
        raise MergedMeanwhile
    return queries.card_of(tx, here.services.keyring, row)


async def hold_whole(tx: WriteTx, patient_id: UUID) -> UUID:
    return await _locked(tx, patient_id, _LOCK_WHOLE)


async def _locked(tx: WriteTx, patient_id: UUID, lock: str) -> UUID:
    """The id of the surviving record, whose lock was taken. It may have been merged while this waited: then its survivor."""
    for _ in range(_RACES):
        survivor = await queries.survivor(tx, patient_id)
        if await tx.execute(lock, patient=survivor):
            return survivor
    raise PatientNotFound


async def _loaded(tx: ReadTx, keyring: Keyring, patient_id: UUID) -> Loaded:
    row = await tx.row(_OWN, patient=patient_id)
    key = queries.key_of(tx, keyring, row) if row else None
    if row is None or key is None:
        raise PatientNotFound
    card = fields.card(row, key)
    assert card.identity is not None
    return Loaded(card, card.identity, key)


# Save: the row with its next version, its tokens, and the event


async def insert(tx: WriteTx, here: Context, patient_id: UUID, identity: Identity) -> PatientCard:
    key = PatientKey.generate(facility=here.facility.id, patient=patient_id)
    async with tx.one_trip():
        await tx.execute(_INSERT, patient=patient_id, now=tx.now, **fields.sealed(identity, key))
        await tx.execute(_INSERT_KEY, patient=patient_id, wrapped=key.wrap(here.services.keyring))
        await _add_tokens(tx, patient_id, queries.tokens_of(here).entries(identity))
        await record(tx, here, patient_id, events.PATIENT_CREATED, version=1)
    return PatientCard(patient_id, 1, tx.now, identity)


async def save(tx: WriteTx, here: Context, loaded: Loaded, identity: Identity, data: Mapping[str, Any]) -> PatientCard:
    """``data`` names the fields that changed."""
    version = loaded.card.version + 1
    rows = await tx.rows(_TOKENS, patient=loaded.id)
    before = {(row["kind"], bytes(row["token"]), row["bloom"]) for row in rows}
    after = queries.tokens_of(here).entries(identity)
    await tx.execute(_SAVE, patient=loaded.id, version=version, **fields.sealed(identity, loaded.key))
    await _drop_tokens(tx, loaded.id, before - after)
    await _add_tokens(tx, loaded.id, after - before)
    await record(tx, here, loaded.id, events.PATIENT_CHANGED, data, version=version)
    return replace(loaded.card, version=version, identity=identity)


async def merge(tx: WriteTx, here: Context, patient: Loaded, into: Loaded) -> None:
    await tx.execute(_MERGE, patient=patient.id, into=into.id)
    version = patient.card.version + 1
    await record(tx, here, patient.id, events.PATIENT_MERGED, {"into": str(into.id)}, version=version)
    await _raise(tx, here, into.id, events.PATIENT_JOINED, {"patient": str(patient.id)})


async def unmerge(tx: WriteTx, here: Context, patient_id: UUID, survivor: UUID) -> None:
    await tx.execute(_UNMERGE, patient=patient_id)
    version: int = await tx.value(
        "SELECT version FROM patient WHERE facility_id = %(facility_id)s AND patient = %(patient)s", patient=patient_id
    )
    await record(tx, here, patient_id, events.PATIENT_UNMERGED, {"from": str(survivor)}, version=version)
    await _raise(tx, here, survivor, events.PATIENT_PARTED, {"patient": str(patient_id)})


async def erase(tx: WriteTx, here: Context, patients: Sequence[UUID], *, why: str) -> list[UUID]:
    """Destroys the keys of these records, tokens and sealed values with them; the ids of those that were readable."""
    sealed = here.services.keyring.seal(why, facility=here.facility.id_text, where=ERASED_WHY)
    gone = await tx.rows(_ERASE, patients=list(patients), now=tx.now, why=sealed)
    ids = [row["patient"] for row in gone]
    await tx.execute(_FORGET_TOKENS, patients=ids)
    await tx.execute(_DESTROY_KEYS, patients=ids)
    for row in gone:
        await record(tx, here, row["patient"], events.PATIENT_ERASED, version=row["version"])
    for row in await tx.rows(_FREE, patients=ids):
        await record(tx, here, row["patient"], events.PATIENT_UNMERGED, version=row["version"])
    return ids


async def not_erased(tx: ReadTx, patient_ids: Iterable[UUID]) -> list[UUID]:
    """Those of the ids whose records are still readable."""
    return [row["patient"] for row in await tx.rows(_NOT_ERASED, patients=list(patient_ids))]


async def note_access(
    tx: WriteTx, here: Context, card: PatientCard, *, purpose: Purpose, reason: str | None, break_glass: bool
) -> None:
    access = new_id(tx.now)
    sealed = await queries.seal_for(tx, here, card.patient, reason, where=reason_place(access)) if reason else None
    await tx.execute(
        _ACCESS,
        access=access,
        patient=card.patient,
        now=tx.now,
        actor=here.actor.label,
        purpose=purpose.value,
        break_glass=break_glass,
        reason_sealed=sealed,
    )


async def _add_tokens(tx: WriteTx, patient_id: UUID, entries: set[Entry]) -> None:
    # In one order, so that two who write many of the same never wait for each other in a circle.
    rows = [
        {"kind": kind, "token": token, "patient": patient_id, "bloom": bloom}
        for kind, token, bloom in sorted(entries, key=lambda one: one[:2])
    ]
    await tx.insert_rows(_ADD_TOKENS, rows)


async def _drop_tokens(tx: WriteTx, patient_id: UUID, entries: set[Entry]) -> None:
    if entries:
        kinds, codes = [kind for kind, _, _ in entries], [token for _, token, _ in entries]
        await tx.execute(_DROP_TOKENS, patient=patient_id, kinds=kinds, tokens=codes)


async def _raise(tx: WriteTx, here: Context, patient_id: UUID, type_: str, data: Mapping[str, Any]) -> None:
    version: int = await tx.value(_RAISE, patient=patient_id)
    await record(tx, here, patient_id, type_, data, version=version)


async def record(
    tx: WriteTx,
    here: Context,
    patient_id: UUID,
    type_: str,
    data: Mapping[str, Any] | None = None,
    *,
    version: int,
) -> None:
    stream = f"{events.STREAM}{patient_id}"
    await append(tx, [Recorded(stream, version, str(patient_id), type_, data or {}, here.actor.label, tx.now)])
