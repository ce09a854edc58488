"""The words: what people are told, and what the staff read about it. Short, plain, nothing of what is medical.

A text message has one segment where it can (160 Latin letters, 70 of other scripts): so "your turn" has no address in it, and
appointments name the house and the time, never the clinic. Where somebody may have to answer, their address follows the text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dawr.notifications.rules import Moment, Status
from dawr.notifications.rules_channels import Reason
from dawr.platform.errors import N_
from dawr.platform.i18n import LANGUAGES, format_date, format_minutes, format_number, format_time, translator

_FALLBACK = "en"


@dataclass(frozen=True, slots=True)
class Material:
    """What a text is made of. ``facility`` and ``clinic`` are names in the reader's language; ``link`` is absolute."""

    moment: Moment
    language: str
    facility: str
    zone: str
    clinic: str = ""
    code: str = ""
    desk: str | None = None
    visit_number: str = ""
    numbers: Mapping[str, int] = field(default_factory=dict)
    link: str | None = None

    @property
    def start(self) -> datetime | None:
        seconds = self.numbers.get("start")
        return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None


@dataclass(frozen=True, slots=True)
class Words:
    """``values`` are what the text was filled with, in the order of its placeholders."""

    subject: str
    text: str
    link: str | None
    values: tuple[str, ...]


def spoken(*wishes: str | None) -> str:
    """The first of the languages that there are texts in."""
    return next((one for one in wishes if one in LANGUAGES), _FALLBACK)


_SUBJECTS = {
    Moment.YOUR_TURN: N_("It is your turn"),
    Moment.NEXT: N_("You are next"),
    Moment.NEAR: N_("It will be your turn soon"),
    Moment.APPOINTMENT_BOOKED: N_("Your appointment is booked"),
    Moment.APPOINTMENT_CHANGED: N_("Your appointment has changed"),
    Moment.APPOINTMENT_CANCELLED: N_("Your appointment is cancelled"),
    Moment.APPOINTMENT_REMINDER: N_("Your appointment is coming up"),
    Moment.APPOINTMENT_OFFERED: N_("An earlier appointment is free"),
    Moment.APPOINTMENT_NEEDS_REBOOKING: N_("Please book another appointment"),
    Moment.APPOINTMENT_STANDS_AGAIN: N_("Your appointment takes place after all"),
    Moment.VISIT_CREATED: N_("New visit"),
    Moment.PHONE_CODE: N_("Your code"),
}
_AT_DESK = N_("{code}: it is your turn. {clinic}, desk {desk}")
_AT_CLINIC = N_("{code}: it is your turn. {clinic}")
_NEXT = N_("{code}: you are next. {clinic}")
_WAIT = N_("About {minutes}")
_APPOINTMENTS = {
    Moment.APPOINTMENT_BOOKED: N_("{facility}: your appointment is on {date} at {time}"),
    Moment.APPOINTMENT_CHANGED: N_("{facility}: your appointment is now on {date} at {time}"),
    Moment.APPOINTMENT_CANCELLED: N_("{facility}: your appointment on {date} at {time} is cancelled"),
    Moment.APPOINTMENT_REMINDER: N_("{facility}: please remember your appointment on {date} at {time}"),
    Moment.APPOINTMENT_NEEDS_REBOOKING: N_(
        "{facility}: your appointment on {date} at {time} cannot take place. Please book another"
    ),
    Moment.APPOINTMENT_STANDS_AGAIN: N_("{facility}: your appointment on {date} at {time} takes place after all"),
    Moment.APPOINTMENT_OFFERED: N_("{facility}: an earlier appointment is free, on {date} at {time}"),
}
_CODE = N_("{facility}: your code is {code}, good for 10 minutes. Give it to nobody.")
_VISIT = N_("New visit {number}")
_VISIT_AT = N_("New visit {number}: {clinic}")
_NO_MORE = N_("No more such messages:")
_LINKED = frozenset(_APPOINTMENTS) - {Moment.APPOINTMENT_CANCELLED} | {Moment.NEXT, Moment.NEAR}


def render(material: Material) -> Words:
    """What the person reads. A subject for what has one, the text, and the link where it helps."""
    gettext = translator(material.language).gettext
    text, values = _TEXTS[material.moment](material)
    link = material.link if material.moment in _LINKED else None
    return Words(gettext(_SUBJECTS[material.moment]), text, link, values)


def no_more(language: str) -> str:
    """What stands before the address that stops messages."""
    return translator(language).gettext(_NO_MORE)


def _filled(material: Material, text: str, **values: str) -> tuple[str, tuple[str, ...]]:
    return translator(material.language).gettext(text).format(**values), tuple(values.values())


