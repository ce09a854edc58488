"""The waiting list, pure: what somebody on it wants, in a form in which the first who wants a slot is found without a walk.

Time is cut into cells of five minutes, the leaves of a binary tree that is numbered as a heap: the root is 1, the halves of a
node ``n`` are ``2n`` and ``2n + 1``. A place on the list is written at the few nodes that together are its span; whoever wants a
slot is written at one of the nodes above the cell in which it begins, and nowhere else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from dawr.appointments.rules_schedule import FIRST_YEAR, GRAIN
from dawr.platform.errors import N_, Conflict, NotFound

MOST_LAPSES = 3
LEVELS = 24
CELLS: int = 2**LEVELS
"""Enough for every slot there may be: 159 years."""
_FIRST = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)


class WaitingStatus(StrEnum):
    """``closed``: the doctor takes nobody any more. ``set_aside``: the same person has another place, since two records of
    theirs became one. Either can be taken back."""

    WAITING = "waiting"
    OFFERED = "offered"
    SERVED = "served"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"
    CLOSED = "closed"
    SET_ASIDE = "set_aside"


OPEN = (WaitingStatus.WAITING, WaitingStatus.OFFERED)
KEPT = (*OPEN, WaitingStatus.CLOSED, WaitingStatus.SET_ASIDE)
"""What may still come to something."""


class WaitingNotFound(NotFound):
    code = "waiting_not_found"
    title = N_("There is no such place on the waiting list")


class NotWaiting(Conflict):
    code = "not_waiting"
    title = N_("The patient is not on this waiting list")


class AlreadyWaiting(Conflict):
    code = "already_waiting"
    title = N_("The patient is on this waiting list already")


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody who takes a slot that begins between ``earliest`` and ``latest``. ``lapses`` counts offers without an answer;
    ``instead_of`` is the appointment that an earlier slot would take the place of."""

    waiting: UUID
    patient: UUID
    doctor: str
    earliest: datetime | None
    latest: datetime | None
    status: WaitingStatus
    created_at: datetime
    lapses: int = 0
    instead_of: UUID | None = None
    version: int = 0

    @property
    def stream(self) -> str:
        return f"waiting:{self.waiting}"


def after_lapse(entry: Waiting) -> Waiting:
    """Who does not answer keeps their place, until that has happened too often."""
    lapses = entry.lapses + 1
    status = WaitingStatus.ENDED if lapses >= MOST_LAPSES else WaitingStatus.WAITING
    return replace(entry, lapses=lapses, status=status)


def cell(moment: datetime) -> int:
    """The cell that an instant lies in; the first or the last for one before or after all of them."""
    since: int = (moment - _FIRST) // GRAIN
    return min(max(since, 0), CELLS - 1)


def nodes(earliest: datetime | None, latest: datetime | None) -> Iterator[int]:
    """The nodes that together are a span: two a level at most, the root alone for one that is open at both ends."""
    # A slot begins with a cell: one that begins within the first is too early unless the span begins there, too.
    first = 0 if earliest is None else cell(earliest + GRAIN - datetime.resolution)
    low, high = CELLS + first, CELLS + (CELLS - 1 if latest is None else cell(latest)) + 1
    while low < high:
        if low & 1:
            yield low
            low += 1
        if high & 1:
            high -= 1
            yield high
        low, high = low >> 1, high >> 1
