"""When a doctor is there, pure: weekly windows in the facility's local time, extra openings, leave, and the slots these make.

Windows are kept as local clock times and become instants day by day, so a clinic that opens at nine opens at nine in summer
and in winter. Between the instants of its start and its end a window is cut into slots of real minutes: where the clocks go
forward the hour that does not exist has no slots, where they go back the hour that comes twice has twice as many.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import combinations
from typing import Any, NoReturn
from uuid import UUID
from zoneinfo import ZoneInfo

from dawr.facilities.rules import ONE_DAY, WEEKDAYS, Facility
from dawr.platform.errors import N_, Invalid, NotFound

GRAIN = timedelta(minutes=5)
MOST_WINDOWS = 60
MOST_EXTRAS = 200
LONGEST_SLOT = 480
LARGEST_CAPACITY = 50
FIRST_YEAR, LAST_YEAR = 2000, 2100
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_ALWAYS = (date.min, date.max)


class InvalidSchedule(Invalid):
    """``extra["field"]`` names the mistake."""

    code = "invalid_schedule"
    title = N_("The schedule has a mistake")


class LeaveNotFound(NotFound):
    code = "leave_not_found"
    title = N_("There is no such leave")


class Reason(StrEnum):
    """Why a doctor is away. Nothing is written freely here: patients are told nothing but that the doctor is away."""

    VACATION = "vacation"
    ILLNESS = "illness"
    TRAINING = "training"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Window:
    """Working hours of one weekday, or of one ``day`` alone. An end at or before the start lies in the next day.

    ``clinic`` is where the doctor then works, ``None`` their first. ``valid_from`` and ``valid_until`` are days, both included.
    """

    opens: time
    closes: time
    slot_minutes: int
    capacity: int = 1
    weekday: str | None = None
    day: date | None = None
    clinic: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None

    def holds_on(self, day: date) -> bool:
        if self.day:
            return self.day == day
        first, last = self.validity
        return self.weekday == WEEKDAYS[day.weekday()] and first <= day <= last

    @property
    def validity(self) -> tuple[date, date]:
        return self.valid_from or _ALWAYS[0], self.valid_until or _ALWAYS[1]


@dataclass(frozen=True, slots=True)
class Schedule:
    """The subject of a doctor's time: who changes it, or books in it, holds its row."""

    doctor: str
    windows: tuple[Window, ...] = ()
    extra: tuple[Window, ...] = ()
    version: int = 0

    @property
    def stream(self) -> str:
        return f"schedule:{self.doctor}"


def at_work(schedule: Schedule, clinics: Sequence[str]) -> Schedule:
    """The schedule as it counts for a doctor who works in these clinics: windows that name another one do not, and for who
    works nowhere none does."""
    windows, extra = (
        tuple(one for one in many if clinics and one.clinic in (None, *clinics))
        for many in (schedule.windows, schedule.extra)
    )
    return replace(schedule, windows=windows, extra=extra)


@dataclass(frozen=True, slots=True)
class Leave:
    leave: UUID
    doctor: str
    starts: datetime
    ends: datetime
    reason: Reason
    cancelled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """A window on one day, as instants."""

    starts: datetime
    ends: datetime
    window: Window


@dataclass(frozen=True, slots=True)
class Slot:
    """``taken``: the seats that are not free, of ``capacity``."""

    starts: datetime
    ends: datetime
    capacity: int
    clinic: str | None
    taken: frozenset[int] = field(default_factory=frozenset)
    used: int = 0

    def seat(self) -> int | None:
        """The seat somebody who books now gets. Where a schedule has changed, who booked under the former one counts too,
        whatever their seat is called."""
        free = [one for one in range(self.capacity) if one not in self.taken]
        return free[0] if free and self.used < self.capacity else None

    def overlaps(self, starts: datetime, ends: datetime) -> bool:
        return self.starts < ends and starts < self.ends


# Slots of a day


def instant(facility: Facility, day: date, clock: time) -> datetime:
    """The instant (UTC) of a local time. One that a clock change skips is the end of the gap, of two the first."""
    return replace(facility, pivot=clock).day_start(day)


def openings(facility: Facility, schedule: Schedule, day: date) -> list[Opening]:
    """The windows of a day as instants; one that ends after midnight goes on into the next day. Weekly ones first."""
    found = (one for one in (*schedule.windows, *schedule.extra) if one.holds_on(day))
    return [_opened(facility, one, day) for one in found]


def _opened(facility: Facility, window: Window, day: date) -> Opening:
    last = day + ONE_DAY if window.closes <= window.opens else day
    return Opening(instant(facility, day, window.opens), instant(facility, last, window.closes), window)


