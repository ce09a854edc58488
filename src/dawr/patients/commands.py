"""The verbs of a patient's record: make, change, open, merge and take apart again, erase."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import fields as fields_of
from typing import Any
from uuid import UUID

from dawr.accounts.rules import SYSTEM, Right
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import ChangedMeanwhile
from dawr.patients import events, ledger, queries, store
from dawr.patients.phones import international, region_of
from dawr.patients.rules import (
    PATIENT_KNOWN_TO,
    CannotMerge,
    Identity,
    PatientCard,
    PatientNotFound,
    Purpose,
    RecordNeedsReason,
    require_sound,
)
from dawr.platform import listeners
from dawr.platform.db import Answers, ReadTx, WriteTx
from dawr.platform.ids import new_id
from dawr.platform.services import Services

_PUT_BACK = "erased before; an older backup had brought the record back"


@dataclass(frozen=True, slots=True)
class Regrouped:
    """``people``: each a surviving record, which now answers for others than before. ``parted``: they were one until now."""

    here: Context
    people: tuple[UUID, ...]
    parted: bool = False


async def create(tx: WriteTx, here: Context, identity: Identity) -> PatientCard:
    """A patient, whoever else may be the same person: that is shown, never refused."""
    here.actor.require(Right.PATIENTS)
    return await store.insert(tx, here, new_id(tx.now), sound(tx, here, identity))


async def change(
    tx: WriteTx, here: Context, patient_id: UUID, changes: Mapping[str, Any], *, version: int | None = None
) -> PatientCard:
    """``changes`` are fields of ``Identity``, and ``phone``, which takes the first one's place. ``ChangedMeanwhile`` where the
    record is no longer at ``version``."""
    found = await store.load_for(tx, here, patient_id, Right.PATIENTS)
    if version is not None and version != found.card.version:
        raise ChangedMeanwhile(extra={"current": {"version": found.card.version}})
    changed = sound(tx, here, replace(found.identity, **_with_phone(found.identity, changes)))
    if changed == found.identity:
        return found.card
    return await store.save(tx, here, found, changed, {"fields": _different(found.identity, changed)})


async def hold(tx: WriteTx, patient_id: UUID) -> UUID:
    """Keeps the record from being merged away or erased until the transaction ends; the id to link to, which is another one
    where the record was merged. ``PatientNotFound`` for an unknown or erased one."""
    return await store.hold(tx, patient_id)


async def ask_to_hold(tx: WriteTx, patient_id: UUID) -> Answers:
    """``hold``, and what is in the record, in a trip of the caller's. To be followed by ``held``."""
    return await store.ask_to_hold(tx, patient_id)


async def held(tx: WriteTx, here: Context, asked: Answers, patient_id: UUID) -> PatientCard:
    """The record that was asked for, the one to link to. ``PatientNotFound`` for an unknown or erased one, ``MergedMeanwhile``
    where it was merged away while this waited for it. Whoever shows it to staff follows with ``note_opened``."""
    return await store.held(tx, here, asked, patient_id)


async def hold_whole(tx: WriteTx, patient_id: UUID) -> UUID:
    """As ``hold``, and nobody else holds the record meanwhile: for whoever is about to end it."""
    await listeners.tell(tx, events.RECORDS_CHANGING, [patient_id])
    return await store.hold_whole(tx, patient_id)


async def open_record(
    tx: WriteTx, here: Context, patient_id: UUID, *, purpose: Purpose | str, reason: str | None = None
) -> PatientCard:
    """Reads a record and notes who did, when and why. ``RecordNeedsReason`` for a doctor whom the patient never visited and
    who gives none; with one it opens, marked as broken glass."""
    _require_some_right(here)
    card = await queries.card(tx, here, patient_id)
    if card.erased:
        raise PatientNotFound
    await note_opened(tx, here, card, purpose=purpose, reason=reason)
    return card


async def note_opened(
    tx: WriteTx, here: Context, card: PatientCard, *, purpose: Purpose | str, reason: str | None = None
) -> None:
    """``open_record`` of a record that this transaction has read: may it be, and the trail of it."""
    _require_some_right(here)
    breaking = not await _known_to(tx, here, card.patient)
    if breaking and not reason:
        raise RecordNeedsReason
    await store.note_access(tx, here, card, purpose=Purpose(purpose), reason=reason, break_glass=breaking)


