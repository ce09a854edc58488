"""A consultation, pure: how long it took, what it is afterwards, and how a doctor's average goes on.

The average of a doctor is two whole numbers, how many consultations and how many seconds in all; the mean is their quotient.
With the next one of d seconds: ``count' = count + 1``, ``seconds' = seconds + d``, ``mean' = seconds' / count'``, which is
``mean + (d - mean) / count'`` without ever rounding. Withdrawing one is the same with both signs turned.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from dawr.platform.errors import N_, Conflict, Forbidden, NotFound

LONGEST_NOTES = 20_000


class ConsultationNotFound(NotFound):
    code = "consultation_not_found"
    title = N_("There is no such consultation")


class ConsultationStands(Conflict):
    """``extra["consultation"]`` names it."""

    code = "consultation_stands"
    title = N_("A consultation is kept for this ticket; its author can withdraw it first")


class ConsultationWithdrawn(Conflict):
    code = "consultation_withdrawn"
    title = N_("This consultation was withdrawn")


class NotTheAuthor(Forbidden):
    code = "not_the_author"
    title = N_("Only who wrote these notes may change them")


class Standing(StrEnum):
    """What a consultation is, in the words of FHIR: as it was first written, added to, or never to have been."""

    FINAL = "final"
    AMENDED = "amended"
    ENTERED_IN_ERROR = "entered_in_error"


@dataclass(frozen=True, slots=True)
class Consultation:
    """``doctor`` is the author's short name where they have one; ``patient`` is whose key seals the notes, ``None`` where the
    ticket belongs to no visit; ``referred_to`` is the ticket in the clinic that the person was sent to."""

    id: UUID
    ticket: UUID
    clinic: str
    author: UUID
    doctor: str | None
    visit: UUID | None
    patient: UUID | None
    started_at: datetime
    ended_at: datetime
    duration_seconds: int
    outcome: str | None
    referred_to: UUID | None
    standing: Standing
    version: int


def seconds_between(started: datetime, ended: datetime) -> int:
    """Whole seconds, none where the clock was set back meanwhile."""
    return max(int((ended - started).total_seconds()), 0)


def amended(found: Consultation, *, author: UUID | None, outcome: str | None) -> Consultation:
    """With its next version; ``outcome`` is what it is from now on."""
    _require_mine(found, author)
    return replace(found, outcome=outcome, standing=Standing.AMENDED, version=found.version + 1)


def withdrawn(found: Consultation, *, author: UUID | None) -> Consultation:
    """Entered in error: it is kept, and counts no longer."""
    _require_mine(found, author)
    return replace(found, standing=Standing.ENTERED_IN_ERROR, version=found.version + 1)


def _require_mine(found: Consultation, author: UUID | None) -> None:
    if found.author != author:
        raise NotTheAuthor
    if found.standing is Standing.ENTERED_IN_ERROR:
        raise ConsultationWithdrawn
