"""Who a patient is: what is kept of a person, what makes two records likely the same, what can go wrong."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any
from uuid import UUID

from dawr.patients.rules_names import same_name, share_a_word
from dawr.platform.errors import N_, Conflict, Forbidden, Invalid, NotFound

SHOWN_DIGITS = 3
OLDEST_YEAR = 1880
PATIENT_KNOWN_TO = "patient_known_to"
"""The addition by which a higher floor says whether a patient has or had a visit in one of a doctor's clinics."""


class PatientNotFound(NotFound):
    code = "patient_not_found"
    title = N_("There is no such patient")


class RecordNeedsReason(Forbidden):
    """Nobody but reception opens a record without a visit in their clinics; with a reason it opens, and that is kept."""

    code = "record_needs_reason"
    title = N_("This patient has had no visit in your clinics; opening the record needs a reason")


class QueryTooShort(Invalid):
    code = "query_too_short"
    title = N_("Please give at least three letters of a name, or a whole phone or identity number")


class MistakeInIdentity(Invalid):
    code = "invalid_identity"
    title = N_("What was given about this person has a mistake")


class CannotMerge(Conflict):
    code = "cannot_merge"
    title = N_("These two records cannot be merged")


class MergedMeanwhile(Conflict):
    """Whoever asks again gets to the record that answers now."""

    code = "merged_meanwhile"
    title = N_("This patient's record was merged with another one just now; please try again")


class NotMerged(Conflict):
    code = "not_merged"
    title = N_("This record is not merged into another one")


class Gender(StrEnum):
    """As in FHIR."""

    MALE = "male"
    FEMALE = "female"
    OTHER = "other"
    UNKNOWN = "unknown"


class Channel(StrEnum):
    """By which a person may be told something."""

    SMS = "sms"
    EMAIL = "email"
    WHATSAPP = "whatsapp"
    PUSH = "push"


class Purpose(StrEnum):
    """Why a record is opened."""

    RECEPTION = "reception"
    CARE = "care"
    HISTORY = "history"
    EXPORT = "export"
    ADMINISTRATION = "administration"


@dataclass(frozen=True, slots=True)
class Preferences:
    """How somebody wants to be told things. ``channels`` ``None``: by any; ``quiet`` is from when to when, local time, nothing
    is sent; ``opted_out``: nothing but what they ask for themselves."""

    channels: tuple[Channel, ...] | None = None
    quiet: tuple[time, time] | None = None
    opted_out: bool = False

    def answer(self) -> dict[str, Any]:
        return {
            "channels": None if self.channels is None else [one.value for one in self.channels],
            "quiet_from": f"{self.quiet[0]:%H:%M}" if self.quiet else None,
            "quiet_to": f"{self.quiet[1]:%H:%M}" if self.quiet else None,
            "opted_out": self.opted_out,
        }


@dataclass(frozen=True, slots=True)
class Identity:
    """What is kept of a person. ``names`` maps a language or script (``ar``, ``hi``, ``en``) to the name written in it;
    ``phones`` begin with the one to be called first."""

    name: str
    names: Mapping[str, str] = field(default_factory=dict)
    birth_date: date | None = None
    birth_year: int | None = None
    gender: Gender | None = None
    phones: tuple[str, ...] = ()
    national_id: str | None = None
    record_number: str | None = None
    language: str | None = None
    email: str | None = None
    preferences: Preferences = field(default_factory=Preferences)

    @property
    def year(self) -> int | None:
        return self.birth_date.year if self.birth_date else self.birth_year

    @property
    def spellings(self) -> tuple[str, ...]:
        """The name in every script it is known in."""
        return (self.name, *self.names.values())