def _your_turn(one: Material) -> tuple[str, tuple[str, ...]]:
    if one.desk:
        return _filled(one, _AT_DESK, code=one.code, clinic=one.clinic, desk=one.desk)
    return _filled(one, _AT_CLINIC, code=one.code, clinic=one.clinic)


def _next(one: Material) -> tuple[str, tuple[str, ...]]:
    return _filled(one, _NEXT, code=one.code, clinic=one.clinic)


def _near(one: Material) -> tuple[str, tuple[str, ...]]:
    ahead, minutes = one.numbers.get("ahead", 0), one.numbers.get("minutes")
    count = format_number(ahead, one.language)
    text = translator(one.language).ngettext(
        "{code}: {count} person is before you. {clinic}", "{code}: {count} people are before you. {clinic}", ahead
    )
    values = {"code": one.code, "count": count, "clinic": one.clinic}
    said = text.format(**values)
    if minutes is None:
        return said, tuple(values.values())
    wait, _ = _filled(one, _WAIT, minutes=format_minutes(minutes, one.language))
    return f"{said}. {wait}", (*values.values(), format_minutes(minutes, one.language))


def _appointment(one: Material) -> tuple[str, tuple[str, ...]]:
    assert one.start is not None
    zone = ZoneInfo(one.zone)
    when = {
        "facility": one.facility,
        "date": format_date(one.start.astimezone(zone).date(), one.language),
        # A narrow space would make a text message of Latin letters one of 70 characters a segment.
        "time": format_time(one.start, zone, one.language).replace("\u202f", " "),
    }
    return _filled(one, _APPOINTMENTS[one.moment], **when)


def _code(one: Material) -> tuple[str, tuple[str, ...]]:
    text, _ = _filled(one, _CODE, facility=one.facility, code=one.code)
    return text, (one.code,)


def _visit(one: Material) -> tuple[str, tuple[str, ...]]:
    if one.clinic:
        return _filled(one, _VISIT_AT, number=one.visit_number, clinic=one.clinic)
    return _filled(one, _VISIT, number=one.visit_number)


_TEXTS: dict[Moment, Callable[[Material], tuple[str, tuple[str, ...]]]] = {
    Moment.YOUR_TURN: _your_turn,
    Moment.NEXT: _next,
    Moment.NEAR: _near,
    Moment.VISIT_CREATED: _visit,
    Moment.PHONE_CODE: _code,
    **dict.fromkeys(_APPOINTMENTS, _appointment),
}


# What reception reads in the delivery log

STATUSES = {
    Status.PENDING: N_("Waiting to be sent"),
    Status.SENDING: N_("Being sent"),
    Status.SENT: N_("Sent"),
    Status.DELIVERED: N_("Arrived"),
    Status.READ: N_("Read"),
    Status.FAILED: N_("Could not be sent"),
    Status.EXPIRED: N_("Not sent in time"),
    Status.SUPPRESSED: N_("Not sent on purpose"),
}
REASONS = {
    Reason.BAD_ADDRESS: N_("The phone number or address is wrong"),
    Reason.ADDRESS_GONE: N_("This phone or browser can no longer be reached"),
    Reason.VENDOR_REFUSED: N_("The message service refused it"),
    Reason.VENDOR_AWAY: N_("The message service cannot be reached"),
    Reason.VENDOR_BUSY: N_("The message service takes no more messages at the moment"),
    Reason.NO_CREDIT: N_("The account with the message service has no credit left"),
    Reason.WRONG_CREDENTIALS: N_("The message service does not accept our account; the administrator must look"),
    Reason.NO_ANSWER: N_("The message service did not answer; it may have been sent twice"),
    Reason.NOT_CONFIGURED: N_("This way of sending is not set up"),
    Reason.NO_CONTACT: N_("There is no phone number or address"),
    Reason.OPT_OUT: N_("The patient does not want such messages"),
    Reason.QUIET_HOURS: N_("It would have come at night"),
    Reason.OUTDATED: N_("It was no longer true"),
    Reason.TOO_LATE: N_("It was too late to be of use"),
    Reason.BROKEN: N_("Something went wrong here; it has been noted"),
}
CHANNELS = {
    "inbox": N_("Inbox"),
    "sms": N_("Text message"),
    "email": N_("E-mail"),
    "push": N_("Notification on the phone"),
    "whatsapp": N_("WhatsApp"),
    "webhook": N_("Another system"),
}


def subject_of(moment: Moment, language: str) -> str:
    return translator(language).gettext(_SUBJECTS[moment])


def said(texts: Mapping[Any, str], name: str | None, language: str) -> str | None:
    """The word for a status, a reason or a channel; the name itself where there is none."""
    return translator(language).gettext(texts.get(name, name)) if name else None
