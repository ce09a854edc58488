"""Every channel keeps to the same promises, shown against a vendor on loopback that takes, refuses, delays and loses."""

import base64
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qs

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from dawr.notifications import store_channels
from dawr.notifications.channel import Channel, SetUpByFacility
from dawr.notifications.channels.email import Email
from dawr.notifications.channels.push import Push, public_key, raw
from dawr.notifications.channels.sms import Sms
from dawr.notifications.channels.whatsapp import WhatsApp
from dawr.notifications.rules_channels import Message, Outcome, Reached, Reason
from dawr.notifications.store_channels import About, Subscription
from dawr.platform.ids import new_id
from dawr.platform.services import Services
from tests.conftest import House, found_house, make_services
from tests.notifications.counterparts import CUT, Vendor, over_http, over_smtp
from tests.tickets.conftest import Floor

PHONE = "+97455504321"
EMAIL = "amina.canary@example.org"
WHATSAPP_ID = b'{"messages": [{"id": "wamid.4711"}]}'
_BROWSER = ec.generate_private_key(ec.SECP256R1())
_AUTH = b"sixteen bytes..."


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True)
class Kind:
    """A drawer: how it is made and configured, who its vendor is, what that says, and how a message is read there."""

    make: Callable[[Services], Channel]
    vendor: Callable[[], AbstractAsyncContextManager[Vendor]]
    settings: Callable[[Vendor], Mapping[str, Any]]
    busy: str
    refused: str
    signed_out: str | None
    provider_id: str | None
    key: Callable[[Vendor, int], str]
    text: Callable[[Vendor, int], str]


def _sms(vendor: Vendor) -> Mapping[str, Any]:
    body = {"to": "{to}", "message": "{text}", "ref": "{key}"}
    return {
        "url": f"{vendor.url}/send",
        "headers": {"Authorization": "Bearer right"},
        "body": body,
        "id": "messages.0.id",
    }


def _whatsapp(vendor: Vendor) -> Mapping[str, Any]:
    return {"phone_number_id": "12345", "token": "right", "templates": {"your_turn": "turn_1"}, "url": vendor.url}


def _email(vendor: Vendor) -> Mapping[str, Any]:
    sender = {"sender": "queue@hospital.example", "sender_name": "عيادة"}
    return {"host": "127.0.0.1", "port": vendor.port, "security": "none", "user": "dawr", "password": "right"} | sender


def _whatsapp_error(code: int, status: str = "400 Bad") -> str:
    return f"{status}|x: y|" + json.dumps({"error": {"code": code}})


def _push_text(vendor: Vendor, n: int) -> str:
    body = http_ece.decrypt(vendor.heard[n][1], private_key=_BROWSER, auth_secret=_AUTH)
    return str(json.loads(body)["body"])


KINDS = {
    "email": Kind(
        Email,
        over_smtp,
        _email,
        busy="451 4.7.1 later",
        refused="RCPT 550 5.1.1 no such mailbox",
        signed_out=None,
        provider_id="4711",
        key=lambda vendor, n: str(vendor.mails[n]["Message-ID"]),
        text=lambda vendor, n: vendor.mails[n].get_content().strip(),
    ),
    "sms": Kind(
        Sms,
        lambda: over_http(WHATSAPP_ID),
        _sms,
        busy="429 Slow|retry-after: 7|",
        refused="400 Bad",
        signed_out="401 Who",
        provider_id="wamid.4711",
        key=lambda vendor, n: str(json.loads(vendor.heard[n][1])["ref"]),
        text=lambda vendor, n: str(json.loads(vendor.heard[n][1])["message"]),
    ),
    "whatsapp": Kind(
        WhatsApp,
        lambda: over_http(WHATSAPP_ID),
        _whatsapp,
        busy=_whatsapp_error(130429, "429 Slow"),
        refused=_whatsapp_error(131026),
        signed_out=_whatsapp_error(190, "401 Who"),
        provider_id="wamid.4711",
        key=lambda vendor, n: str(json.loads(vendor.heard[n][1])["biz_opaque_callback_data"]),
        text=lambda vendor, n: str(
            json.loads(vendor.heard[n][1])["template"]["components"][0]["parameters"][0]["text"]
        ),
    ),
    "push": Kind(
        lambda services: Push(services, private=services.settings.outgoing_networks),
        over_http,
        lambda _: {"contact": "mailto:it@hospital.example"},
        busy="429 Slow|retry-after: 7|",
        refused="410 Gone",
        signed_out="403 Who",
        provider_id=None,
        key=lambda vendor, n: vendor.heard[n][0]["topic"],
        text=_push_text,
    ),
}
TEXT = "حان دورك: LAB-031، المكتب ٢"