@dataclass(frozen=True, slots=True)
class PatientCard:
    """A patient as staff see one. Of an ``erased`` patient nothing is left but the id; ``patient`` is the surviving record's."""

    patient: UUID
    version: int
    created_at: datetime
    identity: Identity | None
    erased: bool = False

    @property
    def name(self) -> str | None:
        return self.identity.name if self.identity else None

    @property
    def phone(self) -> str | None:
        return next(iter(self.identity.phones), None) if self.identity else None

    @property
    def birth_date(self) -> date | None:
        return self.identity.birth_date if self.identity else None

    @property
    def gender(self) -> Gender | None:
        return self.identity.gender if self.identity else None

    @property
    def language(self) -> str | None:
        return self.identity.language if self.identity else None

    def answer(self) -> dict[str, Any]:
        """Everything, for whoever opened the record."""
        known = self.identity or Identity(name="")
        return self.summary() | {
            "phone": self.phone,
            "phones": list(known.phones),
            "national_id": known.national_id,
            "record_number": known.record_number,
            "email": known.email,
            "preferences": known.preferences.answer(),
            "version": self.version,
            "created_at": self.created_at.isoformat(),
        }

    def summary(self) -> dict[str, Any]:
        """What tells people of one name apart in a list, without opening the record: of the phone only the last digits."""
        known = self.identity or Identity(name="")
        return {
            "patient": str(self.patient),
            "name": self.name,
            "names": dict(known.names),
            "phone": masked(self.phone),
            "birth_date": known.birth_date.isoformat() if known.birth_date else None,
            "birth_year": known.year,
            "gender": known.gender.value if known.gender else None,
            "language": known.language,
            "erased": self.erased,
        }


@dataclass(frozen=True, slots=True)
class Contact:
    """How a patient can be told something, as they want it. ``channels`` ``None``: by any."""

    patient: UUID
    phone: str | None
    email: str | None
    language: str | None
    channels: frozenset[Channel] | None
    quiet: tuple[time, time] | None
    opted_out: bool


def masked(phone: str | None) -> str | None:
    """``•••••567``: enough to ask "does yours end in 567?"."""
    return None if phone is None else "•" * max(0, len(phone) - SHOWN_DIGITS) + phone[-SHOWN_DIGITS:]


def require_sound(identity: Identity, today: date) -> None:
    """``MistakeInIdentity`` names the ``field`` that cannot be."""
    if identity.birth_date and not OLDEST_YEAR <= identity.birth_date.year <= today.year + 1:
        raise MistakeInIdentity(extra={"field": "birth_date"})
    if identity.birth_date and identity.birth_date > today:
        raise MistakeInIdentity(extra={"field": "birth_date"})
    if identity.birth_year and not OLDEST_YEAR <= identity.birth_year <= today.year:
        raise MistakeInIdentity(extra={"field": "birth_year"})
    if identity.birth_date and identity.birth_year not in (None, identity.birth_date.year):
        raise MistakeInIdentity(extra={"field": "birth_year"})


def likeness(one: Identity, other: Identity) -> tuple[str, ...]:
    """Why two records are likely of one person, the surest reason first; empty where they are not.

    Relatives share a phone: it counts only with a word of the name in common, or beside another reason.
    """
    reasons = []
    if one.national_id and number_form(one.national_id) == number_form(other.national_id):
        reasons.append("national_id")
    if one.record_number and number_form(one.record_number) == number_form(other.record_number):
        reasons.append("record_number")
    if _same_person(one, other):
        reasons.append("name_and_birth")
    if set(one.phones) & set(other.phones) and (reasons or share_a_word(one.spellings, other.spellings)):
        reasons.append("phone")
    return tuple(reasons)


def _same_person(one: Identity, other: Identity) -> bool:
    if not same_name(one.spellings, other.spellings) or one.year is None or one.year != other.year:
        return False
    return one.birth_date is None or other.birth_date is None or one.birth_date == other.birth_date


def number_form(number: str | None) -> str:
    """A number of identity in the form in which it is compared: letters and digits alone, capitals as small letters, digits of
    any script as ASCII digits."""
    signs = "".join(filter(str.isalnum, (number or "").casefold()))
    if signs.isascii():
        return signs
    return "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in signs)
