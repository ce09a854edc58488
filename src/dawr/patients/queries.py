"""Reading patients: cards, contacts, and what others seal under a patient's own key. Nothing here writes the trail of who
read a record: that is ``commands.open_record``."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from dawr.facilities.queries import Context
from dawr.patients import fields
from dawr.patients.events import STREAM
from dawr.patients.phones import region_of
from dawr.patients.rules import Contact, PatientCard, PatientNotFound
from dawr.patients.tokens import Tokens
from dawr.patients.vault import PatientKey
from dawr.platform import events
from dawr.platform.crypto import Keyring
from dawr.platform.db import ReadTx
from dawr.platform.services import Services

COLUMNS = f"s.patient, s.version, s.status, s.created_at, {', '.join(f's.{one}' for one in fields.SEALED)}, k.wrapped"
_CARDS = f"""
SELECT p.patient AS asked, {COLUMNS}
FROM patient p
JOIN patient s ON s.facility_id = p.facility_id AND s.patient = p.survivor
LEFT JOIN patient_key k ON k.facility_id = s.facility_id AND k.patient = s.patient
WHERE p.facility_id = %(facility_id)s AND p.patient = ANY(%(patients)s)
"""
_OWN = f"""
SELECT s.survivor, {COLUMNS}
FROM patient s LEFT JOIN patient_key k ON k.facility_id = s.facility_id AND k.patient = s.patient
WHERE s.facility_id = %(facility_id)s AND s.patient = ANY(%(patients)s)
"""
_KEYS = "SELECT patient, wrapped FROM patient_key WHERE facility_id = %(facility_id)s AND patient = ANY(%(patients)s)"
_SURVIVOR = "SELECT survivor FROM patient WHERE facility_id = %(facility_id)s AND patient = %(patient)s"
_FAMILY = """
SELECT patient FROM patient WHERE facility_id = %(facility_id)s
  AND survivor = (SELECT survivor FROM patient WHERE facility_id = %(facility_id)s AND patient = %(patient)s)
ORDER BY patient
"""
_ACCESSES = """
SELECT access, patient, at, actor, purpose, break_glass, reason_sealed FROM patient_access
WHERE facility_id = %(facility_id)s AND patient = ANY(%(patients)s) AND access < %(before)s
ORDER BY access DESC LIMIT %(limit)s
"""
_COUNT_ACCESSES = """
SELECT count(*) FROM patient_access WHERE facility_id = %(facility_id)s AND patient = ANY(%(patients)s)
"""
# After every id. A condition with OR would not be looked up in an index under row-level security.
END = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Access:
    """That somebody read a record: ``reason`` is ``None`` where none was given, or where the patient is erased."""

    access: UUID
    patient: UUID
    at: datetime
    actor: str
    purpose: str
    break_glass: bool
    reason: str | None

    def answer(self) -> dict[str, Any]:
        return {
            "access": str(self.access),
            "patient": str(self.patient),
            "at": self.at.isoformat(),
            "actor": self.actor,
            "purpose": self.purpose,
            "break_glass": self.break_glass,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """That somebody did something to a record: ``type`` as the log names it, ``fields`` which of the person's changed, ``other``
    the record that it was merged with or parted from. ``change`` is its number in the log."""

    change: int
    patient: UUID
    at: datetime
    actor: str
    type: str
    fields: tuple[str, ...] = ()
    other: UUID | None = None

    def answer(self) -> dict[str, Any]:
        return {
            "change": str(self.change),
            "patient": str(self.patient),
            "at": self.at.isoformat(),
            "actor": self.actor,
            "type": self.type,
            "fields": list(self.fields),
            "other": str(self.other) if self.other else None,
        }


# Cards


async def card(tx: ReadTx, here: Context, patient_id: UUID) -> PatientCard:
    """The patient, or the one they were merged into; an erased one is an empty card. ``PatientNotFound`` for an unknown id."""
    found = await cards(tx, here, [patient_id])
    if patient_id not in found:
        raise PatientNotFound
    return found[patient_id]


async def cards(tx: ReadTx, here: Context, patient_ids: Collection[UUID]) -> dict[UUID, PatientCard]:
    """The cards of all these patients in one statement, by the ids that were asked for."""
    rows = await tx.rows(_CARDS, patients=list(set(patient_ids)))
    return {row["asked"]: card_of(tx, here.services.keyring, row) for row in rows}


async def own_cards(tx: ReadTx, here: Context, patient_ids: Collection[UUID]) -> dict[UUID, tuple[UUID, PatientCard]]:
    """Each record as it is, merged or not, with the surviving one's id before it."""
    rows = await tx.rows(_OWN, patients=list(patient_ids))
    return {row["patient"]: (row["survivor"], card_of(tx, here.services.keyring, row)) for row in rows}


async def survivor(tx: ReadTx, patient_id: UUID) -> UUID:
    """The record that answers for this one: itself, or that which it was merged into."""
    found: UUID | None = await tx.value(_SURVIVOR, patient=patient_id)
    if found is None:
        raise PatientNotFound
    return found


async def family(tx: ReadTx, patient_id: UUID) -> list[UUID]:
    """Every id under which this person's doings are kept: the surviving record and those merged into it."""
    return [row["patient"] for row in await tx.rows(_FAMILY, patient=patient_id)]


async def merged(tx: ReadTx, here: Context, patient_id: UUID) -> list[PatientCard]:
    """The records that were merged into this person's surviving one, each as it was; ``PatientNotFound`` for an unknown id."""
    opened = await own_cards(tx, here, await family(tx, patient_id))
    if not opened:
        raise PatientNotFound
    return [one for survivor, one in opened.values() if one.patient != survivor]


