"""Administrators configure channels; their secrets are never shown again. Browsers subscribe to a ticket with its secret."""

import base64
from typing import Any
from uuid import UUID

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dawr.accounts.rules import Role
from dawr.notifications import store_channels
from dawr.notifications.store_channels import About
from tests.conftest import House, Live, found_house

MAIL = {
    "host": "mail.hospital.example",
    "user": "dawr",
    "password": "a canary secret",
    "sender": "queue@hospital.example",
}
POINT = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
BROWSER = {
    "endpoint": "https://push.example.org/4711",
    "p256dh": base64.urlsafe_b64encode(POINT).rstrip(b"=").decode(),
    "auth": base64.urlsafe_b64encode(b"sixteen bytes...").rstrip(b"=").decode(),
}


async def shown(client: httpx2.AsyncClient, channel: str) -> dict[str, Any]:
    items = (await client.get("/api/v1/channels")).json()["items"]
    found: dict[str, Any] = next(one for one in items if one["channel"] == channel)
    return found


async def kept(house: House, channel: str) -> Any:
    async with house.services.db.read(house.facility.id) as tx:
        return await store_channels.settings(tx, house.services.keyring, channel)


async def test_every_channel_is_listed(live: Live, house: House) -> None:
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        items = (await ada.get("/api/v1/channels")).json()["items"]
    assert [(one["channel"], one["configured"]) for one in items] == [
        (name, False) for name in ("email", "push", "sms", "whatsapp")
    ]


async def test_a_secret_is_kept_and_not_shown(live: Live, house: House) -> None:
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        made = await ada.put("/api/v1/channels/email", json=MAIL)
        assert made.status_code == 200, made.text
        assert MAIL["password"] not in made.text
        assert (await shown(ada, "email"))["settings"]["password"] is True
    assert (await kept(house, "email"))["password"] == MAIL["password"]
    async with house.services.db.read(house.facility.id) as tx:
        sealed = await tx.value("SELECT settings_sealed FROM channel_settings")
    assert MAIL["password"].encode() not in bytes(sealed)


async def test_a_secret_that_is_left_out_stays(live: Live, house: House) -> None:
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        await ada.put("/api/v1/channels/email", json=MAIL)
        rest = {name: value for name, value in MAIL.items() if name != "password"}
        await ada.put("/api/v1/channels/email", json=rest | {"sender_name": "Clinic"})
        assert (await shown(ada, "email"))["version"] == 2
    after = await kept(house, "email")
    assert (after["password"], after["sender_name"]) == (MAIL["password"], "Clinic")


@pytest.mark.parametrize("place", [{"host": "mine.example"}, {"port": 2525}, {"security": "none"}, {"user": "other"}])
async def test_a_secret_does_not_go_to_another_place(live: Live, house: House, place: dict[str, Any]) -> None:
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        await ada.put("/api/v1/channels/email", json=MAIL)
        rest = {name: value for name, value in MAIL.items() if name != "password"}
        await ada.put("/api/v1/channels/email", json=rest | place)
    assert "password" not in await kept(house, "email")


WHATSAPP = {"phone_number_id": "12345", "token": "a canary secret", "templates": {"your_turn": "turn"}}
BARE = {name: value for name, value in WHATSAPP.items() if name != "token"}


@pytest.mark.parametrize("place", [{"url": "https://mine.example"}, {"phone_number_id": "54321"}])
async def test_a_token_does_not_go_where_no_place_was_named_before(
    live: Live, house: House, place: dict[str, Any]
) -> None:
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        await ada.put("/api/v1/channels/whatsapp", json=WHATSAPP)
        assert (await ada.put("/api/v1/channels/whatsapp", json=BARE | place)).status_code == 422
        assert (await ada.put("/api/v1/channels/whatsapp", json=BARE)).status_code == 200
    after = await kept(house, "whatsapp")
    assert (after["token"], after.get("url")) == (WHATSAPP["token"], None)


async def test_a_place_that_is_left_out_is_another_one(live: Live, house: House) -> None:
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        await ada.put("/api/v1/channels/whatsapp", json=WHATSAPP | {"url": "https://mine.example"})
        assert (await ada.put("/api/v1/channels/whatsapp", json=BARE)).status_code == 422


async def test_a_gateways_key_is_not_shown_wherever_it_stands(live: Live, house: House) -> None:
    asked = {"url": "https://gateway.example/send?key=canary", "body": {"key": "canary", "to": "{to}"}}
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        made = await ada.put("/api/v1/channels/sms", json=asked)
        assert made.status_code == 200, made.text
        assert "canary" not in made.text
        assert "canary" not in (await ada.get("/api/v1/channels")).text


