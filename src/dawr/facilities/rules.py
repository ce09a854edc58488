"""Facilities and their clinics as values: names in several languages, opening hours, the service day."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from dawr.platform.errors import N_, Conflict, Forbidden, Invalid, NotFound

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ONE_DAY = timedelta(days=1)
Names = Mapping[str, str]
Hours = Mapping[str, list[list[str]]]


class FacilityNotFound(NotFound):
    code = "facility_not_found"
    title = N_("There is no such facility")


class DepartmentNotFound(NotFound):
    code = "department_not_found"
    title = N_("There is no such department")


class ClinicNotFound(NotFound):
    code = "clinic_not_found"
    title = N_("There is no such clinic")


class DoctorNotFound(NotFound):
    code = "doctor_not_found"
    title = N_("There is no such doctor here")


class DeskNotFound(NotFound):
    code = "desk_not_found"
    title = N_("There is no such desk in this clinic")


class ClinicClosed(Conflict):
    code = "clinic_closed"
    title = N_("This clinic is closed")


class QueuePaused(Conflict):
    code = "queue_paused"
    title = N_("This queue takes no new people at the moment")


class SlugTaken(Conflict):
    code = "slug_taken"
    title = N_("This short name is taken")


class PrefixTaken(Conflict):
    code = "prefix_taken"
    title = N_("Another clinic uses this prefix")


class ChangedMeanwhile(Conflict):
    """Somebody else changed it since the caller read it; ``extra["current"]`` holds the settings as they are."""

    code = "changed_meanwhile"
    title = N_("Somebody else has changed this in the meantime")


class StillInUse(Conflict):
    """``extra`` tells what holds it: ``open_tickets`` or ``clinics``."""

    code = "still_in_use"
    title = N_("This is still in use")


class InvalidSetting(Invalid):
    """``extra["field"]`` names the setting."""

    code = "invalid_setting"
    title = N_("A setting has a mistake")


class UnknownZone(InvalidSetting):
    code = "unknown_zone"
    title = N_("There is no such time zone")


class InvalidHours(InvalidSetting):
    code = "invalid_hours"
    title = N_("The opening hours have a mistake")


class EntryNotOpen(Forbidden):
    code = "entry_not_open"
    title = N_("Tickets of this clinic are not given to everybody")


class Entry(StrEnum):
    """Who may take a ticket: anybody, who scanned the clinic's code, who proved a phone number, staff alone."""

    OPEN = "open"
    QR = "qr"
    VERIFIED = "verified"
    STAFF = "staff"


class State(StrEnum):
    """Whether a clinic takes people now. Closed outweighs paused."""

    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Facility:
    """``name`` by language; ``languages`` in the order they are offered; ``pivot`` is local time.

    ``grace_minutes``: how long after the pivot people of the day before are kept in a clinic that was not open then;
    ``id_text``: its id as what is sealed and found for it names it.
    """

    id: UUID
    no: int
    slug: str
    name: Names
    zone: str
    pivot: time
    languages: tuple[str, ...]
    grace_minutes: int
    paused: bool
    pause_reason: str | None = None
    version: int = 0
    id_text: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id_text", str(self.id))

    def service_day(self, now: datetime) -> date:
        """The day on which ``now`` counts: the last one that has begun. It never goes back, whatever the clocks do."""
        local = now.astimezone(ZoneInfo(self.zone)).date()
        # Where the clocks go back over midnight, tomorrow can have begun while the local date reads today again.
        for day in (local + ONE_DAY, local):
            if self.day_start(day) <= now:
                return day
        return local - ONE_DAY

    def day_start(self, day: date) -> datetime:
        """The instant (UTC) at which a service day begins.

        A pivot that a clock change skips begins when the gap ends; of one that comes twice the first counts.
        """
        zone = ZoneInfo(self.zone)
        local = datetime.combine(day, self.pivot, tzinfo=zone)
        first, second = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
        return first if first <= second else _change_between(second, first, zone)


def _change_between(early: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """The second between the two at which the zone's offset changes."""
    before = early.astimezone(zone).utcoffset()
    seconds = range(int((late - early).total_seconds()))
    passed = bisect_left(
        seconds, True, key=lambda n: (early + timedelta(seconds=n)).astimezone(zone).utcoffset() != before
    )
    return early + timedelta(seconds=passed)


@dataclass(frozen=True, slots=True)
class Department:
    id: str
    name: Names
    version: int


@dataclass(frozen=True, slots=True)
class Doctor:
    """``clinics``: where tickets may name this doctor."""

    id: str
    name: Names
    clinics: tuple[str, ...]
    version: int


@dataclass(frozen=True, slots=True)
class Clinic:
    """``hours`` maps a weekday to its openings (``[["08:00", "13:00"]]``); none at all means round the clock.

    ``capacity`` is the most people who may wait at once; ``mean_service_seconds`` what the facility plans for one patient.
    ``paused`` is true also while the whole facility is; ``paused_itself`` tells the clinic's own switch. ``place`` orders
    the clinics on a screen, ``poster`` counts the entry codes it has had.
    """

    facility_id: UUID
    id: str
    name: Names
    prefix: str
    department: str | None
    floor: str | None
    entry: Entry
    capacity: int | None
    hours: Hours | None
    closed: bool
    paused: bool
    paused_itself: bool
    pause_reason: str | None
    mean_service_seconds: int | None
    late_after_seconds: int | None
    priority_credit_seconds: int
    place: int
    poster: int
    version: int
    desks: tuple[str, ...]
    doctors: tuple[str, ...]

    def state(self, now: datetime, zone: str) -> State:
        if not self.is_open(now, zone):
            return State.CLOSED
        return State.PAUSED if self.paused else State.OPEN

    def is_open(self, now: datetime, zone: str) -> bool:
        """Whether the clinic is open at ``now``; an opening that ends before it begins goes on past midnight."""
        if self.closed:
            return False
        if self.hours is None:
            return True
        local = now.astimezone(ZoneInfo(zone))
        return self._covers(local, 0) or self._covers(local, 1)

    def _covers(self, local: datetime, days_back: int) -> bool:
        openings = (self.hours or {}).get(WEEKDAYS[(local.weekday() - days_back) % 7], [])
        clock = local.time()
        for start, end in ((time.fromisoformat(a), time.fromisoformat(b)) for a, b in openings):
            if days_back == 0 and start <= clock and (clock < end or end <= start):
                return True
            if days_back == 1 and end <= start and clock < end:
                return True
        return False

    def require_desk(self, desk: str | None) -> None:
        if desk is not None and desk not in self.desks:
            raise DeskNotFound

    def require_doctor(self, doctor: str | None) -> None:
        if doctor is not None and doctor not in self.doctors:
            raise DoctorNotFound


def named(names: Names, language: str) -> str:
    """The name in this language, else in English, else in any."""
    return names.get(language) or names.get("en") or next(iter(names.values()), "")
