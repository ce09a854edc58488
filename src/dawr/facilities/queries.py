"""Reading facilities and clinics, finding a facility, and the context every request is answered in."""

import asyncio
import base64
import hmac
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from dawr.accounts.rules import Actor, Right
from dawr.facilities.rules import (
    Clinic,
    ClinicNotFound,
    Department,
    DepartmentNotFound,
    Doctor,
    DoctorNotFound,
    Entry,
    EntryNotOpen,
    Facility,
)
from dawr.facilities.rules_settings import SLUG
from dawr.platform.crypto import Keyring
from dawr.platform.db import Answers, Database, ReadTx, Stream, WriteTx
from dawr.platform.idempotency import Key
from dawr.platform.services import Services
from dawr.platform.values import value

# The fields of ``Clinic`` as texts and numbers: what they say is made of them once (``clinic_of``).
_CLINIC = """
SELECT c.facility_id::text, c.clinic AS id, c.name::text, c.prefix, c.department, c.floor, c.entry, c.capacity, c.hours::text,
       c.closed, c.paused OR f.paused AS paused, c.paused AS paused_itself, c.pause_reason, c.mean_service_seconds,
       c.late_after_seconds, c.priority_credit_seconds, c.place, c.poster, c.version,
       to_json(array(SELECT d.desk FROM desk d WHERE d.facility_id = c.facility_id AND d.clinic = c.clinic
                     ORDER BY length(d.desk), d.desk))::text AS desks,
       to_json(array(SELECT dc.doctor FROM doctor_clinic dc WHERE dc.facility_id = c.facility_id
                     AND dc.clinic = c.clinic ORDER BY dc.doctor))::text AS doctors
FROM clinic c JOIN facility f ON f.facility_id = c.facility_id
WHERE c.facility_id = %(facility_id)s AND c.archived_on IS NULL
"""
_ONE = _CLINIC + " AND c.clinic = %(clinic)s"
# With this, whoever looks at something else of clinics reads them in the same statement: ``clinic_of`` makes them of its rows.
NAMED = _CLINIC + " AND c.clinic = ANY(%(clinics)s)"
_ALL = _CLINIC + " ORDER BY c.place, c.clinic"
_FACILITY = """
SELECT facility_id AS id, no, slug, name, zone, pivot, languages, grace_minutes, paused, pause_reason, version
FROM facility WHERE facility_id = %(facility_id)s
"""
_DEPARTMENTS = """
SELECT department AS id, name, version FROM department
WHERE facility_id = %(facility_id)s AND archived_on IS NULL AND (%(one)s::text IS NULL OR department = %(one)s)
ORDER BY department
"""
_DOCTORS = """
SELECT d.doctor AS id, d.name, d.version,
       array(SELECT dc.clinic FROM doctor_clinic dc WHERE dc.facility_id = d.facility_id AND dc.doctor = d.doctor
             ORDER BY dc.clinic) AS clinics
FROM doctor d
WHERE d.facility_id = %(facility_id)s AND d.archived_on IS NULL AND (%(one)s::text IS NULL OR d.doctor = %(one)s)
ORDER BY d.doctor
"""
_EVERY = "SELECT facility_id, no, slug, is_default FROM directory.facilities()"
_BY_SLUG = "SELECT directory.facility_by_slug(%(wanted)s)"
_BY_NO = "SELECT directory.facility_by_no(%(wanted)s)"
_DEFAULT = "SELECT directory.default_facility()"

Wanted = str | int | UUID | None
LOCATED_SECONDS = 1.0
MOST_CLINICS = 4096
MOST_LOCATED = 1024
_LOCATED = "facilities_located"
HIGHEST_NO = 2**31 - 1


@value(frozen=True, slots=True)
class Context:
    """Where and for whom a request is answered.

    ``device`` is the browser's random cookie (``new_device``: it has none yet and is to be given this one), ``address`` its
    network's; ``secrets`` are the ticket secrets it showed.
    """

    services: Services
    facility: Facility
    actor: Actor
    language: str
    address: str
    device: str
    new_device: bool = False
    secure: bool = False
    secrets: tuple[str, ...] = ()
    idempotency_key: Key | None = None

    def read(self) -> AbstractAsyncContextManager[ReadTx]:
        return self.services.db.read(self.facility.id)

    def write(self) -> AbstractAsyncContextManager[WriteTx]:
        return self.services.db.write(self.facility.id)


