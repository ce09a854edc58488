"""What a facility's settings may be. Every mistake is an ``InvalidSetting`` that names its field."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import time
from functools import lru_cache
from itertools import pairwise
from typing import Any, NoReturn, TypedDict
from uuid import UUID
from zoneinfo import available_timezones

from dawr.facilities.rules import (
    WEEKDAYS,
    Clinic,
    Department,
    Doctor,
    Entry,
    Facility,
    Hours,
    InvalidHours,
    InvalidSetting,
    Names,
    UnknownZone,
)
from dawr.platform.errors import N_

SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
PREFIX = re.compile(r"[A-Z][A-Z0-9]{0,7}")
DESK = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,15}")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")
LINE_BREAKING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
LONGEST_NAME = 100
LONGEST_FLOOR = 40
LONGEST_REASON = 500
MOST_LANGUAGES = 20
MOST_OPENINGS = 6
MINUTES_A_DAY = 24 * 60
MINUTES_A_WEEK = 7 * MINUTES_A_DAY
RANGES = {
    "grace_minutes": (0, 720),
    "capacity": (0, 100_000),
    "mean_service_seconds": (10, 28_800),
    "late_after_seconds": (30, 7_200),
    "priority_credit_seconds": (0, 86_400),
    "place": (0, 100_000),
}


class FacilitySettings(TypedDict, total=False):
    name: Names
    zone: str
    pivot: time
    languages: tuple[str, ...]
    grace_minutes: int


class ClinicSettings(TypedDict, total=False):
    name: Names
    prefix: str
    department: str | None
    floor: str | None
    entry: Entry
    capacity: int | None
    hours: Hours | None
    mean_service_seconds: int | None
    late_after_seconds: int | None
    priority_credit_seconds: int
    place: int


def fresh_facility(facility_id: UUID, slug: str) -> Facility:
    """A facility before it has settings."""
    return Facility(
        id=facility_id,
        no=0,
        slug=slug,
        name={},
        zone="UTC",
        pivot=time(0),
        languages=("en",),
        grace_minutes=120,
        paused=False,
    )


def fresh_clinic(facility_id: UUID, clinic: str) -> Clinic:
    """A clinic before it has settings: open to everybody, round the clock."""
    return Clinic(
        facility_id=facility_id,
        id=clinic,
        name={},
        prefix="",
        department=None,
        floor=None,
        entry=Entry.OPEN,
        capacity=None,
        hours=None,
        closed=False,
        paused=False,
        paused_itself=False,
        pause_reason=None,
        mean_service_seconds=None,
        late_after_seconds=300,
        priority_credit_seconds=1800,
        place=0,
        poster=1,
        version=0,
        desks=(),
        doctors=(),
    )


def changed_facility(facility: Facility, settings: FacilitySettings) -> Facility:
    """The facility with these settings, if they hold together."""
    changed = replace(facility, **settings)
    _require_zone(changed.zone)
    _require_languages(changed.languages)
    if changed.pivot.second or changed.pivot.microsecond or changed.pivot.tzinfo:
        _refuse("pivot", N_("A pivot is a time of the day in hours and minutes"))
    _require_range("grace_minutes", changed.grace_minutes)
    return replace(changed, name=clean_names(changed.name))


def changed_clinic(clinic: Clinic, settings: ClinicSettings) -> Clinic:
    """The clinic with these settings, if they hold together."""
    changed = replace(clinic, **settings)
    if not PREFIX.fullmatch(changed.prefix):
        _refuse("prefix", N_("A prefix is one to eight capital letters and digits that begin with a letter"))
    for field in ("capacity", "mean_service_seconds", "late_after_seconds", "priority_credit_seconds", "place"):
        _require_range(field, getattr(changed, field))
    floor = changed.floor and _clean_text("floor", changed.floor, LONGEST_FLOOR)
    return replace(changed, name=clean_names(changed.name), floor=floor, hours=clean_hours(changed.hours))


def clean_names(names: Names) -> dict[str, str]:
    """Names by language, without spaces around them; at least one."""
    if not 1 <= len(names) <= MOST_LANGUAGES:
        _refuse("names", N_("Give a name in at least one language"))
    for language in names:
        if not LANGUAGE.fullmatch(language):
            _refuse("names", N_("This is not the code of a language: {given}"), given=language[:20])
    return {language: _clean_text("names", name, LONGEST_NAME) for language, name in names.items()}


def clean_reason(reason: str) -> str:
    return _clean_text("reason", reason, LONGEST_REASON)


def require_slug(field: str, slug: str) -> None:
    if not SLUG.fullmatch(slug):
        _refuse(field, N_("A short name is made of small letters, digits, dots, hyphens and underscores"))


def require_desk_name(desk: str) -> None:
    if not DESK.fullmatch(desk):
        _refuse("desk", N_("A desk is named by up to 16 letters, digits and hyphens"))


def clean_hours(hours: Hours | None) -> dict[str, list[list[str]]] | None:
    """The openings of each weekday in order; days without any are left out. Null is round the clock.

    An opening may end at or before its start: then it ends on the next day. No two may overlap, Sunday and Monday included.
    """
    if hours is None:
        return None
    for day in hours:
        if day not in WEEKDAYS:
            _refuse_hours(N_("This is not a day of the week: {given}"), given=day[:20])
    kept = {day: sorted(_opening(one) for one in hours[day]) for day in WEEKDAYS if hours.get(day)}
    if not kept:
        _refuse_hours(N_("Give at least one opening, or null for round the clock"))
    _require_apart(kept)
    return kept


def _opening(given: Sequence[str]) -> list[str]:
    if len(given) != 2 or not all(CLOCK.fullmatch(clock) for clock in given):
        _refuse_hours(N_("An opening is a start and an end, such as 08:00 and 13:30"))
    return list(given)


def _require_apart(hours: Hours) -> None:
    spans = sorted(_span(WEEKDAYS.index(day), start, end) for day, openings in hours.items() for start, end in openings)
    if any(len(openings) > MOST_OPENINGS for openings in hours.values()):
        _refuse_hours(N_("A day has too many openings"))
    # The week is a circle: the first opening comes again after the last.
    again = (spans[0][0] + MINUTES_A_WEEK, spans[0][1] + MINUTES_A_WEEK)
    if any(after[0] < before[1] for before, after in pairwise([*spans, again])):
        _refuse_hours(N_("Two openings overlap"))


def _span(day: int, start: str, end: str) -> tuple[int, int]:
    """Minutes of the week; the end may lie in the next day, or week."""
    begin, finish = _minutes(start), _minutes(end)
    midnight = day * MINUTES_A_DAY
    return midnight + begin, midnight + finish + (MINUTES_A_DAY if finish <= begin else 0)


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    # "localtime" would mean another thing on every server.
    return frozenset(available_timezones() - {"localtime"})


def _require_zone(zone: str) -> None:
    if zone not in _zones():
        raise UnknownZone(N_("Use a name such as Asia/Qatar"), extra={"field": "zone"})


def _require_languages(languages: Sequence[str]) -> None:
    if not 1 <= len(languages) <= MOST_LANGUAGES or len(set(languages)) < len(languages):
        _refuse("languages", N_("Give at least one language, and each only once"))
    for language in languages:
        if not LANGUAGE.fullmatch(language):
            _refuse("languages", N_("This is not the code of a language: {given}"), given=language[:20])


def _require_range(field: str, value: int | None) -> None:
    low, high = RANGES[field]
    if value is not None and not low <= value <= high:
        _refuse(field, N_("This number should be between {low} and {high}"), low=low, high=high)


def _clean_text(field: str, text: str, longest: int) -> str:
    clean = text.strip()
    if not clean or len(clean) > longest or LINE_BREAKING.search(clean):
        _refuse(field, N_("A text here has 1 to {longest} characters in one line"), longest=longest)
    return clean


def _refuse(field: str, detail: str, **params: object) -> NoReturn:
    raise InvalidSetting(detail, params=params, extra={"field": field})


def _refuse_hours(detail: str, **params: object) -> NoReturn:
    raise InvalidHours(detail, params=params, extra={"field": "hours"})


def facility_settings(facility: Facility) -> dict[str, Any]:
    """The settings as JSON has them."""
    return {
        "facility": facility.slug,
        "names": dict(facility.name),
        "zone": facility.zone,
        "pivot": facility.pivot.strftime("%H:%M"),
        "languages": list(facility.languages),
        "grace_minutes": facility.grace_minutes,
        "paused": facility.paused,
        "pause_reason": facility.pause_reason,
        "version": facility.version,
    }


def clinic_settings(clinic: Clinic) -> dict[str, Any]:
    """The settings as JSON has them; ``paused`` is the clinic's own switch."""
    return {
        "clinic": clinic.id,
        "names": dict(clinic.name),
        "prefix": clinic.prefix,
        "department": clinic.department,
        "floor": clinic.floor,
        "entry": clinic.entry.value,
        "capacity": clinic.capacity,
        "hours": clinic.hours,
        "closed": clinic.closed,
        "paused": clinic.paused_itself,
        "pause_reason": clinic.pause_reason,
        "mean_service_seconds": clinic.mean_service_seconds,
        "late_after_seconds": clinic.late_after_seconds,
        "priority_credit_seconds": clinic.priority_credit_seconds,
        "place": clinic.place,
        "desks": list(clinic.desks),
        "version": clinic.version,
    }


def department_settings(department: Department) -> dict[str, Any]:
    return {"department": department.id, "names": dict(department.name), "version": department.version}


def doctor_settings(doctor: Doctor) -> dict[str, Any]:
    return {
        "doctor": doctor.id,
        "names": dict(doctor.name),
        "clinics": list(doctor.clinics),
        "version": doctor.version,
    }


TEXTS = frozenset({"names", "floor", "pause_reason"})


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What an event tells of a change: the fields, with their values unless people wrote them freely."""
    changed = [field for field in after if field != "version" and before[field] != after[field]]
    return {"changed": changed, "to": {field: after[field] for field in changed if field not in TEXTS}}
