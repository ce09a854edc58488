"""Visits, pure: what states one has, which verb leads from where to where, and how a visit follows its tickets.

A visit is one patient's way through the house on one day. It waits until somebody serves one of its tickets, is in progress from
then on, and ends when all of them have ended, or when reception says so. The names are FHIR's for an encounter where they fit.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from dawr.platform.errors import N_, Conflict, Invalid, NotFound
from dawr.tickets import rules as tickets
from dawr.tickets.rules import Verb as Step


class Status(StrEnum):
    WAITING = "waiting"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"


OPEN = (Status.WAITING, Status.IN_PROGRESS)


class VisitNotFound(NotFound):
    code = "visit_not_found"
    title = N_("There is no such visit")


class WrongVisitState(Conflict):
    """``extra["state"]`` is the state it is in."""

    code = "visit_wrong_state"
    title = N_("The visit is not in a state that allows this")


class NoWayGiven(Invalid):
    code = "visit_without_clinic"
    title = N_("A visit needs a clinic or a doctor")


class Verb(StrEnum):
    """What reception says of a whole visit."""

    CANCEL = "cancel"
    NO_SHOW = "no_show"
    COMPLETE = "complete"
    REOPEN = "reopen"


TRANSITIONS: dict[Verb, tuple[tuple[Status, ...], Status]] = {
    Verb.CANCEL: (OPEN, Status.CANCELLED),
    Verb.NO_SHOW: ((Status.WAITING,), Status.NO_SHOW),
    Verb.COMPLETE: (OPEN, Status.COMPLETED),
    Verb.REOPEN: ((Status.COMPLETED, Status.CANCELLED, Status.NO_SHOW), Status.WAITING),
}
_ENDS: dict[Verb, dict[tickets.Status, Step]] = {
    Verb.NO_SHOW: {tickets.Status.CALLED: Step.NO_SHOW},
    Verb.COMPLETE: {tickets.Status.CALLED: Step.DONE, tickets.Status.SERVING: Step.DONE},
}


@dataclass(frozen=True, slots=True)
class Visit:
    """``number`` counts the facility's visits of the service day from 1; ``appointment`` is the one it was checked in for."""

    visit: UUID
    patient: UUID
    service_day: date
    number: int
    status: Status
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    appointment: UUID | None = None
    version: int = 0

    @property
    def stream(self) -> str:
        return f"visit:{self.visit}"

    @property
    def shown_number(self) -> str:
        return shown_number(self.service_day, self.number)


@dataclass(frozen=True, slots=True)
class Stop:
    """What of a visit's ticket its visit depends on: its state, and whether its service had begun."""

    ticket: UUID
    clinic: str
    status: tickets.Status
    begun: bool

    @property
    def served(self) -> bool:
        return self.begun or self.status in (tickets.Status.SERVING, tickets.Status.DONE)


@dataclass(frozen=True, slots=True)
class News:
    """What just happened to a visit's tickets: whether one came (back) into a queue, and whether a step was taken back."""

    came: bool
    taken_back: bool


def shown_number(service_day: date, number: int) -> str:
    """``V-20261121-0001``."""
    return f"V-{service_day:%Y%m%d}-{number:04d}"


def place(status: tickets.Status) -> str:
    """What a ticket's state means to its visit: it waits, is served, or has ended in one way or another."""
    return "waits" if status in tickets.OPEN and status is not tickets.Status.SERVING else status.value


def followed(visit: Visit, stops: Iterable[Stop], news: News, *, now: datetime) -> Visit:
    """The visit after something happened to its tickets; the same one where that changes nothing.

    What reception ended stays ended until a ticket comes back into a queue. Somebody who was served and waits again is still in
    progress, unless the service itself was taken back.
    """
    if visit.status not in OPEN and not news.came:
        return visit
    return moved(visit, _told(visit.status, list(stops), news), now=now)


def _told(status: Status, stops: list[Stop], news: News) -> Status:
    # Who was transferred goes on elsewhere: the ticket there tells.
    counted = {one.status for one in stops} - {tickets.Status.TRANSFERRED}
    if counted.intersection(tickets.OPEN):
        stays = status is Status.IN_PROGRESS and not news.taken_back
        return Status.IN_PROGRESS if stays or any(one.served for one in stops) else Status.WAITING
    # Also of somebody who was served, sent on, and did not go there.
    if any(one.served for one in stops):
        return Status.COMPLETED
    return Status.NO_SHOW if tickets.Status.NO_SHOW in counted else Status.CANCELLED


def moved(visit: Visit, status: Status, *, now: datetime) -> Visit:
    """The visit in another state, with the times that belong to it."""
    if status is visit.status:
        return visit
    started = visit.started_at or now if status in (Status.IN_PROGRESS, Status.COMPLETED) else visit.started_at
    return replace(
        visit,
        status=status,
        started_at=None if status is Status.WAITING else started,
        ended_at=None if status in OPEN else now,
    )


def step(visit: Visit, verb: Verb, stops: Iterable[Stop], *, now: datetime, today: date) -> Visit:
    """The visit after a verb; ``WrongVisitState`` with the present state where it does not apply. A visit is reopened on its
    own service day only: what an earlier day counted stays."""
    allowed, target = TRANSITIONS[verb]
    seen = list(stops)
    if visit.status not in allowed or (verb is Verb.REOPEN and visit.service_day != today):
        raise WrongVisitState(extra={"state": visit.status.value})
    if verb is Verb.REOPEN:
        target = Status.IN_PROGRESS if any(one.served for one in seen) else Status.WAITING
    # Whoever is being served is here, and leaves the desk first.
    elif verb is not Verb.COMPLETE and any(one.status is tickets.Status.SERVING for one in seen):
        raise WrongVisitState(extra={"state": visit.status.value, "ticket_state": "serving"})
    return moved(visit, target, now=now)


def endings(verb: Verb, stops: Iterable[Stop]) -> list[tuple[Stop, Step]]:
    """What becomes of the open tickets of a visit that reception ends: who was at a desk has that outcome, all others are
    cancelled. In the order in which queues are locked."""
    ends = _ENDS.get(verb, {})
    still = [one for one in stops if one.status in tickets.OPEN]
    return [(one, ends.get(one.status, Step.CANCEL)) for one in sorted(still, key=lambda one: (one.clinic, one.ticket))]