async def merge(tx: WriteTx, here: Context, patient_id: UUID, *, into: UUID) -> PatientCard:
    """From now on the one record answers for both. Nothing of the other is changed or lost, so that it can be undone."""
    here.actor.require(Right.PATIENTS)
    await listeners.tell(tx, events.RECORDS_CHANGING, [patient_id, into])
    patient, other = await store.load_two_for(tx, here, patient_id, into, Right.PATIENTS)
    if patient.id == other.id:
        raise CannotMerge
    await store.merge(tx, here, patient, other)
    await listeners.tell(tx, events.RECORDS_CHANGED, [Regrouped(here, (other.id,))])
    return await queries.card(tx, here, other.id)


async def unmerge(tx: WriteTx, here: Context, patient_id: UUID) -> PatientCard:
    """Takes a merged record out again, with what had been merged into it before."""
    here.actor.require(Right.PATIENTS)
    await listeners.tell(tx, events.RECORDS_CHANGING, [patient_id])
    survivor = await store.load_part_for(tx, here, patient_id, Right.PATIENTS)
    await store.unmerge(tx, here, patient_id, survivor)
    await listeners.tell(tx, events.RECORDS_CHANGED, [Regrouped(here, (patient_id, survivor), parted=True)])
    return await queries.card(tx, here, patient_id)


async def erase(tx: WriteTx, here: Context, patient_id: UUID, reason: str) -> list[UUID]:
    """Destroys the keys of the record and of those merged into it, for good; their ids, which higher floors are told as
    ``patient_erased``. That it happened stays: the rows, an event each, and lines in a file outside the database, on disk
    before this commits. Where the commit then fails, the erasure that was asked for is done at the next start."""
    here.actor.require(Right.RECORDS)
    await listeners.tell(tx, events.RECORDS_CHANGING, [patient_id])
    found = await store.load_for(tx, here, patient_id, Right.RECORDS, whole=True)
    gone = await store.erase(tx, here, await queries.family(tx, found.id), why=reason)
    await listeners.tell(tx, events.PATIENT_ERASED, gone)
    await asyncio.to_thread(ledger.add, here.services.settings.data_dir, here.facility.id, gone, tx.now)
    return gone


async def erase_again(services: Services) -> int:
    """Erases whom the ledger names and the database still knows, as it does after an older backup was put back."""
    count = 0
    for facility_id, patients in (await asyncio.to_thread(ledger.read, services.settings.data_dir)).items():
        found = await facilities.locate(services, id=facility_id)
        if found is None:
            continue
        here = _inside(services, found)
        async with here.write() as tx:
            left = await store.not_erased(tx, patients)
            if not left:
                continue
            await listeners.tell(tx, events.RECORDS_CHANGING, left)
            gone = await store.erase(tx, here, left, why=_PUT_BACK)
            await listeners.tell(tx, events.PATIENT_ERASED, gone)
        count += len(gone)
    return count


def _inside(services: Services, facility: Any) -> Context:
    return Context(services, facility, actor=SYSTEM, language="en", address="", device="")


def sound(tx: ReadTx, here: Context, identity: Identity) -> Identity:
    """With phones in one form; ``MistakeInIdentity`` for what cannot be."""
    require_sound(identity, here.facility.service_day(tx.now))
    region = region_of(here.facility.zone)
    return replace(identity, phones=tuple(dict.fromkeys(international(one, region) for one in identity.phones)))


def _with_phone(identity: Identity, changes: Mapping[str, Any]) -> dict[str, Any]:
    changed = dict(changes)
    if "phone" in changed:
        first = changed.pop("phone")
        others = changed.get("phones", identity.phones[1:])
        changed["phones"] = (first, *others) if first else tuple(others)
    return changed


def _different(before: Identity, after: Identity) -> list[str]:
    names = (one.name for one in fields_of(Identity))
    return [name for name in names if getattr(before, name) != getattr(after, name)]


def _require_some_right(here: Context) -> None:
    if not (here.actor.may(Right.PATIENTS) or here.actor.may(Right.RECORDS)):
        here.actor.require(Right.HISTORY)


async def _known_to(tx: ReadTx, here: Context, patient_id: UUID) -> bool:
    """Whether the actor may open the record without a reason."""
    if here.actor.may(Right.PATIENTS) or here.actor.may(Right.RECORDS):
        return True
    ask = here.services.additions.get(PATIENT_KNOWN_TO)
    if ask is None:
        return False
    for one in await queries.family(tx, patient_id):
        if await ask(tx, one, here.actor.clinics):
            return True
    return False
