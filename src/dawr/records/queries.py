"""One patient's whole history, merged from what several slices keep, and everything of it for whoever asks for their data.

Each source answers its own newest entries from behind one of its own, with one seek in an index; a page asks each for as many as
a page has, takes the newest of all, and remembers for each how far it came. So the hundredth page costs what the first does.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import Any
from uuid import UUID

from dawr.accounts.rules import Right
from dawr.appointments import queries as appointments
from dawr.consultations import queries as consultations
from dawr.facilities.queries import Context
from dawr.patients import queries as patients
from dawr.platform.db import ReadTx
from dawr.records import queries_ratings
from dawr.visits import queries as visits

MESSAGES = "patient_messages"
"""The addition by which a higher floor says what was sent to a person: ``async (tx, here, patients) -> list[dict]``."""
PAGE = 200
_TICKETS = """
SELECT vt.visit, t.id AS ticket, t.clinic, t.code, t.status FROM visit_ticket vt
JOIN ticket t ON t.facility_id = vt.facility_id AND t.id = vt.ticket
WHERE vt.facility_id = %(facility_id)s AND vt.visit = ANY(%(visits)s) ORDER BY vt.ticket
"""
_REASONS = """
SELECT r.visit, v.patient, r.version, r.reason_sealed FROM visit_reason r
JOIN visit v ON v.facility_id = r.facility_id AND v.visit = r.visit
WHERE r.facility_id = %(facility_id)s AND r.visit = ANY(%(visits)s) ORDER BY r.visit, r.version
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened to a patient: ``kind`` says what, ``id`` is its own, ``shown`` what a list says of it."""

    kind: str
    id: UUID
    at: datetime
    shown: Mapping[str, Any]

    def answer(self) -> dict[str, Any]:
        return {"kind": self.kind, "at": self.at.isoformat()} | dict(self.shown)


Reached = Mapping[str, UUID]
"""Of each kind the last entry that was read."""
Source = Callable[..., Awaitable[list[Entry]]]


async def history(
    tx: ReadTx, here: Context, patient_id: UUID, *, after: Reached, limit: int
) -> tuple[list[Entry], Reached | None]:
    """The next entries, newest first, and how far they reach; ``None`` where these are the last."""
    found = [
        await source(tx, here, patient_id, before=after.get(kind), limit=limit + 1) for kind, source in SOURCES.items()
    ]
    page = list(islice(merge(*found, key=attrgetter("at"), reverse=True), limit))
    if sum(map(len, found)) <= limit:
        return page, None
    return page, dict(after) | {one.kind: one.id for one in page}


async def _visits(tx: ReadTx, here: Context, patient_id: UUID, *, before: UUID | None, limit: int) -> list[Entry]:
    rows = await visits.of_patient(tx, patient_id, before=before, limit=limit)
    told = await _tickets_of(tx, [one.visit for one in rows])
    return [Entry("visit", one.visit, one.created_at, visits.card(one) | {"tickets": told[one.visit]}) for one in rows]


async def _tickets_of(tx: ReadTx, of: Sequence[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    told: dict[UUID, list[dict[str, Any]]] = {one: [] for one in of}
    for row in await tx.rows(_TICKETS, visits=list(of)):
        shown = {name: row[name] for name in ("clinic", "code", "status")}
        told[row["visit"]].append({"ticket": str(row["ticket"])} | shown)
    return told


async def _consultations(
    tx: ReadTx, here: Context, patient_id: UUID, *, before: UUID | None, limit: int
) -> list[Entry]:
    """What was found is for doctors alone; others see that there was a consultation."""
    rows = await consultations.of_patient(tx, patient_id, before=before, limit=limit)
    if not here.actor.may(Right.CONSULT):
        return [Entry("consultation", one.id, one.ended_at, _without_findings(consultations.card(one))) for one in rows]
    said = await consultations.latest(tx, here, rows)
    return [
        Entry("consultation", one.id, one.ended_at, consultations.card(one) | {"notes": said[one.id].notes})
        for one in rows
    ]


def _without_findings(card: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in card.items() if name != "outcome"}


async def _appointments(tx: ReadTx, here: Context, patient_id: UUID, *, before: UUID | None, limit: int) -> list[Entry]:
    rows = await appointments.of_patient(tx, patient_id, before=before, limit=limit)
    return [Entry("appointment", one.appointment, one.starts, appointments.shown(here.facility, one)) for one in rows]


SOURCES: Mapping[str, Source] = {
    "visit": _visits,
    "consultation": _consultations,
    "appointment": _appointments,
}


# Everything that is kept of a person


async def everything(tx: ReadTx, here: Context, patient_id: UUID) -> dict[str, Any]:
    """All that a person may ask for, in one document. What doctors found is in it where a doctor asks; ``findings`` says so."""
    family = await patients.family(tx, patient_id)
    kept: dict[str, list[dict[str, Any]]] = {kind: [] for kind in SOURCES}
    for kind, source in SOURCES.items():
        async for one in _all(partial(source, tx, here, patient_id)):
            kept[kind].append(dict(one.shown))
    await _add_reasons(tx, here, family, kept["visit"])
    tickets = [UUID(one["ticket"]) for visit in kept["visit"] for one in visit["tickets"]]
    messages = here.services.additions.get(MESSAGES)
    return {
        "made_at": tx.now.isoformat(),
        "facility": here.facility.slug,
        "findings": here.actor.may(Right.CONSULT),
        "identity": await patients.export(tx, here, patient_id),
        "visits": kept["visit"],
        "consultations": kept["consultation"],
        "appointments": kept["appointment"],
        "ratings": [one.answer() for one in await queries_ratings.of_tickets(tx, here, tickets)],
        "messages": await messages(tx, here, family) if messages else [],
        "read_by": [one.answer() async for one in _accesses(tx, here, patient_id)],
        "changed_by": [one.answer() async for one in _changes(tx, patient_id)],
    }


async def _all(page: Callable[..., Awaitable[list[Entry]]]) -> AsyncIterator[Entry]:
    before: UUID | None = None
    while found := await page(before=before, limit=PAGE):
        for one in found:
            yield one
        before = found[-1].id


async def _accesses(tx: ReadTx, here: Context, patient_id: UUID) -> AsyncIterator[patients.Access]:
    before: UUID | None = None
    while found := await patients.accesses(tx, here, patient_id, before=before, limit=PAGE):
        for one in found:
            yield one
        before = found[-1].access


async def _changes(tx: ReadTx, patient_id: UUID) -> AsyncIterator[patients.Change]:
    before: int | None = None
    while found := await patients.changes(tx, patient_id, before=before, limit=PAGE):
        for one in found:
            yield one
        before = found[-1].change


async def _add_reasons(tx: ReadTx, here: Context, family: Sequence[UUID], kept: list[dict[str, Any]]) -> None:
    """Why somebody came, and why a visit was ended: sealed with the key of the record that the visit was made for."""
    keys = await patients.keys(tx, here, family)
    said: dict[str, list[str]] = {one["visit"]: [] for one in kept}
    for row in await tx.rows(_REASONS, visits=[UUID(one) for one in said]):
        place = visits.reason_place(row["visit"], row["version"])
        said[str(row["visit"])].append(keys[row["patient"]].open(row["reason_sealed"], place))
    for one in kept:
        one["reasons"] = said[one["visit"]]