async def test_a_channel_can_be_given_up(live: Live, house: House) -> None:
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        await ada.put("/api/v1/channels/push", json={"contact": "mailto:it@hospital.example"})
        assert (await ada.get("/api/v1/push/key")).json()["key"]
        assert (await ada.delete("/api/v1/channels/push")).status_code == 204
        assert (await ada.get("/api/v1/push/key")).json() == {"key": None}
    assert await kept(house, "push") is None


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("email", {**MAIL, "port": 0}),
    ("email", {**MAIL, "sender": "nobody"}),
    ("email", {**MAIL, "surprise": 1}),
    ("sms", {}),
    ("sms", {"url": "https://gateway.example/", "apprise": "twilio://a:b@c/{to}"}),
    ("sms", {"apprise": "json://127.0.0.1/{to}"}),
    ("sms", {"apprise": "twilio://AC1:x@+15550001111/{to},json://127.0.0.1:1/x"}),
    ("sms", {"apprise": "twilio://a:b@c/97455500000"}),
    ("push", {"contact": "it@hospital.example"}),
    ("whatsapp", {"phone_number_id": "12345", "token": "x", "templates": {"birthday": "hello"}}),
]


@pytest.mark.parametrize(("channel", "settings"), WRONG)
async def test_settings_with_a_mistake_are_refused(
    live: Live, house: House, channel: str, settings: dict[str, Any]
) -> None:
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        answer = await ada.put(f"/api/v1/channels/{channel}", json=settings)
    assert answer.status_code == 422
    assert await kept(house, channel) is None


async def test_only_administrators_configure(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as rui, live.client(house) as stranger:
        assert (await rui.put("/api/v1/channels/email", json=MAIL)).status_code == 403
        assert (await rui.get("/api/v1/channels")).status_code == 403
        assert (await stranger.delete("/api/v1/channels/email")).status_code == 401
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        answer = await ada.put("/api/v1/channels/pigeon", json={})
    assert (answer.status_code, answer.json()["code"]) == (404, "channel_not_found")


# Browsers


async def ticket_of(client: httpx2.AsyncClient, user: str = "amina") -> tuple[str, dict[str, str]]:
    """A new ticket and the header that opens it."""
    made = (await client.post("/api/v1/queue/enter", json={"clinic": "lab", "user": user})).json()
    return made["ticket"], {"Ticket-Secret": made["follow"].removeprefix("/t/")}


async def browsers(house: House, ticket: str) -> int:
    async with house.services.db.read(house.facility.id) as tx:
        return len(await store_channels.subscriptions(tx, About("ticket", UUID(ticket))))


async def test_a_browser_subscribes_with_the_ticket_s_secret(live: Live, house: House) -> None:
    async with live.client(house) as phone:
        ticket, secret = await ticket_of(phone)
        for _ in range(2):
            answer = await phone.post("/api/v1/queue/push", json={"ticket": ticket, **BROWSER}, headers=secret)
            assert answer.status_code == 201, answer.text
        assert await browsers(house, ticket) == 1
        end = {"ticket": ticket, "endpoint": BROWSER["endpoint"]}
        assert (await phone.post("/api/v1/queue/push/stop", json=end, headers=secret)).status_code == 200
    assert await browsers(house, ticket) == 0


async def test_nobody_else_subscribes_to_it(live: Live, house: House) -> None:
    async with live.client(house) as phone, live.client(house) as other:
        ticket, _ = await ticket_of(phone)
        _, secret = await ticket_of(other, "bilal")
        asked = {"ticket": ticket, **BROWSER}
        phone.cookies.clear()
        assert (await phone.post("/api/v1/queue/push", json=asked)).status_code == 401
        assert (await other.post("/api/v1/queue/push", json=asked, headers=secret)).status_code in (403, 404)
    async with live.client(await found_house(live.services)) as elsewhere:
        assert (await elsewhere.post("/api/v1/queue/push", json=asked, headers=secret)).status_code in (401, 404)
    assert await browsers(house, ticket) == 0


async def test_a_ticket_has_so_many_browsers(live: Live, house: House) -> None:
    async with live.client(house) as phone:
        ticket, secret = await ticket_of(phone)
        for n in range(store_channels.MOST_SUBSCRIPTIONS + 2):
            asked = {"ticket": ticket, **BROWSER, "endpoint": f"https://push.example.org/{n}"}
            await phone.post("/api/v1/queue/push", json=asked, headers=secret)
    assert await browsers(house, ticket) == store_channels.MOST_SUBSCRIPTIONS


@pytest.mark.parametrize("change", [{"endpoint": "http://push.example.org/1"}, {"p256dh": "short"}, {"auth": "x"}])
async def test_what_is_no_subscription_is_refused(live: Live, house: House, change: dict[str, str]) -> None:
    async with live.client(house) as phone:
        ticket, secret = await ticket_of(phone)
        answer = await phone.post("/api/v1/queue/push", json={"ticket": ticket, **BROWSER, **change}, headers=secret)
    assert answer.status_code == 422