def slots_on(facility: Facility, schedule: Schedule, leaves: Sequence[Leave], day: date) -> list[Slot]:
    """The slots that begin on a local day, in order. Leave has none; an extra opening none that would overlap others."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        return []
    zone, kept = ZoneInfo(facility.zone), list[Slot]()
    for opening in (*openings(facility, schedule, day - ONE_DAY), *openings(facility, schedule, day)):
        for slot in _cut(opening):
            mine = slot.starts.astimezone(zone).date() == day
            if mine and not _away(slot.starts, slot.ends, leaves) and not _clashes(slot, opening, kept):
                kept.append(slot)
    return sorted(kept, key=lambda one: one.starts)


def _cut(opening: Opening) -> Iterator[Slot]:
    step, window = timedelta(minutes=opening.window.slot_minutes), opening.window
    starts = opening.starts
    while starts + step <= opening.ends:
        yield Slot(starts, starts + step, window.capacity, window.clinic)
        starts += step


def _away(starts: datetime, ends: datetime, leaves: Iterable[Leave]) -> bool:
    return any(one.starts < ends and starts < one.ends for one in leaves if one.cancelled_at is None)


def _clashes(slot: Slot, opening: Opening, kept: Sequence[Slot]) -> bool:
    return opening.window.day is not None and any(slot.overlaps(one.starts, one.ends) for one in kept)


def covers(
    facility: Facility, schedule: Schedule, leaves: Sequence[Leave], span: tuple[datetime, datetime], clinic: str
) -> bool:
    """Whether the doctor works in the clinic throughout the span: within windows that follow each other, outside leave."""
    starts, ends = span
    if _away(starts, ends, leaves):
        return False
    day = starts.astimezone(ZoneInfo(facility.zone)).date()
    for one in sorted(_around(facility, schedule, day), key=lambda one: one.starts):
        if one.starts <= starts < one.ends and one.window.clinic in (None, clinic):
            starts = one.ends
    return starts >= ends


def _around(facility: Facility, schedule: Schedule, day: date) -> list[Opening]:
    days = (day - ONE_DAY, day, day + ONE_DAY)
    return [one for each in days for one in openings(facility, schedule, each)]


def cells(starts: datetime, ends: datetime) -> list[datetime]:
    """The five-minute pieces of time that a span touches."""
    first = starts - (starts - datetime.min.replace(tzinfo=starts.tzinfo)) % GRAIN
    return [first + GRAIN * n for n in range(-((first - ends) // GRAIN))]


# What may be written into a schedule


def cleaned(windows: Sequence[Window], extra: Sequence[Window], *, clinics: Sequence[str]) -> tuple[Window, ...]:
    """The windows and extra openings, if they hold together; in the order of the week, then of the days."""
    if len(windows) > MOST_WINDOWS or len(extra) > MOST_EXTRAS:
        _refuse("windows", N_("A schedule has too many windows"))
    for one in (*windows, *extra):
        _require_sound(one, clinics)
    for one, other in combinations(windows, 2):
        if _meet(one, other):
            _refuse("windows", N_("Two windows overlap"))
    return (
        *sorted(windows, key=lambda one: (WEEKDAYS.index(one.weekday or "mon"), one.opens, one.validity)),
        *sorted(extra, key=lambda one: (one.day or date.min, one.opens)),
    )


def _require_sound(window: Window, clinics: Sequence[str]) -> None:
    grain = int(GRAIN.total_seconds()) // 60
    if window.opens.minute % grain or window.closes.minute % grain or window.slot_minutes % grain:
        _refuse("windows", N_("Times and lengths are whole steps of five minutes"))
    if not grain <= window.slot_minutes <= LONGEST_SLOT or not 1 <= window.capacity <= LARGEST_CAPACITY:
        _refuse("windows", N_("A slot takes 5 to 480 minutes and 1 to 50 people"))
    if window.clinic is not None and window.clinic not in clinics:
        _refuse("clinic", N_("The doctor does not work in this clinic"))
    if window.validity[1] < window.validity[0]:
        _refuse("valid_until", N_("A window ends before it begins to hold"))


def _meet(one: Window, other: Window) -> bool:
    """Whether two weekly windows are ever at the same time; the week is a circle."""
    # A window may reach a day further than it holds.
    if one.validity[0] > _later(other.validity[1]) or other.validity[0] > _later(one.validity[1]):
        return False
    first, second = _span(one), _span(other)
    week = 7 * 24 * 60
    return any(first[0] < second[1] + n and second[0] + n < first[1] for n in (-week, 0, week))


def _later(day: date) -> date:
    return day if day == date.max else day + ONE_DAY


def _span(window: Window) -> tuple[int, int]:
    """Minutes of the week."""
    midnight = WEEKDAYS.index(window.weekday or "mon") * 24 * 60
    begin, finish = (one.hour * 60 + one.minute for one in (window.opens, window.closes))
    return midnight + begin, midnight + finish + (24 * 60 if finish <= begin else 0)


def _refuse(field: str, detail: str) -> NoReturn:
    raise InvalidSchedule(detail, extra={"field": field})


# As JSON has it


def read_window(given: Mapping[str, Any]) -> Window:
    """A window as people write it: ``{"weekday": "mon", "from": "09:00", "to": "17:00", "slot_minutes": 15, …}``."""
    opens, closes = (_clock(given.get(name)) for name in ("from", "to"))
    return Window(
        opens=opens,
        closes=closes,
        slot_minutes=given["slot_minutes"],
        capacity=given.get("capacity", 1),
        weekday=given.get("weekday"),
        day=_day(given.get("date")),
        clinic=given.get("clinic"),
        valid_from=_day(given.get("valid_from")),
        valid_until=_day(given.get("valid_until")),
    )


def shown_window(window: Window) -> dict[str, Any]:
    clocks = {"from": window.opens.strftime("%H:%M"), "to": window.closes.strftime("%H:%M")}
    plain = {"slot_minutes": window.slot_minutes, "capacity": window.capacity, "clinic": window.clinic}
    if window.day:
        return {"date": window.day.isoformat()} | clocks | plain
    valid = {name: getattr(window, name) for name in ("valid_from", "valid_until")}
    days = {name: day.isoformat() if day else None for name, day in valid.items()}
    return {"weekday": window.weekday} | clocks | plain | days


def _clock(given: Any) -> time:
    if not isinstance(given, str) or not _CLOCK.fullmatch(given):
        _refuse("windows", N_("A window has a start and an end, such as 09:00 and 13:30"))
    return time.fromisoformat(given)


def _day(given: Any) -> date | None:
    return date.fromisoformat(given) if isinstance(given, str) else given
