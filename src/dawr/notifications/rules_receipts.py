"""What message services tell afterwards: what became of a message, and what somebody wrote back. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from dawr.notifications.rules import Status
from dawr.notifications.rules_channels import Reason
from dawr.patients.rules_names import fold

KEY = "dawr-"
MOST_TOLD = 500
_LONGEST_WORD = 60
_ARRIVED_FROM = (Status.PENDING, Status.SENDING, Status.SENT, Status.FAILED, Status.EXPIRED, Status.SUPPRESSED)
FREELY: Mapping[Status, tuple[Status, ...]] = {
    Status.SENT: (),
    Status.DELIVERED: _ARRIVED_FROM,
    Status.READ: (*_ARRIVED_FROM, Status.DELIVERED),
    Status.FAILED: (),
}
"""From which states a message that was tried goes to another when the service says so: what has arrived has arrived, whatever
came before."""
OF_THIS_TRY: Mapping[Status, tuple[Status, ...]] = {
    Status.SENT: (Status.PENDING, Status.SENDING),
    Status.DELIVERED: (),
    Status.READ: (),
    Status.FAILED: (Status.SENDING,),
}
"""As well, unless what is told is of an earlier try, which the service's own id tells."""
# CANCEL is none of them: whoever writes it means an appointment.
_STOP = (
    *("stop", "stopall", "stop all", "stop please", "unsubscribe", "end", "quit", "opt out", "optout"),
    *("إيقاف", "أوقف", "توقف", "وقف", "قف", "إلغاء الاشتراك", "ستوب"),
    *("बंद", "बंद करें", "बंद करो", "रोकें", "रोको", "रुको", "स्टॉप"),
)
_START = (
    *("start", "unstop", "subscribe", "opt in", "optin", "resume"),
    *("ابدأ", "بدء", "استئناف", "اشتراك", "ستارت"),
    *("शुरू", "शुरू करें", "चालू", "चालू करें", "स्टार्ट"),
)


def _folded(text: str) -> str:
    return " ".join(fold(text))


_WORDS = {_folded(one): True for one in _STOP} | {_folded(one): False for one in _START}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message, named by our key or by the service's own id."""

    status: Status
    delivery: UUID | None = None
    provider_id: str | None = None
    reason: Reason | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """Somebody wants no more messages (``stopped``), or again some."""

    phone: str = field(repr=False)
    stopped: bool
    at: datetime


def stops(text: str) -> bool | None:
    """Whether these words stop messages or start them again; ``None`` for any others."""
    return _WORDS.get(_folded(text)) if len(text) <= _LONGEST_WORD else None


def delivery_of(key: object) -> UUID | None:
    """The message of a key of ours."""
    if not isinstance(key, str) or not key.startswith(KEY):
        return None
    try:
        return UUID(key.removeprefix(KEY))
    except ValueError:
        return None


# WhatsApp's Cloud API: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/payload-examples

_SAID = {"sent": Status.SENT, "delivered": Status.DELIVERED, "read": Status.READ, "failed": Status.FAILED}


def told_by_whatsapp(content: object, *, number: str, reasons: Mapping[int, Reason]) -> list[Receipt | Word]:
    """What a notification tells of the phone number ``number`` of ours; anything that is not understood is left out."""
    found: list[Receipt | Word] = []
    for value in _values(content):
        if _part(value, "metadata").get("phone_number_id") != number:
            continue
        found += [one for each in _parts(value, "statuses") if (one := _receipt(each, reasons))]
        found += [word for each in _parts(value, "messages") if (word := _word(each))]
    return found[:MOST_TOLD]


def _values(content: object) -> Iterator[Mapping[str, Any]]:
    for entry in _parts(content, "entry"):
        for change in _parts(entry, "changes"):
            yield _part(change, "value")


def _receipt(said: Mapping[str, Any], reasons: Mapping[int, Reason]) -> Receipt | None:
    status = _SAID.get(str(said.get("status")))
    if status is None:
        return None
    code = next((one.get("code") for one in _parts(said, "errors")), None)
    failed = status is Status.FAILED
    return Receipt(
        status,
        delivery_of(said.get("biz_opaque_callback_data")),
        _text(said.get("id")),
        reasons.get(code, Reason.VENDOR_REFUSED) if failed and isinstance(code, int) else None,
        str(code) if failed and isinstance(code, int) else None,
    )


def _word(said: Mapping[str, Any]) -> Word | None:
    text = (
        _part(said, "text").get("body")
        or _part(said, "button").get("text")
        or _part(_part(said, "interactive"), "button_reply").get("title")
    )
    stopped = stops(text) if isinstance(text, str) else None
    phone, at = _text(said.get("from")), _instant(said.get("timestamp"))
    return Word(f"+{phone.lstrip('+')}", stopped, at) if phone and at and stopped is not None else None


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = of.get(name)
    return found if isinstance(found, Mapping) else {}


def _parts(of: object, name: str) -> list[Mapping[str, Any]]:
    found = of.get(name) if isinstance(of, Mapping) else None
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 200 and value.isascii() else None


def _instant(value: object) -> datetime | None:
    text = str(value)
    return datetime.fromtimestamp(int(text), UTC) if text.isascii() and text.isdigit() and len(text) <= 11 else None
