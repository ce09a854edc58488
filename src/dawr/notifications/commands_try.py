"""A message by which an administrator sees whether a channel works: sent at once, kept nowhere."""

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from dawr.accounts import queries as accounts
from dawr.facilities.queries import Context
from dawr.facilities.rules import named
from dawr.notifications import store_channels, texts
from dawr.notifications.channels.push import Push
from dawr.notifications.channels.registry import fresh
from dawr.notifications.channels.shelf import NOT_CONFIGURED
from dawr.notifications.rules import ChannelNotFound, Moment
from dawr.notifications.rules_channels import Message, Outcome, Reached, Reason, Result
from dawr.notifications.store_channels import Subscription
from dawr.patients.phones import region_of
from dawr.platform.db import ReadTx
from dawr.platform.errors import N_, Invalid
from dawr.platform.i18n import translator
from dawr.platform.ids import new_id
from dawr.platform.retry import in_time

TESTED = frozenset({"email", "sms", "whatsapp"})
"""What ``try_channel`` tries; a browser is tried by ``try_browser``."""
WORTH = timedelta(minutes=2)
SECONDS = 15.0
"""As long as somebody waits before the page."""
_SUBJECT = N_("A test message")
_TEXT = N_("{facility}: this is a test message. Messages of this kind arrive.")


async def try_channel(here: Context, channel: str, *, phone: str | None = None) -> tuple[str, Result]:
    """To whom it went, and what the vendor says. An e-mail goes to the caller's own address, what needs a number to ``phone``.
    In no transaction while the vendor is asked."""
    store_channels.require(here.actor)
    if channel not in TESTED:
        raise ChannelNotFound
    drawer = fresh(here.services, channel)
    try:
        async with here.read() as tx:
            settings = await store_channels.settings(tx, here.services.keyring, channel)
            to = await _address(tx, here, channel, phone)
            addresses = await drawer.addresses(tx, here.services, to)
        if not addresses:
            raise Invalid(N_("Please give a phone number that can be reached from here"), extra={"field": "phone"})
        if settings is None:
            return addresses[0], NOT_CONFIGURED
        message = _message(here, channel, addresses[0], settings)
        return addresses[0], await _said(drawer.send(message))
    finally:
        await drawer.close()


async def try_browser(here: Context, browser: Subscription) -> tuple[str, Result]:
    """As ``try_channel``, to the caller's own browser: at whose maker's it is taken, and what that says. The subscription is used
    for this alone."""
    store_channels.require(here.actor)
    to = urlsplit(browser.endpoint).hostname or ""
    drawer = Push(here.services)
    try:
        async with here.read() as tx:
            settings = await store_channels.settings(tx, here.services.keyring, drawer.name)
        if settings is None:
            return to, NOT_CONFIGURED
        message = _message(here, drawer.name, to, settings)
        return to, await _said(drawer.hand_over(message, browser, contact=settings["contact"]))
    finally:
        await drawer.close()


async def _address(tx: ReadTx, here: Context, channel: str, phone: str | None) -> Reached:
    reached = Reached(here.facility.id, here.language, phone=phone, country=region_of(here.facility.zone))
    if channel != "email":
        return reached
    assert here.actor.account_id is not None
    own = await accounts.profile(tx, here.services.keyring, here.actor.account_id)
    return replace(reached, email=own.email)


async def _said(sending: Awaitable[Result]) -> Result:
    try:
        return await in_time(sending, SECONDS)
    except TimeoutError:
        return Result(Outcome.UNKNOWN, reason=Reason.NO_ANSWER, detail="timeout")
    except Exception as error:
        # As when messages are sent: the error's text may quote the address.
        return Result(Outcome.UNKNOWN, reason=Reason.BROKEN, detail=type(error).__name__)


def _message(here: Context, channel: str, to: str, settings: Mapping[str, Any]) -> Message:
    """The test's own words; for WhatsApp those of the first template, with made-up values."""
    language, now = texts.spoken(here.language), here.services.clock.now()
    gettext = translator(language).gettext
    facility = named(here.facility.name, language)
    moment = Moment(next(iter(settings["templates"]))) if channel == "whatsapp" else Moment.YOUR_TURN
    made_up = texts.Material(
        moment=moment,
        language=language,
        facility=facility,
        zone=here.facility.zone,
        clinic=facility,
        code="TEST-001",
        desk="1",
        numbers={"ahead": 1, "start": int(now.timestamp())},
    )
    id_ = new_id(now)
    return Message(
        delivery=id_,
        facility_id=here.facility.id,
        key=f"test-{id_}",
        to=to,
        language=language,
        moment=moment.value,
        subject=gettext(_SUBJECT),
        link=f"{here.services.settings.url}/f/{here.facility.slug}/messages" if channel == "push" else None,
        text=gettext(_TEXT).format(facility=facility),
        deadline=now + WORTH,
        seconds_left=int(WORTH.total_seconds()),
        values=texts.render(made_up).values,
    )