async def contact(tx: ReadTx, services: Services, patient_id: UUID) -> Contact | None:
    """How the patient can be told something; ``None`` for an unknown or erased one."""
    return (await contacts(tx, services, [patient_id])).get(patient_id)


async def contacts(tx: ReadTx, services: Services, patient_ids: Collection[UUID]) -> dict[UUID, Contact]:
    """How each of these patients can be told something, by the ids that were asked for; without the unknown and the erased."""
    rows = await tx.rows(_CARDS, patients=list(set(patient_ids)))
    found = {row["asked"]: _contact(card_of(tx, services.keyring, row)) for row in rows}
    return {asked: one for asked, one in found.items() if one}


def _contact(found: PatientCard) -> Contact | None:
    if found.identity is None:
        return None
    wishes = found.identity.preferences
    return Contact(
        patient=found.patient,
        phone=found.phone,
        email=found.identity.email,
        language=found.language,
        channels=None if wishes.channels is None else frozenset(wishes.channels),
        quiet=wishes.quiet,
        opted_out=wishes.opted_out,
    )


async def export(tx: ReadTx, here: Context, patient_id: UUID) -> dict[str, Any]:
    """The identity's part of what a person is given of their data: the record, and those merged into it as they were."""
    opened = [one for _, one in (await own_cards(tx, here, await family(tx, patient_id))).values()]
    if not any(one.identity for one in opened):
        raise PatientNotFound
    surviving = await card(tx, here, patient_id)
    merged = [one.answer() for one in opened if one.patient != surviving.patient]
    return surviving.answer() | {"merged": merged}


def card_of(tx: ReadTx, keyring: Keyring, row: Mapping[str, Any]) -> PatientCard:
    return fields.card(row, key_of(tx, keyring, row))


def key_of(tx: ReadTx, keyring: Keyring, row: Mapping[str, Any]) -> PatientKey | None:
    """The key in a row that has ``patient`` and ``wrapped``; ``None`` where it was destroyed."""
    assert tx.facility_id is not None
    if row["wrapped"] is None:
        return None
    return PatientKey.unwrap(keyring, row["wrapped"], facility=tx.facility_id, patient=row["patient"])


# Under a patient's own key


async def keys(tx: ReadTx, here: Context, patient_ids: Collection[UUID]) -> dict[UUID, PatientKey]:
    """The data keys of these very records, merged or not; an erased patient has none. For pages of many sealed texts."""
    rows = await tx.rows(_KEYS, patients=list(set(patient_ids)))
    found = ((row["patient"], key_of(tx, here.services.keyring, row)) for row in rows)
    return {patient: key for patient, key in found if key}


async def seal_for(tx: ReadTx, here: Context, patient_id: UUID, text: str, *, where: str) -> bytes:
    """Seals under that patient's key; ``where`` names table, column and row. ``PatientNotFound`` where there is no key."""
    found = await keys(tx, here, [patient_id])
    if patient_id not in found:
        raise PatientNotFound
    return found[patient_id].seal(text, where)


async def open_for(tx: ReadTx, here: Context, patient_id: UUID, sealed: bytes, *, where: str) -> str | None:
    """What ``seal_for`` sealed for the same id at the same place; ``None`` once the patient is erased."""
    found = await keys(tx, here, [patient_id])
    return found[patient_id].open(sealed, where) if patient_id in found else None


# The trail


async def accesses(
    tx: ReadTx, here: Context, patient_id: UUID, *, before: UUID | None = None, limit: int = 50
) -> list[Access]:
    """Who read the record or one merged into it, newest first, from before the access ``before`` on."""
    whole = await family(tx, patient_id)
    if not whole:
        raise PatientNotFound
    held = await keys(tx, here, whole)
    rows = await tx.rows(_ACCESSES, patients=whole, before=before or END, limit=limit)
    return [_access(row, held.get(row["patient"])) for row in rows]


async def accesses_count(tx: ReadTx, patient_id: UUID) -> int:
    found: int = await tx.value(_COUNT_ACCESSES, patients=await family(tx, patient_id))
    return found


async def changes(tx: ReadTx, patient_id: UUID, *, before: int | None = None, limit: int = 50) -> list[Change]:
    """Who made, changed, merged, parted or erased the record or one merged into it, newest first, from before the change
    ``before`` on; of an erased one, too."""
    found = await events.newest(tx, await _streams(tx, patient_id), before=before, limit=limit)
    return [_change(number, one) for number, one in found]


async def changes_count(tx: ReadTx, patient_id: UUID) -> int:
    return await events.count(tx, await _streams(tx, patient_id))


async def _streams(tx: ReadTx, patient_id: UUID) -> list[str]:
    whole = await family(tx, patient_id)
    if not whole:
        raise PatientNotFound
    return [f"{STREAM}{one}" for one in whole]


def _change(number: int, one: events.Recorded) -> Change:
    other = next((one.data[end] for end in ("into", "from", "patient") if end in one.data), None)
    return Change(
        number,
        UUID(one.entity),
        one.at,
        one.actor,
        one.type,
        tuple(one.data.get("fields", ())),
        UUID(other) if other else None,
    )


def reason_place(access: UUID) -> str:
    return f"patient_access.reason:{access}"


def _access(row: dict[str, Any], key: PatientKey | None) -> Access:
    sealed = row.pop("reason_sealed")
    reason = key.open(sealed, reason_place(row["access"])) if key and sealed else None
    return Access(**row, reason=reason)


def tokens_of(here: Context) -> Tokens:
    """The tokens by which this facility's patients are found."""
    return Tokens(here.services.keyring, here.facility.id_text, region_of(here.facility.zone))