@dataclass(frozen=True, slots=True)
class Listed:
    """A facility as the installation's directory has it."""

    facility_id: UUID
    no: int
    slug: str
    is_default: bool


# Inside one facility


async def facility(tx: ReadTx) -> Facility | None:
    """The transaction's own facility."""
    row = await tx.row(_FACILITY)
    return Facility(**(row | {"languages": tuple(row["languages"])})) if row else None


async def clinic(tx: ReadTx, clinic_id: str) -> Clinic:
    """One clinic of the transaction's facility; ``ClinicNotFound`` otherwise."""
    return await clinic_found(await clinic_asked(tx, clinic_id))


async def clinic_asked(tx: ReadTx, clinic_id: str) -> Answers:
    """Asks for one clinic. To be followed by ``clinic_found``."""
    return await tx.asked(_ONE, clinic=clinic_id)


async def clinic_found(asked: Answers) -> Clinic:
    """The clinic that was asked for; ``ClinicNotFound`` where there is none."""
    row = await asked.fetchone()
    if row is None:
        raise ClinicNotFound
    return clinic_of(row)


async def clinics_named(tx: ReadTx, clinic_ids: Sequence[str]) -> list[Clinic]:
    """Those of the clinics with these names that exist."""
    return await clinics_found(await tx.asked(NAMED, clinics=list(clinic_ids)))


async def clinics_found(asked: Answers) -> list[Clinic]:
    """The clinics that were asked for."""
    return [clinic_of(row) for row in await asked.fetchall()]


async def clinics(tx: ReadTx) -> list[Clinic]:
    """Every clinic of the facility in the order it is shown."""
    return await clinics_found(await every_clinic_asked(tx))


async def every_clinic_asked(tx: ReadTx) -> Answers:
    """Asks for every clinic, in the order they are shown. To be followed by ``clinics_found``."""
    return await tx.asked(_ALL)


def clinic_of(row: dict[str, Any]) -> Clinic:
    """The clinic of a row that has the columns of ``NAMED`` and no other."""
    return _clinic_that_says(tuple(row), tuple(row.values()))


@lru_cache(maxsize=MOST_CLINICS)
def _clinic_that_says(names: tuple[str, ...], values: tuple[Any, ...]) -> Clinic:
    """A crowd reads the same clinics again and again, and what is read says the same nearly every time."""
    said = dict(zip(names, values, strict=True))
    made = {
        "facility_id": UUID(said["facility_id"]),
        "name": orjson.loads(said["name"]),
        "entry": Entry(said["entry"]),
        "hours": orjson.loads(said["hours"]) if said["hours"] is not None else None,
        "desks": tuple(orjson.loads(said["desks"])),
        "doctors": tuple(orjson.loads(said["doctors"])),
    }
    return Clinic(**(said | made))


async def department(tx: ReadTx, department_id: str) -> Department:
    row = await tx.row(_DEPARTMENTS, one=department_id)
    if row is None:
        raise DepartmentNotFound
    return Department(**row)


async def departments(tx: ReadTx) -> list[Department]:
    return [Department(**row) for row in await tx.rows(_DEPARTMENTS, one=None)]


async def doctor(tx: ReadTx, doctor_id: str) -> Doctor:
    row = await tx.row(_DOCTORS, one=doctor_id)
    if row is None:
        raise DoctorNotFound
    return _doctor(row)


async def doctors(tx: ReadTx) -> list[Doctor]:
    return [_doctor(row) for row in await tx.rows(_DOCTORS, one=None)]


def _doctor(row: dict[str, Any]) -> Doctor:
    return Doctor(**(row | {"clinics": tuple(row["clinics"])}))


# Who may take a ticket


def require_entry(services: Services, clinic: Clinic, actor: Actor, code: str | None, *, proved: bool = False) -> None:
    """``EntryNotOpen`` where this clinic gives no ticket to this actor. ``code`` is what the clinic's poster carries; ``proved``:
    whoever asks has proved a phone number."""
    if clinic.entry is Entry.OPEN or actor.may(Right.QUEUE, clinic.id):
        return
    if clinic.entry is Entry.VERIFIED and proved:
        return
    if clinic.entry is Entry.QR and code is not None and _is_code_of(services.keyring, clinic, code):
        return
    raise EntryNotOpen(extra={"entry": clinic.entry.value})


