"""Who is told what, pure: the moments, a facility's rules about them, quiet hours, how long a message is worth sending."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from dawr.notifications.rules_channels import INBOX
from dawr.platform.errors import N_, Conflict, Invalid, NotFound


class DeliveryNotFound(NotFound):
    code = "delivery_not_found"
    title = N_("There is no such message")


class ChannelNotFound(NotFound):
    code = "channel_not_found"
    title = N_("There is no such channel")


class NotificationNotFound(NotFound):
    code = "notification_not_found"
    title = N_("There is no such notification")


class StopLinkNotFound(NotFound):
    code = "stop_link_not_found"
    title = N_("This address stops no messages; perhaps it was not copied whole")


class NotResendable(Conflict):
    """``extra["state"]`` is the message's present status."""

    code = "not_resendable"
    title = N_("Only a message that could not be sent can be sent again")


class InvalidRule(Invalid):
    """``extra["field"]`` names the part of the rule."""

    code = "invalid_rule"
    title = N_("A rule of the notifications has a mistake")


class Moment(StrEnum):
    YOUR_TURN = "your_turn"
    NEXT = "next"
    NEAR = "near"
    APPOINTMENT_BOOKED = "appointment_booked"
    APPOINTMENT_CHANGED = "appointment_changed"
    APPOINTMENT_CANCELLED = "appointment_cancelled"
    APPOINTMENT_REMINDER = "appointment_reminder"
    APPOINTMENT_OFFERED = "appointment_offered"
    APPOINTMENT_NEEDS_REBOOKING = "appointment_needs_rebooking"
    APPOINTMENT_STANDS_AGAIN = "appointment_stands_again"
    VISIT_CREATED = "visit_created"
    PHONE_CODE = "phone_code"

    @property
    def true_of(self) -> frozenset[str]:
        """The states of its ticket or appointment in which what the message says is so; empty where nothing can end it."""
        return _TRUE_OF.get(self, frozenset())


class Audience(StrEnum):
    """Whom a rule tells: the patient, or everybody who has a role (a doctor only in the clinics concerned)."""

    PATIENT = "patient"
    DOCTOR = "doctor"
    RECEPTION = "reception"
    ADMINISTRATOR = "administrator"


class Status(StrEnum):
    """Of a message. ``FAILED`` is a dead letter; ``EXPIRED`` was not sent while it was worth sending; ``SUPPRESSED`` was not
    meant to be sent, for the reason beside it."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"


_TRUE_OF = {
    Moment.YOUR_TURN: frozenset({"called"}),
    Moment.NEXT: frozenset({"waiting"}),
    Moment.NEAR: frozenset({"waiting"}),
    Moment.APPOINTMENT_BOOKED: frozenset({"booked"}),
    Moment.APPOINTMENT_CHANGED: frozenset({"booked"}),
    Moment.APPOINTMENT_REMINDER: frozenset({"booked"}),
    Moment.APPOINTMENT_CANCELLED: frozenset({"cancelled"}),
    Moment.APPOINTMENT_OFFERED: frozenset({"offered"}),
    Moment.APPOINTMENT_NEEDS_REBOOKING: frozenset({"booked"}),
    Moment.APPOINTMENT_STANDS_AGAIN: frozenset({"booked"}),
}
APPOINTMENT_MOMENTS = {
    "appointment_booked": Moment.APPOINTMENT_BOOKED,
    "appointment_accepted": Moment.APPOINTMENT_BOOKED,
    "appointment_rescheduled": Moment.APPOINTMENT_CHANGED,
    "appointment_cancelled": Moment.APPOINTMENT_CANCELLED,
    "appointment_offered": Moment.APPOINTMENT_OFFERED,
    "appointment_needs_rebooking": Moment.APPOINTMENT_NEEDS_REBOOKING,
    "appointment_stands_again": Moment.APPOINTMENT_STANDS_AGAIN,
    "reminder": Moment.APPOINTMENT_REMINDER,
}
"""What appointments call what happens to them; anything else is told nobody."""
QUEUE_MOMENTS = frozenset({Moment.YOUR_TURN, Moment.NEXT, Moment.NEAR})
RESENDABLE = frozenset({Status.FAILED, Status.EXPIRED})
WORTH = {
    Moment.YOUR_TURN: timedelta(minutes=10),
    Moment.NEXT: timedelta(minutes=10),
    Moment.NEAR: timedelta(minutes=15),
}
"""How long after it became true a moment of the queue is worth telling."""
OTHERWISE_WORTH = timedelta(hours=24)
LEAST_NOTICE = timedelta(hours=1)
"""A reminder that quiet hours would put off to less than this before the appointment is sent before they begin."""
BEFORE_QUIET = timedelta(minutes=5)
"""So long before they begin, so that it is gone when they do."""
MOST_AHEAD = 50
MOST_MINUTES = 240
MOST_RULES = 200
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 600.0
MOST_TRIES = 30


@dataclass(frozen=True, slots=True)
class Rule:
    """At ``moment``, ``audience`` is told through ``channel`` with the words of ``template``.

    ``ahead``: for ``near``, how many may still be before one; ``minutes``: for ``near``, the estimated wait from which on it is
    near as well. ``quiet``: it keeps quiet hours. (How long before an appointment one is reminded stands in the appointments'
    rules.)
    """

    moment: Moment
    audience: Audience
    channel: str
    enabled: bool = True
    quiet: bool = False
    template: str = ""
    ahead: int | None = None
    minutes: int | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.moment.value, self.audience.value, self.channel)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Local times between which what can wait is not sent; none where both are the same."""

    begins: time = time(21)
    ends: time = time(8)


