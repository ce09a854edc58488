"""Doctors and their schedules out of a file. Each is a transaction of its own: its locks are those that others wait for."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

from dawr.appointments import commands_schedule
from dawr.appointments import queries as appointments
from dawr.exchange import queries
from dawr.exchange.rules import Mistake, Reading, Row
from dawr.exchange.rules_import import Checked, Likely, Taken, Unit
from dawr.exchange.rules_staff import (
    UNKNOWN_DOCTOR,
    Brought,
    doctor_of,
    names_with,
    parted,
    whole_schedule,
    window_of,
)
from dawr.facilities import commands_people
from dawr.facilities import queries as facilities
from dawr.facilities.commands import OPEN_TICKETS
from dawr.facilities.queries import Context
from dawr.facilities.rules import ClinicNotFound, Doctor, DoctorNotFound, SlugTaken, StillInUse
from dawr.platform.db import WriteTx
from dawr.platform.errors import Problem

AT_ONCE = 50
GONE = "A doctor who is gone had this short name"
NAMED_TWICE = "Line {line} is about the same doctor"
IN_USE = "The doctor would leave a clinic in which open tickets name them"
# What may have changed since the file was checked, or is not checked then.
_REFUSALS: dict[type[Problem], tuple[str, str]] = {
    StillInUse: ("clinics", IN_USE),
    ClinicNotFound: ("clinics", ClinicNotFound.title),
    DoctorNotFound: ("doctor", DoctorNotFound.title),
    SlugTaken: ("doctor", SlugTaken.title),
}


async def _each(
    here: Context, checked: Sequence[Checked], take: Callable[[WriteTx, Checked], Awaitable[Taken]]
) -> Taken:
    """Takes each unit in a transaction of its own; one that is refused leaves the others."""
    outcomes = []
    for one in checked:
        try:
            async with here.write() as tx:
                outcomes.append(await take(tx, one))
        except tuple(_REFUSALS) as problem:
            column, sentence = _REFUSALS[type(problem)]
            outcomes.append(Taken(refused=(Mistake(one.line, column, sentence),)))
    return Taken(
        taken=sum(one.taken for one in outcomes),
        before=sum(one.before for one in outcomes),
        refused=tuple(mistake for one in outcomes for mistake in one.refused),
        rebooking=sum(one.rebooking for one in outcomes),
    )


class Doctors:
    batch = AT_ONCE

    def __init__(self, here: Context) -> None:
        self._here = here
        self._lines: dict[str, int] = {}

    def units(self, rows: Iterable[Row]) -> Iterator[Unit]:
        return ((row,) for row in rows)

    async def check(self, units: Sequence[Unit]) -> Sequence[Checked]:
        async with self._here.read() as tx:
            clinics = {one.id for one in await facilities.clinics(tx)}
            gone = await queries.archived_doctors(tx)
        return [self._checked(row, clinics, gone) for unit in units for row in unit]

    def _checked(self, row: Row, clinics: set[str], gone: set[str]) -> Checked:
        reading = Reading(row)
        brought = doctor_of(reading, clinics)
        if brought.doctor in gone:
            reading.wrong("doctor", GONE)
        first = self._lines.setdefault(brought.doctor, row.line) if brought.doctor else row.line
        if first != row.line:
            reading.wrong("doctor", NAMED_TWICE.format(line=first))
        return Checked(row.line, 1, brought, tuple(reading.mistakes))

    async def likely(self, checked: Sequence[Checked]) -> Sequence[Likely]:
        return ()

    async def take(self, checked: Sequence[Checked]) -> Taken:
        return await _each(self._here, checked, self._take)

    async def _take(self, tx: WriteTx, one: Checked) -> Taken:
        brought: Brought = one.what
        try:
            before = await facilities.doctor(tx, brought.doctor)
        except DoctorNotFound:
            await commands_people.create_doctor(
                tx, self._here.actor, doctor=brought.doctor, name=brought.names, clinics=brought.clinics
            )
            return Taken(taken=1)
        after = await commands_people.change_doctor(
            tx,
            self._here.actor,
            doctor=brought.doctor,
            name=names_with(before.name, brought.names),
            clinics=brought.clinics,
            open_tickets=self._here.services.additions.get(OPEN_TICKETS),
        )
        return Taken(taken=1) if after.version != before.version else Taken(before=1)


class Schedules:
    """A doctor's rows take the place of the doctor's whole schedule, or, with a mistake in one of them, none does."""

    batch = AT_ONCE

    def __init__(self, here: Context) -> None:
        self._here = here

    def units(self, rows: Iterable[Row]) -> Iterator[Unit]:
        # Of a doctor's rows the last may be the file's last: they are all kept, small as they are.
        found: dict[str, list[Row]] = {}
        for row in rows:
            found.setdefault(row.cells.get("doctor", "").strip(), []).append(row)
        return iter(found.values())

    async def check(self, units: Sequence[Unit]) -> Sequence[Checked]:
        async with self._here.read() as tx:
            doctors = {one.id: one for one in await facilities.doctors(tx)}
        return [self._checked(unit, doctors) for unit in units]

    def _checked(self, unit: Unit, doctors: Mapping[str, Doctor]) -> Checked:
        read = [Reading(row) for row in unit]
        named = [reading.needed("doctor") for reading in read]
        doctor = named[0]
        if doctor and doctor not in doctors:
            read[0].wrong("doctor", UNKNOWN_DOCTOR)
        windows = [(reading, window_of(reading)) for reading in read]
        mistakes = whole_schedule(windows, doctors[doctor].clinics if doctor in doctors else None)
        return Checked(unit[0].line, len(unit), (doctor, [window for _, window in windows]), tuple(mistakes))

    async def likely(self, checked: Sequence[Checked]) -> Sequence[Likely]:
        return ()

    async def take(self, checked: Sequence[Checked]) -> Taken:
        return await _each(self._here, checked, self._take)

    async def _take(self, tx: WriteTx, one: Checked) -> Taken:
        doctor, windows = one.what
        weekly, days = parted(windows)
        before = await appointments.schedule(tx, doctor)
        changed = await commands_schedule.set_schedule(
            tx, self._here.actor, self._here.facility, doctor_id=doctor, windows=weekly, extra=days
        )
        same = changed.schedule.version == before.version
        return Taken(
            taken=0 if same else one.rows,
            before=one.rows if same else 0,
            rebooking=len(changed.needs_rebooking),
        )
