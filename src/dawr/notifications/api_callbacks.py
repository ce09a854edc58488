"""Where message services tell what became of messages, and what somebody wrote back. Signed by them; nobody signs in here.

A body is read only after its signature was found right, and what is told twice, or again by somebody who listened, changes
nothing: states go forward alone, and of a person's words the latest counts.
"""

import hmac
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field, StringConstraints, TypeAdapter, ValidationError
from starlette.responses import PlainTextResponse, Response

from dawr.facilities.queries import Context
from dawr.notifications import commands_receipts, store_channels
from dawr.notifications.channels.whatsapp import REASONS
from dawr.notifications.rules import Status
from dawr.notifications.rules_channels import Reason
from dawr.notifications.rules_receipts import Receipt, Word, delivery_of, stops, told_by_whatsapp
from dawr.platform.errors import Invalid, Unauthenticated
from dawr.platform.http.bodies import FORBIDDEN, Body
from dawr.platform.http.context import context
from dawr.platform.http.once import answer
from dawr.platform.http.problems import documented
from dawr.platform.ratelimit import Limit
from dawr.platform.signatures import signed_at

router = APIRouter(prefix="/api/v1/channels", tags=["channels"])
Here = Annotated[Context, Depends(context)]
Id = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]
CALLING = Limit("channel_callback", 100, timedelta(seconds=1), 300)
LONGEST_TEXT = 2000
REFUSED = Limit("channel_callback_refused", 30, timedelta(minutes=1), 30)


class SmsStatus(Body):
    """What became of a message: ``key`` is the ``{key}`` it was sent with, ``id`` the gateway's own."""

    type: Literal["status"]
    status: Literal["sent", "delivered", "read", "failed"]
    key: Id | None = None
    id: Id | None = None
    reason: Literal["bad_address", "address_gone", "vendor_refused", "no_credit"] = "vendor_refused"


class SmsMessage(Body):
    """What somebody wrote."""

    type: Literal["message"]
    sender: Annotated[str, Field(alias="from", max_length=100)]
    text: str


_SMS: TypeAdapter[SmsStatus | SmsMessage] = TypeAdapter(Annotated[SmsStatus | SmsMessage, Field(discriminator="type")])


def _body(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": dict(schema)}}}}


@router.post(
    "/sms/callback",
    responses=documented(401),
    openapi_extra=_body({"oneOf": [one.model_json_schema() for one in (SmsStatus, SmsMessage)]}),
)
async def sms_callback(request: Request, here: Here) -> Response:
    """For the gateway of text messages, signed as Standard Webhooks has it with the channel's ``callback_secret``."""
    secret, body = await _called(here, "sms", "callback_secret"), await request.body()
    at = signed_at([secret], request.headers, body, now=here.services.clock.now()) if secret else None
    if at is None:
        return await _refuse(here)
    try:
        told = _SMS.validate_python(_plain(body))
    except ValidationError as error:
        fields = [{"field": ".".join(map(str, one["loc"])), "message": one["msg"]} for one in error.errors()]
        raise Invalid(extra={"errors": fields}) from None
    if isinstance(told, SmsStatus):
        reason = Reason(told.reason) if told.status == "failed" else None
        return await _received(here, "sms", [Receipt(Status(told.status), delivery_of(told.key), told.id, reason)])
    stopped = stops(told.text)
    return await _received(here, "sms", [] if stopped is None else [Word(told.sender, stopped, at)])


@router.get("/whatsapp/callback", responses=documented(401))
async def whatsapp_proof(
    here: Here,
    mode: Annotated[str, Query(alias="hub.mode", max_length=20)] = "",
    token: Annotated[str, Query(alias="hub.verify_token", max_length=200)] = "",
    challenge: Annotated[str, Query(alias="hub.challenge", max_length=200)] = "",
) -> Response:
    """Meta asks once whether this address is ours: the channel's ``verify_token`` is the answer."""
    known = await _called(here, "whatsapp", "verify_token")
    if mode != "subscribe" or not known or not hmac.compare_digest(known.encode(), token.encode()):
        return await _refuse(here)
    return PlainTextResponse(challenge)


@router.post("/whatsapp/callback", responses=documented(401), openapi_extra=_body({"type": "object"}))
async def whatsapp_callback(request: Request, here: Here) -> Response:
    """For the Cloud API of WhatsApp, which signs with the app's secret (``X-Hub-Signature-256``)."""
    secret, body = await _called(here, "whatsapp", "app_secret"), await request.body()
    sent = request.headers.get("x-hub-signature-256", "").removeprefix("sha256=")
    made = hmac.new((secret or "").encode(), body, "sha256").hexdigest()
    if not hmac.compare_digest(made.encode(), sent.encode()) or not secret:
        return await _refuse(here)
    content = _read(body)
    number = (await _settings(here, "whatsapp")).get("phone_number_id", "")
    return await _received(here, "whatsapp", told_by_whatsapp(content, number=number, reasons=REASONS))


def _read(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Invalid from None


def _plain(body: bytes) -> Any:
    """People write in lines, and at length."""
    content = _read(body)
    if isinstance(content, dict) and isinstance(content.get("text"), str):
        content["text"] = FORBIDDEN.sub(" ", content["text"])[:LONGEST_TEXT]
    return content


async def _called(here: Context, channel: str, secret: str) -> str | None:
    """The secret that callers of this channel prove to know."""
    await here.services.limits.check((CALLING, here.address))
    found: str | None = (await _settings(here, channel)).get(secret)
    return found


async def _settings(here: Context, channel: str) -> Mapping[str, Any]:
    async with here.read() as tx:
        return await store_channels.settings(tx, here.services.keyring, channel) or {}


async def _refuse(here: Context) -> Response:
    await here.services.limits.check((REFUSED, here.address))
    raise Unauthenticated


async def _received(here: Context, channel: str, told: list[Receipt | Word]) -> Response:
    async with here.write() as tx:
        news = await commands_receipts.receive(tx, here, channel, told)
    return answer({"news": news})