@dataclass(frozen=True, slots=True)
class Rules:
    """A facility's rules; ``version`` 0 where it has none of its own and these are the house's."""

    rules: tuple[Rule, ...]
    quiet: Quiet = Quiet()
    version: int = 0

    def at(self, moment: Moment) -> list[Rule]:
        return [one for one in self.rules if one.enabled and one.moment is moment]

    @property
    def looked_ahead(self) -> int:
        """How far down a queue somebody may have to be told; 0 where nobody is told of waiting at all."""
        near = [one.ahead or 0 for one in self.at(Moment.NEAR)]
        return max((MOST_AHEAD if any(one.minutes for one in self.at(Moment.NEAR)) else 0, *near, 0)) + bool(
            near or self.at(Moment.NEXT)
        )


def _to_patient(moment: Moment, channels: Iterable[str], **more: object) -> list[Rule]:
    return [Rule(moment, Audience.PATIENT, channel, **more) for channel in channels]  # type: ignore[arg-type]


_QUEUE_CHANNELS = ("push", "sms")
_APPOINTMENT_CHANNELS = ("email", "sms", "push")
DEFAULTS = (
    *_to_patient(Moment.YOUR_TURN, _QUEUE_CHANNELS),
    *_to_patient(Moment.NEXT, ("push",)),
    *_to_patient(Moment.NEAR, _QUEUE_CHANNELS, ahead=3, minutes=10),
    *_to_patient(Moment.APPOINTMENT_BOOKED, _APPOINTMENT_CHANNELS),
    *_to_patient(Moment.APPOINTMENT_CHANGED, _APPOINTMENT_CHANNELS),
    *_to_patient(Moment.APPOINTMENT_CANCELLED, _APPOINTMENT_CHANNELS),
    *_to_patient(Moment.APPOINTMENT_OFFERED, _APPOINTMENT_CHANNELS),
    *_to_patient(Moment.APPOINTMENT_NEEDS_REBOOKING, _APPOINTMENT_CHANNELS),
    *_to_patient(Moment.APPOINTMENT_STANDS_AGAIN, _APPOINTMENT_CHANNELS),
    *_to_patient(Moment.APPOINTMENT_REMINDER, _APPOINTMENT_CHANNELS, quiet=True),
    *(Rule(Moment.VISIT_CREATED, one, INBOX) for one in Audience if one is not Audience.PATIENT),
)
HOUSE_RULES = Rules(tuple(replace(one, template=one.moment.value) for one in DEFAULTS))


def checked(rules: Sequence[Rule], channels: Iterable[str]) -> tuple[Rule, ...]:
    """The rules, if they hold together; ``InvalidRule`` names what does not. ``channels`` are those that there are."""
    if len({one.key for one in rules}) < len(rules) or len(rules) > MOST_RULES:
        raise InvalidRule(extra={"field": "items"})
    known = frozenset(channels)
    return tuple(_checked(one, known) for one in rules)