def entry_code(services: Services, clinic: Clinic) -> str:
    """What the present poster of a clinic carries: the key's id and 80 bits that only this installation can make."""
    return _code(services.keyring, clinic, services.keyring.primary_id)


def _code(keyring: Keyring, clinic: Clinic, key_id: int) -> str:
    message = f"{clinic.facility_id}/{clinic.id}/{clinic.poster}".encode()
    mac = keyring.mac("entry", message, key_id=key_id)[1]
    return f"{key_id}.{base64.b32encode(mac[:10]).decode().lower()}"


def _is_code_of(keyring: Keyring, clinic: Clinic, code: str) -> bool:
    key_id = code.partition(".")[0]
    known = [one for one in keyring.key_ids if str(one) == key_id]
    return any(hmac.compare_digest(_code(keyring, clinic, one).encode(), code.encode()) for one in known)


# Finding a facility


async def locate(
    services: Services, *, slug: str | None = None, no: int | None = None, id: UUID | None = None
) -> Facility | None:
    """The facility of this short name, number or id; without any of them the default one. At most a second old."""
    wanted: Wanted = id or (no if no is not None else slug or services.settings.default_facility)
    located = services.additions.get(_LOCATED)
    if located is None:
        located = services.additions[_LOCATED] = _Located(services.db).find
    found: Facility | None = await located(wanted)
    return found


async def every_facility(services: Services) -> list[UUID]:
    """All ids in the order the facilities were made, for work that goes through each."""
    return [one.facility_id for one in await listed(services)]


async def listed(services: Services) -> list[Listed]:
    async with services.db.read() as tx:
        return [Listed(**row) for row in await tx.rows(_EVERY)]


class _Located:
    """The facilities found in one database within the last second. Callers who miss together ask once; one that is asked for
    again and again is looked for before the second is over, so that nobody waits for it."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._kept: dict[Wanted, tuple[float, Facility]] = {}
        self._asked: dict[Wanted, asyncio.Task[Facility | None]] = {}
        self._changes = 0
        db.on_commit.append(self._forget)

    async def find(self, wanted: Wanted) -> Facility | None:
        until, found = self._kept.get(wanted, (0.0, None))
        left = until - time.monotonic()
        if left < LOCATED_SECONDS / 2 and wanted not in self._asked:
            task = self._asked[wanted] = asyncio.ensure_future(self._ask(wanted))
            task.add_done_callback(lambda done: self._answered(wanted, done))
        if left > 0:
            return found
        # Shielded: one caller's hanging up is no answer for the others.
        return await asyncio.shield(self._asked[wanted])

    async def _ask(self, wanted: Wanted) -> Facility | None:
        began, changes = time.monotonic(), self._changes
        found = await _find(self._db, wanted)
        if found is not None and changes == self._changes:
            # What does not exist is not kept: whoever makes names up must not push the real ones out.
            if len(self._kept) >= MOST_LOCATED:
                self._kept.clear()
            self._kept[wanted] = (began + LOCATED_SECONDS, found)
        return found

    def _answered(self, wanted: Wanted, task: asyncio.Task[Facility | None]) -> None:
        del self._asked[wanted]
        if not task.cancelled():
            # Where nobody waits for it, nobody hears of a failure: whoever comes when the second is over asks again.
            task.exception()

    def _forget(self, touched: set[Stream]) -> None:
        if any(stream == "facility" for _, stream in touched):
            self._changes += 1
            self._kept.clear()


async def _find(db: Database, wanted: Wanted) -> Facility | None:
    facility_id = wanted if isinstance(wanted, UUID) else await _id_of(db, wanted)
    if facility_id is None:
        return None
    async with db.read(facility_id) as tx:
        return await facility(tx)


async def _id_of(db: Database, wanted: str | int | None) -> UUID | None:
    if isinstance(wanted, str) and not SLUG.fullmatch(wanted):
        return None
    if isinstance(wanted, int) and not 0 < wanted <= HIGHEST_NO:
        return None
    sql = _DEFAULT if wanted is None else _BY_NO if isinstance(wanted, int) else _BY_SLUG
    async with db.read() as tx:
        found: UUID | None = await tx.value(sql, wanted=wanted)
    return found
