"""What a channel is given and what it says afterwards. Pure: a channel itself is ``channel.Channel``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

INBOX = "inbox"


@dataclass(frozen=True, slots=True)
class Reached:
    """Whom a message is for. ``phone`` (perhaps as it was typed) and ``email`` are None where unknown; ``country`` (``QA``) is
    the facility's, for a phone without a country code. ``allowed`` names the channels the person agreed to, None where nobody
    asked (a phone left for this ticket is an agreement to be told about this ticket)."""

    facility_id: UUID
    language: str | None = None
    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    country: str | None = None
    ticket: UUID | None = None
    appointment: UUID | None = None
    patient: UUID | None = None
    allowed: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message, rendered, as it goes to the vendor.

    ``key`` is the same on every try of this message: hand it to the vendor as its idempotency key (header, Message-ID,
    client reference). ``to`` is the address that the channel itself gave in ``addresses``; it must never be logged.
    ``moment`` and ``values`` (texts, in the order of the template's placeholders) are for vendors who keep the templates.
    ``link`` is secret as well; but for push it stands in the ``text``, too. ``seconds_left`` until the message is worthless: a
    time to live, where the vendor takes one.
    """

    delivery: UUID
    facility_id: UUID
    key: str
    to: str = field(repr=False)
    language: str
    moment: str
    subject: str
    text: str = field(repr=False)
    deadline: datetime
    seconds_left: int
    urgent: bool = False
    link: str | None = field(default=None, repr=False)
    unsubscribe: str | None = field(default=None, repr=False)
    values: tuple[str, ...] = field(default=(), repr=False)
    ids: Mapping[str, str] = field(default_factory=dict)


class Outcome(StrEnum):
    """``SENT``: the vendor took it. ``DELIVERED``: it has arrived. ``RETRY``: it was certainly not taken, and may be later.
    ``REFUSED``: it was certainly not taken, and never will be. ``UNKNOWN``: it may have been taken (the line broke after the
    request went out); it is tried again with the same key."""

    SENT = "sent"
    DELIVERED = "delivered"
    RETRY = "retry"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a message was not sent, in words for machines; ``rules_texts`` has those for receptionists."""

    BAD_ADDRESS = "bad_address"
    ADDRESS_GONE = "address_gone"
    VENDOR_REFUSED = "vendor_refused"
    VENDOR_AWAY = "vendor_away"
    VENDOR_BUSY = "vendor_busy"
    NO_CREDIT = "no_credit"
    WRONG_CREDENTIALS = "wrong_credentials"
    NO_ANSWER = "no_answer"
    NOT_CONFIGURED = "not_configured"
    NO_CONTACT = "no_contact"
    OPT_OUT = "opt_out"
    QUIET_HOURS = "quiet_hours"
    OUTDATED = "outdated"
    TOO_LATE = "too_late"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Result:
    """``provider_id`` is the vendor's own id of the message (visible ASCII, at most 200). ``retry_after`` in seconds, where the
    vendor named a pause: it holds for the whole channel. ``detail`` a status code or an error's type, never the vendor's text,
    which may quote the address."""

    outcome: Outcome
    provider_id: str | None = None
    reason: Reason | None = None
    retry_after: float | None = None
    detail: str | None = None


SENT = Result(Outcome.SENT)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a facility's vendor may be used, by all processes together: ``per_second`` in the long run, ``burst`` at once; and
    how many calls one process makes at once, each for at most ``seconds`` (then its outcome is unknown). ``rests``: a pause
    that is asked for holds for all its messages; not so where each goes to a vendor of its receiver's own choice."""

    per_second: int = 20
    burst: int = 20
    at_once: int = 8
    seconds: float = 15.0
    rests: bool = True
