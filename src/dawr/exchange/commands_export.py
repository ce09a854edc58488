"""The export of a facility's patients, doctors and schedules as rows, page by page; nothing of a page is kept for the next.

Every patient in a page is a record that was opened, and stands in that patient's own trail before the page is given out.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from dawr.accounts.rules import Right
from dawr.appointments import queries as appointments
from dawr.exchange import events, queries
from dawr.exchange.commands import note
from dawr.exchange.rules import COLUMNS, Kind
from dawr.exchange.rules_patients import cells_of, is_cut
from dawr.exchange.rules_staff import cells_of_doctor, cells_of_schedule, doctor_is_cut
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.patients import commands as patients
from dawr.patients.rules import Identity, PatientNotFound, Purpose
from dawr.platform.db import WriteTx

PAGE = 100


@dataclass(frozen=True, slots=True)
class Page:
    """``cut``: how many of the rows have no place for all that is kept."""

    rows: Sequence[Sequence[str]]
    cut: int = 0


async def take_away(here: Context, kind: Kind) -> AsyncIterator[Page]:
    """The columns' names, then the rows. The log tells of the export once all of them were given out."""
    here.actor.require(Right.RECORDS if kind is Kind.PATIENTS else Right.SETTINGS)
    makers = {Kind.PATIENTS: _patients, Kind.DOCTORS: _doctors, Kind.SCHEDULES: _schedules}
    count = 0
    yield Page([COLUMNS[kind]])
    async for page in makers[kind](here):
        count += len(page.rows)
        yield page
    await note(here, events.EXPORT_MADE, {"what": kind.value, "rows": count})


async def _patients(here: Context) -> AsyncIterator[Page]:
    after: UUID | None = None
    while True:
        async with here.write() as tx:
            some = await queries.patients_after(tx, after, PAGE)
            opened = [one for each in some if (one := await _opened(tx, here, each))]
        if not some:
            return
        after = some[-1]
        yield Page([cells_of(one) for one in opened], sum(map(is_cut, opened)))


async def _opened(tx: WriteTx, here: Context, patient: UUID) -> Identity | None:
    try:
        return (await patients.open_record(tx, here, patient, purpose=Purpose.EXPORT)).identity
    except PatientNotFound:
        # Erased since the page was begun.
        return None


async def _doctors(here: Context) -> AsyncIterator[Page]:
    async with here.read() as tx:
        found = await facilities.doctors(tx)
    yield Page([cells_of_doctor(one) for one in found], sum(map(doctor_is_cut, found)))


async def _schedules(here: Context) -> AsyncIterator[Page]:
    async with here.read() as tx:
        doctors = [one.id for one in await facilities.doctors(tx)]
    for start in range(0, len(doctors), PAGE):
        async with here.read() as tx:
            found = [await appointments.schedule(tx, one) for one in doctors[start : start + PAGE]]
        yield Page([cells for one in found for cells in cells_of_schedule(one)])
