"""WhatsApp templates through Meta's Cloud API: the words are kept there, approved, and are given their values here."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from dawr.notifications.channels.shelf import NO_ANSWER, NOT_CONFIGURED, Shelf, away, plain, told
from dawr.notifications.channels.sms import mobile
from dawr.notifications.rules import Moment
from dawr.notifications.rules_channels import Message, Outcome, Pace, Reached, Reason, Result
from dawr.platform.db import ReadTx
from dawr.platform.outgoing import Answer, NotSent, OutcomeUnknown, Outgoing
from dawr.platform.services import Services

CLOUD = "https://graph.facebook.com/v23.0"
# https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
NOT_THERE = frozenset({131026, 131030})
TOO_FAST = frozenset({4, 80007, 130429, 131048, 131056})
SIGNED_OUT = frozenset({0, 3, 10, 190, 200, 131005})
UNPAID = frozenset({131042})
FAILING = frozenset({1, 2, 131000, 131016, 133004})
MEANINGS = (
    (NOT_THERE, Outcome.REFUSED, Reason.BAD_ADDRESS),
    (TOO_FAST, Outcome.RETRY, Reason.VENDOR_BUSY),
    (SIGNED_OUT, Outcome.RETRY, Reason.WRONG_CREDENTIALS),
    (UNPAID, Outcome.RETRY, Reason.NO_CREDIT),
    (FAILING, Outcome.UNKNOWN, Reason.NO_ANSWER),
)
REASONS = {code: reason for codes, _, reason in MEANINGS for code in codes}


class WhatsApp:
    """Settings: ``phone_number_id``, ``token``, ``templates`` (a template's name for each moment), ``url`` (the Cloud API's)."""

    name = "whatsapp"
    pace = Pace(per_second=60, burst=60, at_once=8, seconds=20.0)

    def __init__(self, services: Services) -> None:
        self._shelf = Shelf(services, self.name)
        self._outgoing = Outgoing(private=services.settings.outgoing_networks)

    async def set_up(self, tx: ReadTx) -> bool:
        return await self._shelf.settings_in(tx) is not None

    async def addresses(self, tx: ReadTx, services: Services, person: Reached) -> Sequence[str]:
        return mobile(person)

    async def send(self, message: Message) -> Result:
        settings = await self._shelf.settings(message.facility_id)
        if settings is None or message.moment not in settings["templates"]:
            return NOT_CONFIGURED
        url = f"{settings.get('url') or CLOUD}/{settings['phone_number_id']}/messages"
        headers = {"authorization": f"Bearer {settings['token']}", "content-type": "application/json"}
        try:
            answer = await self._outgoing.post(url, orjson.dumps(asked(message, settings)), headers)
        except NotSent as error:
            return away(error)
        except OutcomeUnknown:
            return NO_ANSWER
        return _said(answer)

    async def close(self) -> None:
        await self._outgoing.close()


def asked(message: Message, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The request: ``biz_opaque_callback_data`` comes back in what Meta tells of the message later."""
    parameters = [{"type": "text", "text": one} for one in message.values]
    template: dict[str, Any] = {
        "name": settings["templates"][message.moment],
        "language": {"code": message.language},
    }
    if parameters:
        template["components"] = [{"type": "body", "parameters": parameters}]
    if message.moment == Moment.PHONE_CODE:
        # A template of Meta's kind "authentication" has a button that copies the code.
        template["components"].append({"type": "button", "sub_type": "url", "index": "0", "parameters": parameters})
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": message.to,
        "type": "template",
        "template": template,
        "biz_opaque_callback_data": message.key,
    }


def _said(answer: Answer) -> Result:
    content = _content(answer)
    if answer.accepted:
        messages = content.get("messages") or [{}]
        return Result(Outcome.SENT, provider_id=plain(str(messages[0].get("id") or "")))
    error = content.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    for codes, outcome, reason in MEANINGS:
        if code in codes:
            return Result(outcome, reason=reason, retry_after=answer.retry_after, detail=str(code))
    return told(answer)


def _content(answer: Answer) -> dict[str, Any]:
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
