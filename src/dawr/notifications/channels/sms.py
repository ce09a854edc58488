"""Text messages through any gateway that takes a POST, or one of those that apprise knows."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import apprise
import orjson

from dawr.notifications.channels.shelf import NO_ANSWER, NOT_CONFIGURED, Shelf, away, told
from dawr.notifications.rules_channels import SENT, Message, Pace, Reached, Result
from dawr.patients.phones import international
from dawr.platform.db import ReadTx
from dawr.platform.outgoing import Answer, NotSent, OutcomeUnknown, Outgoing
from dawr.platform.services import Services

_THREADS = ThreadPoolExecutor(8, thread_name_prefix="apprise")
GATEWAYS = frozenset(
    {"africastalking", "atalk", "bulksms", "burstsms", "clicksend", "clickatell", "d7sms", "httpsms", "kavenegar"}
    | {"msg91", "msgbird", "plivo", "seven", "sinch", "sns", "twilio", "voipms", "nexmo", "vonage"}
)
"""What apprise may be used for: services of text messages, at addresses of their own. Its other kinds could be made to ask
anybody in the hospital's network."""


class Sms:
    """Settings of a gateway by HTTP: ``url``, ``form`` (instead of JSON), ``headers``, ``body`` (members whose text holds
    ``{to}``, ``{text}``, ``{key}``), ``id`` (where in the answer its own id is: ``messages.0.id``). Of one by apprise:
    ``apprise``, its address with ``{to}``."""

    name = "sms"
    pace = Pace(per_second=20, burst=40, at_once=8, seconds=20.0)

    def __init__(self, services: Services) -> None:
        self._shelf = Shelf(services, self.name)
        self._outgoing = Outgoing(private=services.settings.outgoing_networks)

    async def set_up(self, tx: ReadTx) -> bool:
        return await self._shelf.settings_in(tx) is not None

    async def addresses(self, tx: ReadTx, services: Services, person: Reached) -> Sequence[str]:
        return mobile(person)

    async def send(self, message: Message) -> Result:
        settings = await self._shelf.settings(message.facility_id)
        if settings is None:
            return NOT_CONFIGURED
        if settings.get("apprise"):
            return await _by_apprise(message, settings["apprise"])
        content, headers = asked(message, settings)
        try:
            answer = await self._outgoing.post(settings["url"], content, headers)
        except NotSent as error:
            return away(error)
        except OutcomeUnknown:
            return NO_ANSWER
        return told(answer, provider_id=_id_in(answer, settings.get("id")))

    async def close(self) -> None:
        await self._outgoing.close()


def mobile(person: Reached) -> Sequence[str]:
    """The number as ``+97455501234``; nothing where it is none that can be reached from here."""
    number = international(person.phone, person.country) if person.phone else ""
    return (number,) if number.startswith("+") else ()


def asked(message: Message, settings: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of the request."""
    values = {"{to}": message.to, "{text}": message.text, "{key}": message.key}
    body = {name: _filled(text, values) for name, text in settings["body"].items()}
    own = {name.lower(): _filled(text, {"{key}": message.key}) for name, text in settings.get("headers", {}).items()}
    headers = {"idempotency-key": message.key} | own
    if settings.get("form"):
        return urlencode(body).encode(), headers | {"content-type": "application/x-www-form-urlencoded"}
    return orjson.dumps(body), headers | {"content-type": "application/json"}


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def _id_in(answer: Answer, path: str | None) -> str | None:
    """The member of a JSON answer at ``messages.0.id``; nothing where there is none."""
    if not path or not answer.accepted:
        return None
    try:
        found = orjson.loads(answer.body)
        for step in path.split("."):
            found = found[int(step)] if isinstance(found, list) else found[step]
    except (orjson.JSONDecodeError, KeyError, IndexError, ValueError, TypeError):
        return None
    return str(found)


async def _by_apprise(message: Message, address: str) -> Result:
    """It tells only whether all went well: what did not may have been sent."""
    service = apprise.Apprise.instantiate(address.replace("{to}", quote(message.to, safe="")))
    if service is None or address.partition(":")[0] not in GATEWAYS:
        return NOT_CONFIGURED
    done = await asyncio.get_running_loop().run_in_executor(_THREADS, partial(service.notify, body=message.text))
    return SENT if done else NO_ANSWER
