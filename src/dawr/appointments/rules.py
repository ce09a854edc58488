"""Appointments, pure: their states and steps, who stands where on arrival, who is offered a freed slot.

An appointment holds a seat of a slot while it is offered, booked or checked in. Who checks in in time stands in the queue where
somebody stands who joined it at the start of the slot; see ``docs/decisions/appointments-and-walk-ins.md``.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from dawr.appointments.rules_schedule import LONGEST_SLOT, Slot
from dawr.platform.errors import N_, Conflict, Invalid, NotFound

EARLY = timedelta(hours=2)
"""How long before the start a patient may check in by themselves: whoever does so is to be near when they are called."""
SECRET_OUTLIVES = timedelta(hours=24)
OFFER_LEAD = timedelta(minutes=30)
"""A slot that begins sooner is offered to nobody: there is no time left to answer and to come."""
ANSWER_LEAD = timedelta(minutes=15)
LONGEST = timedelta(minutes=LONGEST_SLOT)
HORIZON = timedelta(days=60)
"""How far ahead slots are looked for on behalf of those who wait, when an opening brings many at once."""


class Status(StrEnum):
    OFFERED = "offered"
    BOOKED = "booked"
    CHECKED_IN = "checked_in"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"
    DECLINED = "declined"
    LAPSED = "lapsed"


ACTIVE = (Status.OFFERED, Status.BOOKED, Status.CHECKED_IN)


class Verb(StrEnum):
    RESCHEDULE = "reschedule"
    CANCEL = "cancel"
    CHECK_IN = "check_in"
    NO_SHOW = "no_show"
    ACCEPT = "accept"
    DECLINE = "decline"
    LAPSE = "lapse"


TRANSITIONS: dict[Verb, tuple[tuple[Status, ...], Status]] = {
    Verb.RESCHEDULE: ((Status.BOOKED,), Status.BOOKED),
    Verb.CANCEL: ((Status.BOOKED,), Status.CANCELLED),
    # Who was given up may still come, on the same day.
    Verb.CHECK_IN: ((Status.BOOKED, Status.NO_SHOW), Status.CHECKED_IN),
    Verb.NO_SHOW: ((Status.BOOKED,), Status.NO_SHOW),
    Verb.ACCEPT: ((Status.OFFERED,), Status.BOOKED),
    Verb.DECLINE: ((Status.OFFERED,), Status.DECLINED),
    Verb.LAPSE: ((Status.OFFERED,), Status.LAPSED),
}
BY_PATIENT = frozenset({Verb.RESCHEDULE, Verb.CANCEL, Verb.CHECK_IN, Verb.ACCEPT, Verb.DECLINE})


class AppointmentNotFound(NotFound):
    code = "appointment_not_found"
    title = N_("There is no such appointment")


class SlotTaken(Conflict):
    code = "slot_taken"
    title = N_("This slot is taken")


class SlotOver(Conflict):
    code = "slot_over"
    title = N_("This slot has begun already")


class PatientBusy(Conflict):
    code = "patient_busy"
    title = N_("The patient has another appointment at this time")


class WrongAppointmentState(Conflict):
    """``extra["state"]`` is the present one."""

    code = "appointment_wrong_state"
    title = N_("The appointment is not in a state that allows this")


class TooEarly(Conflict):
    code = "too_early"
    title = N_("It is too early for this")


class TooLate(Conflict):
    code = "too_late"
    title = N_("It is too late for this")


class OfferOver(Conflict):
    code = "offer_over"
    title = N_("This offer is over")


class NotASlot(Invalid):
    code = "not_a_slot"
    title = N_("The doctor has no slot that begins at this time")


@dataclass(frozen=True, slots=True)
class AppointmentRules:
    """What a facility decides. Minutes, all of them.

    ``late_minutes``: until when after the start somebody still checks in in time; ``no_show_minutes``: when who has not come is
    given up; ``offer_minutes``: how long a freed slot is held for somebody; ``reminders``: how long before the start.
    """

    late_minutes: int = 15
    no_show_minutes: int = 60
    offer_minutes: int = 120
    reminders: tuple[int, ...] = (1440, 120)
    version: int = 0


@dataclass(frozen=True, slots=True)
class Appointment:
    """``waiting`` is the place on the waiting list that an offer answers, ``answer_by`` until when it is held.
    ``needs_rebooking`` is true while the doctor is not there at its time, ``doubled`` while the patient, since two records of
    theirs became one, has an earlier made appointment at this time."""

    appointment: UUID
    patient: UUID
    doctor: str
    clinic: str
    starts: datetime
    ends: datetime
    capacity: int
    seat: int
    status: Status
    created_at: datetime
    needs_rebooking: bool = False
    doubled: bool = False
    waiting: UUID | None = None
    answer_by: datetime | None = None
    visit: UUID | None = None
    version: int = 0

    @property
    def stream(self) -> str:
        return f"appointment:{self.appointment}"

    def secret_is_dead(self, now: datetime) -> bool:
        return now - self.ends > SECRET_OUTLIVES


def step(one: Appointment, verb: Verb) -> Appointment:
    """The appointment after a verb; ``WrongAppointmentState`` where the verb does not apply."""
    allowed, target = TRANSITIONS[verb]
    if one.status not in allowed:
        raise WrongAppointmentState(extra={"state": one.status.value})
    return replace(one, status=target, answer_by=None)


def moved(one: Appointment, slot: Slot, *, doctor: str, clinic: str) -> Appointment:
    """The appointment in another slot. ``SlotTaken`` where that has no free seat."""
    seat = slot.seat()
    if seat is None:
        raise SlotTaken
    return replace(
        one,
        doctor=doctor,
        clinic=clinic,
        starts=slot.starts,
        ends=slot.ends,
        capacity=slot.capacity,
        seat=seat,
        needs_rebooking=False,
        doubled=False,
    )


# Arriving


def require_may_arrive(one: Appointment, *, now: datetime, same_day: bool) -> None:
    """Who was given up may come on the same service day alone; nobody comes days before."""
    if now < one.starts and not same_day and one.starts - now > EARLY:
        raise TooEarly(N_("Check-in begins on the day of the appointment"))
    if one.status is Status.NO_SHOW and not same_day:
        raise WrongAppointmentState(extra={"state": one.status.value})


def require_near(one: Appointment, *, now: datetime) -> None:
    """Whoever checks in from where they are, not at reception, does so shortly before."""
    if now < one.starts - EARLY:
        raise TooEarly(N_("You can check in from two hours before the appointment"))


def place_at(one: Appointment, rules: AppointmentRules, *, now: datetime) -> datetime | None:
    """When somebody who checks in now counts as having joined the queue: at the start of their slot, or, late, only now."""
    in_time = now <= one.starts + timedelta(minutes=rules.late_minutes)
    return one.starts if in_time and one.status is Status.BOOKED else None


# Free slots and who waits for one


def with_seats_taken(slots: Sequence[Slot], held: Sequence[Appointment]) -> list[Slot]:
    """The slots, each with who holds a seat at its time: those of the slot itself and, after a change of the schedule, those of
    any slot that reaches into it."""
    ordered = sorted(held, key=lambda one: one.starts)
    starts = [one.starts for one in ordered]
    return [_with_seats_taken(slot, ordered, starts) for slot in slots]


def _with_seats_taken(slot: Slot, ordered: Sequence[Appointment], starts: Sequence[datetime]) -> Slot:
    # Weeks of slots are looked through at once: only those near by are compared.
    near = ordered[bisect_left(starts, slot.starts - LONGEST) : bisect_left(starts, slot.ends)]
    there = [one for one in near if slot.overlaps(one.starts, one.ends)]
    return replace(slot, taken=frozenset(one.seat for one in there), used=len(there)) if there else slot


def is_free(slot: Slot, now: datetime) -> bool:
    return now < slot.starts and slot.seat() is not None


def may_be_offered(slot: Slot, now: datetime) -> bool:
    return slot.starts - now > OFFER_LEAD and slot.seat() is not None


def answer_by(slot: Slot, rules: AppointmentRules, *, now: datetime) -> datetime:
    """Until when an offer is held: never so long that nobody else could come."""
    return min(now + timedelta(minutes=rules.offer_minutes), slot.starts - ANSWER_LEAD)
