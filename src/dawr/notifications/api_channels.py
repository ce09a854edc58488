"""A facility's channels over HTTP: their settings, for administrators."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import Field, StrictBool, StringConstraints, TypeAdapter, ValidationError, model_validator
from starlette.responses import Response

from dawr.facilities.queries import Context
from dawr.notifications import commands_try, store_channels, texts
from dawr.notifications.api_push import Browser
from dawr.notifications.channel import channels_of
from dawr.notifications.channels.sms import GATEWAYS
from dawr.notifications.rules import ChannelNotFound, Moment, masked
from dawr.notifications.rules_channels import Outcome, Result
from dawr.notifications.store_channels import Configured
from dawr.platform.db import ReadTx
from dawr.platform.errors import Invalid
from dawr.platform.http.bodies import Body, Phone, Slug
from dawr.platform.http.context import context
from dawr.platform.http.once import answer
from dawr.platform.http.problems import documented
from dawr.platform.ratelimit import Limit

router = APIRouter(prefix="/api/v1", tags=["channels"])
Here = Annotated[Context, Depends(context)]
Name = Annotated[str, Path(pattern=r"^[a-z]{2,20}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]{1,253}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s@/]+(/\S*)?$", max_length=500)]
Address = Annotated[str, StringConstraints(pattern=r"^[^@\s<>]{1,64}@[A-Za-z0-9.-]{1,190}$")]
Texts = Annotated[dict[Annotated[str, StringConstraints(max_length=60)], Text], Field(max_length=30)]
TRIALS = Limit("channel_test", 6, timedelta(minutes=1), 6)
TRIALS_A_DAY = Limit("channel_test_day", 60, timedelta(days=1), 60)


# Settings. What is secret is never shown again; where it is left out of a change, it stays as it was.


class EmailSettings(Body):
    host: Host
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: Text | None = None
    password: Text | None = None
    sender: Address
    sender_name: Text | None = None


class SmsSettings(Body):
    """A gateway that takes a POST, or the address of one that apprise knows, with ``{to}`` for the number."""

    url: Url | None = None
    form: StrictBool = False
    headers: Texts = Field(default_factory=dict)
    body: Texts = Field(default_factory=lambda: {"to": "{to}", "text": "{text}", "id": "{key}"})
    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}$")] | None = None
    apprise: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+://[^\s,;]{1,480}$")] | None = None
    callback_secret: Annotated[str, StringConstraints(pattern=r"^whsec_[A-Za-z0-9+/]{32,200}={0,2}$")] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "SmsSettings":
        if bool(self.url) == bool(self.apprise):
            raise ValueError("set url or apprise, one of both")
        if self.apprise and (self.apprise.partition(":")[0] not in GATEWAYS or "{to}" not in self.apprise):
            raise ValueError("apprise should be the address of a text message service and hold {to}")
        return self


class PushSettings(Body):
    contact: Annotated[str, StringConstraints(pattern=r"^(mailto:[^@\s]+@\S+|https://\S+)$", max_length=200)]


class WhatsAppSettings(Body):
    phone_number_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{5,30}$")]
    token: Text
    templates: Annotated[
        dict[Slug, Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,512}$")]], Field(min_length=1)
    ]
    url: Url | None = None
    app_secret: Text | None = None
    verify_token: Annotated[str, StringConstraints(min_length=16, max_length=200)] | None = None

    @model_validator(mode="after")
    def _known_moments(self) -> "WhatsAppSettings":
        if not set(self.templates) <= set(Moment):
            raise ValueError(f"templates are for {', '.join(Moment)}")
        return self


SHAPES: Mapping[str, type[Body]] = {
    "email": EmailSettings,
    "sms": SmsSettings,
    "push": PushSettings,
    "whatsapp": WhatsAppSettings,
}
SECRET = frozenset({"password", "token", "apprise", "headers", "body", "callback_secret", "app_secret", "verify_token"})
PLACE = ("host", "port", "security", "user", "url", "phone_number_id")


@router.get("/channels", responses=documented(401, 403))
async def channels(here: Here) -> Response:
    """Every channel that there is, and how this facility uses it. Secrets are shown as set or not, never as they are."""
    store_channels.require(here.actor)
    async with here.read() as tx:
        items = [await _shown(tx, here, name) for name in sorted(channels_of(here.services))]
    return answer({"items": items, "next": None})


@router.put(
    "/channels/{channel}",
    responses=documented(401, 403),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"oneOf": [one.model_json_schema() for one in SHAPES.values()]}}
            },
        }
    },
)
async def configure_channel(channel: Name, body: dict[str, Any], here: Here) -> Response:
    """Uses a channel with these settings from now on."""
    _require(here, channel)
    async with here.write() as tx:
        earlier = (await store_channels.configured(tx, here.services.keyring, channel)).settings or {}
        if "url" in earlier and body.get("url") == _open_part("url", earlier["url"]):
            # What is shown may be sent back: that is no other address.
            body = body | {"url": earlier["url"]}
        # To another address nothing goes that was given for this one.
        moved = bool(earlier) and _place(channel, body) != _place(channel, earlier)
        kept = {} if moved else {name: earlier[name] for name in SECRET if name in earlier and name not in body}
        if "url" in body:
            # One service or the other.
            kept.pop("apprise", None)
        made = _checked(channel, kept | body)
        await store_channels.save(tx, here.services.keyring, here.actor, channel, made)
        return answer(await _shown(tx, here, channel))


@router.delete("/channels/{channel}", status_code=204, responses=documented(401, 403))
async def stop_channel(channel: Name, here: Here) -> Response:
    """Uses a channel no more; what is still to be sent by it is not sent."""
    _require(here, channel)
    async with here.write() as tx:
        await store_channels.save(tx, here.services.keyring, here.actor, channel, None)
    return Response(status_code=204)


class Trial(Body):
    """``phone``: where a text or WhatsApp message goes; ``browser``: what the caller's own browser subscribed with. Neither is
    kept."""

    phone: Phone | None = None
    browser: Browser | None = None


@router.post("/channels/{channel}/test", responses=documented(401, 403, 404))
async def try_channel(channel: Name, body: Trial, here: Here) -> Response:
    """Sends one message at once, to the caller's own e-mail address, to ``phone`` or to ``browser``, and answers what the vendor
    said. Nothing is kept, so each call sends; few a minute."""
    store_channels.require(here.actor)
    await here.services.limits.check((TRIALS, here.actor.label), (TRIALS_A_DAY, here.facility.slug))
    to, result = await _tried(here, channel, body)
    reason = result.reason.value if result.reason else None
    return answer(
        {
            "channel": channel,
            "to": to,
            "sent": result.outcome in (Outcome.SENT, Outcome.DELIVERED),
            "reason": reason,
            "why": texts.said(texts.REASONS, reason, here.language),
            "detail": result.detail,
        }
    )


async def _tried(here: Context, channel: str, body: Trial) -> tuple[str, Result]:
    """To whom, as it may be shown, and what became of it."""
    if channel != "push":
        to, result = await commands_try.try_channel(here, channel, phone=body.phone)
        return masked(to), result
    if body.browser is None:
        raise Invalid(extra={"field": "browser"})
    return await commands_try.try_browser(here, body.browser.subscription())


def _require(here: Context, channel: str) -> None:
    store_channels.require(here.actor)
    if channel not in SHAPES:
        raise ChannelNotFound


def _place(channel: str, settings: Mapping[str, Any]) -> list[Any]:
    """Where messages go with these settings. What is left out is what it is by itself."""
    shape = SHAPES[channel].model_fields
    return [settings.get(name, shape[name].default) for name in PLACE if name in shape]


def _checked(channel: str, sent: dict[str, Any]) -> dict[str, Any]:
    try:
        made = TypeAdapter(SHAPES[channel]).validate_python(sent)
    except ValidationError as error:
        fields = [{"field": ".".join(map(str, one["loc"])), "message": one["msg"]} for one in error.errors()]
        raise Invalid(extra={"errors": fields}) from None
    return made.model_dump(mode="json", exclude_none=True)


async def _shown(tx: ReadTx, here: Context, channel: str) -> dict[str, Any]:
    found: Configured = await store_channels.configured(tx, here.services.keyring, channel)
    settings = None
    if found.settings is not None:
        settings = {name: _open_part(name, value) for name, value in found.settings.items()}
    return {
        "channel": channel,
        "configured": settings is not None,
        "settings": settings,
        "version": found.version,
        "changed_at": found.changed_at.isoformat() if found.changed_at else None,
    }


def _open_part(name: str, value: Any) -> Any:
    """What of a setting may be shown; a gateway's key may stand in its address, too."""
    if name in SECRET:
        return True
    return value.partition("?")[0] if name == "url" else value
