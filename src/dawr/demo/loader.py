"""Makes the facilities of the demonstration, each from a file beside this, once.

One transaction makes a facility with everything that belongs to it, its staff included. What exists is never touched, so
whatever an administrator changes or removes stays as they left it.
"""

import tomllib
from dataclasses import dataclass
from datetime import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from dawr.accounts.commands import Person, Post, hire
from dawr.accounts.passwords import generated, hashed
from dawr.accounts.rules import SYSTEM, Role
from dawr.appointments.commands_schedule import set_schedule
from dawr.appointments.rules_schedule import Window
from dawr.facilities import queries
from dawr.facilities.commands import create_clinic, create_facility
from dawr.facilities.commands_people import create_department, create_doctor
from dawr.facilities.rules import WEEKDAYS, Entry, SlugTaken
from dawr.facilities.rules_settings import ClinicSettings, FacilitySettings
from dawr.platform.db import WriteTx
from dawr.platform.ids import new_id
from dawr.platform.services import Services

FOLDER = Path(__file__).parent
FILES = ("mmc.toml", "city.toml")


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What was made just now: nothing, where everything was there. ``password`` is the new accounts', for printing once."""

    facilities: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    password: str | None = None


# The file. ``docs/facilities.md`` describes it.


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FacilityPart(_Part):
    facility: str
    names: dict[str, str]
    zone: str
    pivot: time = time(0)
    languages: tuple[str, ...]
    grace_minutes: int = 120
    default: bool = False

    def settings(self) -> FacilitySettings:
        return {
            "name": self.names,
            "zone": self.zone,
            "pivot": self.pivot,
            "languages": self.languages,
            "grace_minutes": self.grace_minutes,
        }


class DepartmentPart(_Part):
    department: str
    names: dict[str, str]


class ClinicPart(_Part):
    clinic: str
    names: dict[str, str]
    prefix: str
    department: str | None = None
    floor: str | None = None
    desks: tuple[str, ...] = ("1",)
    entry: Entry = Entry.OPEN
    capacity: int | None = None
    hours: dict[str, list[list[str]]] | None = None
    mean_service_seconds: int | None = None
    late_after_seconds: int | None = 300
    priority_credit_seconds: int = 1800

    def settings(self, place: int) -> ClinicSettings:
        return {
            "name": self.names,
            "prefix": self.prefix,
            "department": self.department,
            "floor": self.floor,
            "entry": self.entry,
            "capacity": self.capacity,
            "hours": self.hours,
            "mean_service_seconds": self.mean_service_seconds,
            "late_after_seconds": self.late_after_seconds,
            "priority_credit_seconds": self.priority_credit_seconds,
            "place": place,
        }


class HoursPart(_Part):
    """When a doctor gives appointments, on each of ``days``."""

    days: tuple[str, ...] = WEEKDAYS
    opens: time
    closes: time
    slot_minutes: int
    capacity: int = 1

    def windows(self) -> list[Window]:
        return [Window(self.opens, self.closes, self.slot_minutes, self.capacity, weekday=day) for day in self.days]


class DoctorPart(_Part):
    doctor: str
    names: dict[str, str]
    clinics: tuple[str, ...] = ()
    hours: tuple[HoursPart, ...] = ()


class StaffPart(_Part):
    email: str
    name: str
    role: Role
    clinics: tuple[str, ...] = ()
    doctor: str | None = None
    desk: str | None = None


class DemoFile(_Part):
    facility: FacilityPart
    departments: tuple[DepartmentPart, ...] = ()
    clinics: tuple[ClinicPart, ...]
    doctors: tuple[DoctorPart, ...] = ()
    staff: tuple[StaffPart, ...] = ()


def read_file(path: Path) -> DemoFile:
    """Raises ``tomllib.TOMLDecodeError`` or pydantic's ``ValidationError``, which names the line's field."""
    return DemoFile.model_validate(tomllib.loads(path.read_text("utf-8")))


async def load_demo(services: Services, *, password: str | None, folder: Path = FOLDER) -> DemoReport:
    """Makes the facilities that are missing. ``password`` is everybody's; without one a random one is made."""
    files = [read_file(folder / name) for name in FILES]
    missing = [file for file in files if await queries.locate(services, slug=file.facility.facility) is None]
    if not missing:
        return DemoReport()
    chosen = password or generated()
    password_hash = await hashed(chosen)
    facilities: list[str] = []
    accounts: list[str] = []
    for file in missing:
        try:
            accounts += await _make(services, file, password_hash)
        except SlugTaken:
            # Another process, started together with this one, was faster.
            continue
        facilities.append(file.facility.facility)
    return DemoReport(tuple(facilities), tuple(accounts), chosen if accounts else None)


async def _make(services: Services, file: DemoFile, password_hash: str) -> list[str]:
    """One facility, whole or not at all; the addresses of the accounts that had to be made."""
    made: list[str] = []
    async with services.db.write(new_id(services.clock.now())) as tx:
        await _make_places(tx, file)
        for one in file.staff:
            person = Person(one.email, one.name, password_hash)
            post = Post(one.role, one.clinics, one.doctor, one.desk)
            _, is_new = await hire(tx, SYSTEM, services.keyring, person, post)
            made += [one.email] if is_new else []
    return made


async def _make_places(tx: WriteTx, file: DemoFile) -> None:
    whole = file.facility
    await create_facility(tx, SYSTEM, slug=whole.facility, settings=whole.settings(), as_default=whole.default)
    for department in file.departments:
        await create_department(tx, SYSTEM, department=department.department, name=department.names)
    for place, clinic in enumerate(file.clinics, 1):
        await create_clinic(tx, SYSTEM, clinic=clinic.clinic, settings=clinic.settings(place), desks=clinic.desks)
    for doctor in file.doctors:
        await create_doctor(tx, SYSTEM, doctor=doctor.doctor, name=doctor.names, clinics=doctor.clinics)
        await _give_hours(tx, doctor)


async def _give_hours(tx: WriteTx, doctor: DoctorPart) -> None:
    windows = [window for one in doctor.hours for window in one.windows()]
    facility = await queries.facility(tx)
    assert facility is not None
    if windows:
        await set_schedule(tx, SYSTEM, facility, doctor_id=doctor.doctor, windows=windows)
