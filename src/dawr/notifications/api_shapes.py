"""How notices, messages and rules are shown over HTTP."""

from datetime import date, time
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import named
from dawr.notifications import texts
from dawr.notifications.addresses import Addresses
from dawr.notifications.queries import DeliveryView, NoticeView
from dawr.notifications.rules import RESENDABLE, Audience, Moment, Quiet, Rule, Rules, masked
from dawr.platform.clock import iso
from dawr.platform.db import ReadTx
from dawr.platform.errors import N_, Invalid
from dawr.platform.http.bodies import Body
from dawr.platform.http.paging import Page
from dawr.visits.rules import shown_number

_LARGEST = 2**128 - 1
ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]


# Pages that begin with the newest


def newest_first(row_id: UUID) -> list[Any]:
    """A page's key of an id: what is younger is smaller."""
    return [f"{_LARGEST - row_id.int:032x}"]


def before_of(page: Page) -> UUID | None:
    """The id before which a page begins."""
    if page.after is None:
        return None
    try:
        (text,) = page.after
        return UUID(int=_LARGEST - int(text, 16))
    except (ValueError, TypeError):
        raise Invalid(N_("This cursor was not given by a page of this list")) from None


# The inbox


class Notices:
    """Shows rows of an inbox in the reader's language; the names of clinics are read once."""

    def __init__(self, here: Context, clinics: dict[str, str]) -> None:
        self._here = here
        self._clinics = clinics

    @classmethod
    async def of(cls, tx: ReadTx, here: Context, rows: list[NoticeView]) -> "Notices":
        ids = sorted({clinic for one in rows for clinic in one.clinics})
        found = await facilities.clinics_named(tx, ids) if ids else []
        return cls(here, {one.id: named(one.name, here.language) for one in found})

    def card(self, one: NoticeView) -> dict[str, Any]:
        words = texts.render(self._material(one))
        return {
            "notification": str(one.notice),
            "type": one.moment.value,
            "title": words.subject,
            "text": words.text,
            "clinics": list(one.clinics),
            "visit": _text(one.visit),
            "visit_number": _visit_number(one),
            "ticket": _text(one.ticket),
            "appointment": _text(one.appointment),
            "at": one.at.isoformat(),
            "read": one.read,
        }

    def _material(self, one: NoticeView) -> texts.Material:
        return texts.Material(
            moment=one.moment,
            language=texts.spoken(self._here.language),
            facility=named(self._here.facility.name, self._here.language),
            zone=self._here.facility.zone,
            clinic=", ".join(self._clinics.get(clinic, clinic) for clinic in one.clinics),
            visit_number=_visit_number(one) or "",
            numbers=one.numbers,
        )


def _visit_number(one: NoticeView) -> str | None:
    day, number = one.numbers.get("day"), one.numbers.get("number")
    return shown_number(date.fromisoformat(str(day)), number) if day and number else None


def _text(value: UUID | None) -> str | None:
    return str(value) if value else None


# The delivery log


def delivery_card(here: Context, addresses: Addresses, one: DeliveryView) -> dict[str, Any]:
    """What was sent to whom, by which channel, with what result, in a receptionist's words. Of an address only the end."""
    address = addresses.open(one)
    return {
        "delivery": str(one.delivery),
        "type": one.moment.value,
        "about": texts.subject_of(one.moment, here.language),
        "channel": one.channel,
        "channel_name": texts.said(texts.CHANNELS, one.channel, here.language),
        "to": masked(address) if address else None,
        "language": one.language,
        "status": one.status.value,
        "result": texts.said(texts.STATUSES, one.status.value, here.language),
        "reason": one.reason,
        "why": texts.said(texts.REASONS, one.reason, here.language),
        "tries": one.attempts,
        "maybe_twice": one.unknown > 0 and one.attempts > 1,
        "resendable": one.status in RESENDABLE and one.to_sealed is not None,
        "ticket": _text(one.ticket),
        "patient": _text(one.patient),
        "visit": _text(one.visit),
        "appointment": _text(one.appointment),
        "created_at": one.created_at.isoformat(),
        "due": one.due.isoformat(),
        "tried_at": iso(one.tried_at),
        "ended_at": iso(one.ended_at),
    }


# Rules


class RuleInBody(Body):
    """``ahead`` and ``minutes`` belong to the moment ``near``: how many may still be before one, and the estimated wait."""

    moment: Moment
    audience: Audience
    channel: Name
    enabled: StrictBool = True
    quiet: StrictBool = False
    template: Name | None = None
    ahead: int | None = None
    minutes: int | None = None

    def rule(self) -> Rule:
        return Rule(**(self.model_dump() | {"template": self.template or ""}))


class QuietInBody(Body):
    begins: ClockTime
    ends: ClockTime

    def quiet(self) -> Quiet:
        return Quiet(time.fromisoformat(self.begins), time.fromisoformat(self.ends))


class RulesInBody(Body):
    """All rules of the facility: those that are not sent are no longer there. ``version`` is the one that was read."""

    items: Annotated[list[RuleInBody], Field(max_length=200)]
    quiet_hours: QuietInBody | None = None
    version: Annotated[StrictInt, Field(ge=0)] | None = None


def rules_card(rules: Rules) -> dict[str, Any]:
    return {
        "version": rules.version,
        "own": rules.version > 0,
        "quiet_hours": {"begins": f"{rules.quiet.begins:%H:%M}", "ends": f"{rules.quiet.ends:%H:%M}"},
        "items": [{name: getattr(one, name) for name in Rule.__slots__} for one in rules.rules],
    }
