"""A doctor as a row, and a window of a doctor's schedule as a row."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import time

from dawr.appointments.rules_schedule import (
    LARGEST_CAPACITY,
    LONGEST_SLOT,
    InvalidSchedule,
    Schedule,
    Window,
    cleaned,
)
from dawr.exchange.rules import COLUMNS, LANGUAGES, MISSING, Kind, Mistake, Reading
from dawr.facilities.rules import WEEKDAYS, Doctor, InvalidSetting
from dawr.facilities.rules_settings import clean_names, require_slug

UNKNOWN_CLINIC = "There is no such clinic here"
UNKNOWN_DOCTOR = "There is no such doctor here"
EITHER_DAY = "This should be a weekday or a day, and not both"
WEEKLY_ALONE = "A window on one day alone is not valid from or until another"
# The names of a window's fields in the schedule's own words, as columns.
_COLUMN_OF = {"windows": "", "clinic": "clinic", "valid_until": "valid_until"}


@dataclass(frozen=True, slots=True)
class Brought:
    """A doctor as a file has them."""

    doctor: str
    names: Mapping[str, str]
    clinics: tuple[str, ...]


# Doctors


def doctor_of(reading: Reading, clinics: Collection[str]) -> Brought:
    """The doctor of a row; of no use where there were mistakes."""
    doctor = reading.needed("doctor")
    named = {one: reading.text(f"name_{one}") for one in LANGUAGES}
    names = {language: name for language, name in named.items() if name}
    works = (reading.text("clinics", longest=4000) or "").split()
    if not reading.mistakes:
        _check(reading, "doctor", lambda: require_slug("doctor", doctor))
        _check(reading, "" if names else "name_en", lambda: clean_names(names))
    for one in works:
        if one not in clinics:
            reading.wrong("clinics", UNKNOWN_CLINIC)
    return Brought(doctor, names, tuple(sorted(set(works))))


def names_with(before: Mapping[str, str], brought: Mapping[str, str]) -> dict[str, str]:
    """A doctor's names after an import: those in languages that have no column stay."""
    return {language: name for language, name in before.items() if language not in LANGUAGES} | dict(brought)


def cells_of_doctor(doctor: Doctor) -> list[str]:
    values = {"doctor": doctor.id, "clinics": " ".join(doctor.clinics)}
    values |= {f"name_{one}": doctor.name.get(one, "") for one in LANGUAGES}
    return [values[one] for one in COLUMNS[Kind.DOCTORS]]


def doctor_is_cut(doctor: Doctor) -> bool:
    """Whether a row has no place for some of the names."""
    return bool(set(doctor.name) - set(LANGUAGES))


# Schedules


def window_of(reading: Reading) -> Window:
    """The window of a row; of no use where there were mistakes."""
    weekday, day = reading.chosen("weekday", list(WEEKDAYS)), reading.day("day")
    opens, closes = reading.clock("opens"), reading.clock("closes")
    slot = reading.number("slot_minutes", 5, LONGEST_SLOT)
    capacity = reading.number("capacity", 1, LARGEST_CAPACITY)
    window = Window(
        opens=opens or time(),
        closes=closes or time(),
        slot_minutes=slot or 0,
        capacity=capacity or 1,
        weekday=weekday,
        day=day,
        clinic=reading.text("clinic"),
        valid_from=reading.day("valid_from"),
        valid_until=reading.day("valid_until"),
    )
    if not reading.mistakes:
        _require_whole(reading, window, {"opens": opens, "closes": closes, "slot_minutes": slot})
    return window


def _require_whole(reading: Reading, window: Window, needed: Mapping[str, object]) -> None:
    for column in (name for name, value in needed.items() if value is None):
        reading.wrong(column, MISSING)
    if (window.weekday is None) is (window.day is None):
        reading.wrong("weekday", EITHER_DAY)
    elif window.day and (window.valid_from or window.valid_until):
        reading.wrong("valid_from", WEEKLY_ALONE)


def whole_schedule(read: list[tuple[Reading, Window]], clinics: Collection[str] | None) -> list[Mistake]:
    """What is wrong with a doctor's windows by themselves and beside each other: told of the later of two. ``clinics``: where
    the doctor works; ``None``: nobody knows, as nobody knows the doctor."""
    kept: list[Window] = []
    for reading, window in read:
        if not reading.mistakes and clinics is not None:
            _check(reading, "", lambda window=window: _together([*kept, window], clinics))  # type: ignore[misc]
        if not reading.mistakes:
            kept.append(window)
    return [one for reading, _ in read for one in reading.mistakes]


def _together(windows: list[Window], clinics: Collection[str]) -> None:
    weekly, days = parted(windows)
    cleaned(weekly, days, clinics=tuple(clinics))


def parted(windows: list[Window]) -> tuple[list[Window], list[Window]]:
    """Those of every week, and those of one day alone."""
    return [one for one in windows if one.day is None], [one for one in windows if one.day]


def cells_of_schedule(schedule: Schedule) -> list[list[str]]:
    return [_cells_of_window(schedule.doctor, one) for one in (*schedule.windows, *schedule.extra)]


def _cells_of_window(doctor: str, window: Window) -> list[str]:
    values: Mapping[str, object] = {
        "doctor": doctor,
        "weekday": window.weekday,
        "day": window.day and window.day.isoformat(),
        "opens": window.opens.strftime("%H:%M"),
        "closes": window.closes.strftime("%H:%M"),
        "slot_minutes": window.slot_minutes,
        "capacity": window.capacity,
        "clinic": window.clinic,
        "valid_from": window.valid_from and window.valid_from.isoformat(),
        "valid_until": window.valid_until and window.valid_until.isoformat(),
    }
    return [str(values[one] or "") for one in COLUMNS[Kind.SCHEDULES]]


def _check(reading: Reading, column: str, require: Callable[[], object]) -> None:
    """Notes what a slice's own check refuses, in its words."""
    try:
        require()
    except (InvalidSetting, InvalidSchedule) as problem:
        sentence = (problem.detail or problem.title).format(**problem.params)
        reading.wrong(column or _COLUMN_OF.get(problem.extra.get("field", ""), ""), sentence)