def _checked(rule: Rule, channels: frozenset[str]) -> Rule:
    to_patient = rule.audience is Audience.PATIENT
    near = rule.moment is Moment.NEAR
    faults = {
        "channel": rule.channel not in channels or to_patient == (rule.channel == INBOX),
        "audience": not to_patient and rule.moment in QUEUE_MOMENTS,
        # A code is for who asks for it, whatever the rules are.
        "moment": rule.moment is Moment.PHONE_CODE or (to_patient and rule.moment is Moment.VISIT_CREATED),
        "template": rule.template not in ("", rule.moment),
        "ahead": not _within(rule.ahead, MOST_AHEAD, allowed=near),
        "minutes": not _within(rule.minutes, MOST_MINUTES, allowed=near),
        "quiet": rule.quiet and rule.moment in QUEUE_MOMENTS,
    }
    for name, wrong in faults.items():
        if wrong:
            raise InvalidRule(extra={"field": name})
    return replace(rule, template=rule.template or rule.moment.value)


def _within(value: int | None, most: int, *, allowed: bool) -> bool:
    return value is None or (allowed and 1 <= value <= most)


# What has happened, and who is to know


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is told once. ``key`` names it in its facility (``your_turn:<ticket>:<version>``), so that however often
    it is found, nobody hears it twice. It holds ids and numbers only.

    ``at``: since when it is so; ``worth_until``: when telling it has no use any more; ``due``: not before, for a reminder.
    ``clinics``: where doctors are concerned. ``numbers``: what the text needs (``ahead``, ``minutes``, ``start`` as seconds
    since 1970, ``number`` and ``day`` of a visit).
    """

    key: str
    moment: Moment
    at: datetime
    worth_until: datetime
    ticket: UUID | None = None
    patient: UUID | None = None
    visit: UUID | None = None
    appointment: UUID | None = None
    clinics: tuple[str, ...] = ()
    due: datetime | None = None
    numbers: Mapping[str, int] = field(default_factory=dict)


def worth_until(moment: Moment, at: datetime, *, start: datetime | None = None) -> datetime:
    """When a message about ``moment`` has no use any more. ``start`` is the appointment's."""
    if moment in WORTH:
        return at + WORTH[moment]
    return start if start is not None and start > at else at + OTHERWISE_WORTH


def is_near(rule: Rule, *, ahead: int, minutes: float | None) -> bool:
    """Whether somebody with so many before them, or so long to wait, is near. The next one is more than near."""
    if ahead < 1:
        return False
    by_number = rule.ahead is not None and ahead <= rule.ahead
    return by_number or (rule.minutes is not None and minutes is not None and minutes <= rule.minutes)


# Quiet hours


def out_of_quiet(due: datetime, quiet: Quiet, zone: str, *, worth_until: datetime, now: datetime) -> datetime | None:
    """When something that can wait is sent instead of at ``due``: when the quiet hours end; where that is too late, before they
    begin, if that is still to come; None where it is not."""
    silence = _silence(due, quiet, ZoneInfo(zone))
    if silence is None:
        return due
    begins, ends = silence
    if ends + LEAST_NOTICE <= worth_until:
        return ends
    return max(begins - BEFORE_QUIET, now) if begins > now else None


def _silence(instant: datetime, quiet: Quiet, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """The quiet hours around an instant: when they began and when they end, in UTC."""
    local = instant.astimezone(zone).date()
    for day in (local - timedelta(days=1), local):
        begins = datetime.combine(day, quiet.begins, tzinfo=zone).astimezone(UTC)
        last = day if quiet.begins < quiet.ends else day + timedelta(days=1)
        ends = datetime.combine(last, quiet.ends, tzinfo=zone).astimezone(UTC)
        if quiet.begins != quiet.ends and begins <= instant < ends:
            return begins, ends
    return None


# Trying again


def pause_after(tries: int, *, share: float) -> float:
    """Seconds until the next try after this many; ``share`` (0 to 1, random) keeps those who failed together apart."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(tries - 1, 20))) * (0.5 + share / 2)


def masked(address: str) -> str:
    """An address as a delivery log shows it: ``•••• 4321``, ``a•••@example.org``. What is neither shows nothing."""
    name, at, domain = address.rpartition("@")
    if at:
        return f"{name[:1]}•••@{domain}"
    digits = [one for one in address if one.isdigit()]
    plain = all(one.isdigit() or one in "+ ()./-" for one in address)
    return f"•••• {''.join(digits[-4:])}" if plain and len(digits) >= 8 else "••••"