@dataclass
class Line:
    """A channel of a house, its vendor, and a message to somebody there."""

    kind: Kind
    channel: Channel
    vendor: Vendor
    house: House
    person: Reached
    message: Message

    async def addresses(self) -> list[str]:
        async with self.house.services.db.read(self.house.facility.id) as tx:
            return list(await self.channel.addresses(tx, self.house.services, self.person))


@pytest.fixture(scope="module")
async def lan(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    """Services that may ask loopback."""
    data = tmp_path_factory.mktemp("lan")
    services = make_services(database_url, data, outgoing_networks=(ip_network("127.0.0.0/8"),))
    await services.db.open()
    yield services
    await services.db.close()


async def configure(house: House, name: str, settings: Mapping[str, Any] | None) -> None:
    async with house.services.db.write(house.facility.id) as tx:
        await store_channels.save(tx, house.services.keyring, house.ada, name, settings)


@asynccontextmanager
async def line_of(services: Services, name: str) -> AsyncIterator[Line]:
    kind, house = KINDS[name], await found_house(services)
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(kind.vendor())
        await configure(house, name, kind.settings(vendor))
        channel = kind.make(services)
        stack.push_async_callback(channel.close)
        ticket = (await Floor(house).enter("amina")).id
        if name == "push":
            await subscribed(house, vendor, ticket)
        person = Reached(house.facility.id, phone="5550 4321", email=f" {EMAIL.title()}", country="QA", ticket=ticket)
        now = services.clock.now()
        message = Message(
            delivery=new_id(now),
            facility_id=house.facility.id,
            key="key-0123456789abcdef",
            to="",
            language="ar",
            moment="your_turn",
            subject="حان دورك",
            text=TEXT,
            deadline=now + timedelta(minutes=10),
            seconds_left=600,
            urgent=True,
            values=(TEXT,),
        )
        made = Line(kind, channel, vendor, house, person, message)
        made.message = replace(message, to=(await made.addresses())[0])
        yield made


async def subscribed(house: House, vendor: Vendor, ticket: Any) -> None:
    point = _BROWSER.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    made = Subscription(f"{vendor.url}/push/4711", _b64(point), _b64(_AUTH))
    async with house.services.db.write(house.facility.id) as tx:
        await store_channels.subscribe(
            tx, house.services.keyring, About("ticket", ticket), id=new_id(tx.now), made=made
        )


@pytest.fixture(params=sorted(KINDS))
async def line(request: pytest.FixtureRequest, lan: Services) -> AsyncIterator[Line]:
    async with line_of(lan, request.param) as found:
        yield found


async def test_a_message_arrives_in_its_own_script(line: Line) -> None:
    result = await line.channel.send(line.message)
    assert (result.outcome, result.provider_id) == (Outcome.SENT, line.kind.provider_id)
    assert line.kind.text(line.vendor, 0) == TEXT


async def test_every_try_carries_the_same_key(line: Line) -> None:
    for _ in range(2):
        await line.channel.send(line.message)
    keys = [line.kind.key(line.vendor, n) for n in range(2)]
    assert keys[0] == keys[1]
    assert line.message.key in keys[0]


async def test_a_vendor_that_is_busy_is_asked_again(line: Line) -> None:
    line.vendor.says = [line.kind.busy]
    result = await line.channel.send(line.message)
    assert (result.outcome, result.reason) == (Outcome.RETRY, Reason.VENDOR_BUSY)
    if "retry-after" in line.kind.busy:
        assert result.retry_after == 7.0
    assert (await line.channel.send(line.message)).outcome is Outcome.SENT


async def test_an_address_that_is_none_is_refused_for_good(line: Line) -> None:
    line.vendor.says = [line.kind.refused]
    result = await line.channel.send(line.message)
    assert result.outcome is Outcome.REFUSED
    assert result.reason in {Reason.BAD_ADDRESS, Reason.VENDOR_REFUSED, Reason.ADDRESS_GONE}


async def test_a_line_that_breaks_after_the_request_leaves_the_outcome_unknown(line: Line) -> None:
    line.vendor.says = [CUT]
    assert (await line.channel.send(line.message)).outcome is Outcome.UNKNOWN


async def test_wrong_credentials_can_be_mended(line: Line) -> None:
    if line.kind.signed_out is None:
        await configure(line.house, "email", {**_email(line.vendor), "password": "wrong"})
    else:
        line.vendor.says = [line.kind.signed_out]
    result = await line.channel.send(line.message)
    assert (result.outcome, result.reason) == (Outcome.RETRY, Reason.WRONG_CREDENTIALS)


@pytest.mark.parametrize("name", sorted(KINDS))
async def test_where_nobody_listens_nothing_was_sent(lan: Services, name: str) -> None:
    async with line_of(lan, name) as found:
        message, house = found.message, found.house
    channel = KINDS[name].make(house.services)
    result = await channel.send(message)
    await channel.close()
    assert (result.outcome, result.reason) == (Outcome.RETRY, Reason.VENDOR_AWAY)


async def test_without_settings_nobody_is_told(line: Line) -> None:
    await configure(line.house, line.channel.name, None)
    async with line.house.services.db.read(line.house.facility.id) as tx:
        assert isinstance(line.channel, SetUpByFacility)
        assert not await line.channel.set_up(tx)
    fresh = line.kind.make(line.house.services)
    assert (await fresh.send(line.message)).outcome is Outcome.REFUSED
    await fresh.close()
    assert line.vendor.heard == []
    assert line.vendor.mails == []


async def test_addresses_have_one_form(line: Line) -> None:
    expected = {"email": [EMAIL], "sms": [PHONE], "whatsapp": [PHONE]}
    if line.channel.name in expected:
        assert await line.addresses() == expected[line.channel.name]
    else:
        assert len(await line.addresses()) == 1


@pytest.mark.parametrize("name", sorted(KINDS))
async def test_a_private_network_is_not_asked(services: Services, name: str) -> None:
    async with line_of(services, name) as found:
        result = await found.channel.send(found.message)
        assert result.outcome in (Outcome.RETRY, Outcome.REFUSED)
        assert found.vendor.heard == []
        assert found.vendor.mails == []


async def test_no_address_and_no_word_of_it_is_in_the_log(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for said in ([], [line.kind.busy], [line.kind.refused], [CUT]):
        line.vendor.says = list(said)
        await line.channel.send(line.message)
    # The counterpart's own log is the vendor's business.
    ours = "\n".join(one.getMessage() for one in caplog.records if not one.name.startswith("mail"))
    for canary in (PHONE, "55504321", EMAIL, TEXT, "right"):
        assert canary not in ours


# What only one of them has


async def test_a_mail_says_what_mailboxes_ask_for(lan: Services) -> None:
    async with line_of(lan, "email") as line:
        unsubscribe = "https://queue.example/u/secret"
        await line.channel.send(replace(line.message, unsubscribe=unsubscribe))
        mail = line.vendor.mails[0]
    assert mail["To"] == EMAIL
    assert mail["Subject"] == "حان دورك"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"] == f"<{unsubscribe}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


async def test_a_gateway_can_ask_for_a_form(lan: Services) -> None:
    async with line_of(lan, "sms") as line:
        await configure(line.house, "sms", {**_sms(line.vendor), "form": True})
        await line.channel.send(line.message)
        headers, body = line.vendor.heard[0]
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert headers["authorization"] == "Bearer right"
    assert parse_qs(body.decode())["to"] == [PHONE]


async def test_a_push_is_signed_so_that_the_browser_s_maker_believes_it(lan: Services) -> None:
    async with line_of(lan, "push") as line:
        await line.channel.send(line.message)
        headers, _ = line.vendor.heard[0]
        token = headers["authorization"].removeprefix("vapid t=").partition(",")[0]
        point = raw(public_key(lan.keyring))
    key = ECKey.import_key(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))
    claims = jwt.decode(token, key).claims
    assert (claims["aud"], claims["sub"]) == (line.vendor.url, "mailto:it@hospital.example")
    assert (headers["ttl"], headers["urgency"], headers["content-encoding"]) == ("600", "high", "aes128gcm")


async def test_a_browser_that_is_gone_is_not_asked_again(lan: Services) -> None:
    async with line_of(lan, "push") as line:
        line.vendor.says = ["410 Gone"]
        await line.channel.send(line.message)
        assert await line.addresses() == []
        assert (await line.channel.send(line.message)).reason is Reason.ADDRESS_GONE
        assert len(line.vendor.heard) == 1


async def test_a_number_without_a_country_is_the_facility_s_own(lan: Services) -> None:
    async with line_of(lan, "sms") as line:
        line.person = replace(line.person, phone="not a number", country="QA")
        assert await line.addresses() == []
