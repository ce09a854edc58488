"""An administrator sends a message to try a channel, and sees at once what the vendor said."""

import json
from dataclasses import replace
from functools import partial
from ipaddress import ip_network
from uuid import UUID

import pytest

from dawr.accounts.commands import create_staff
from dawr.accounts.rules import Role
from dawr.facilities.queries import Context
from dawr.notifications import commands_try, store_channels
from dawr.notifications.channels.push import Push
from dawr.notifications.commands_try import try_browser, try_channel
from dawr.notifications.rules import ChannelNotFound
from dawr.notifications.rules_channels import Outcome, Reason
from dawr.notifications.store_channels import Subscription
from dawr.platform.errors import Forbidden, Invalid
from tests.conftest import PASSWORD, House, Live
from tests.notifications.counterparts import over_http, over_smtp
from tests.notifications.test_channel_settings import BROWSER

PHONE = "5550 4321"


@pytest.fixture
def ada(house: House) -> Context:
    """The administrator of a house whose vendors may be on loopback."""
    settings = house.services.settings.model_copy(update={"outgoing_networks": (ip_network("127.0.0.0/8"),)})
    return replace(house.here(house.ada), services=replace(house.services, settings=settings))


async def configure(here: Context, channel: str, **settings: object) -> None:
    async with here.write() as tx:
        await store_channels.save(tx, here.services.keyring, here.actor, channel, settings)


async def test_a_text_message_goes_to_the_number_that_was_given(ada: Context) -> None:
    async with over_http() as vendor:
        await configure(ada, "sms", url=f"{vendor.url}/send", body={"to": "{to}", "text": "{text}"})
        to, said = await try_channel(ada, "sms", phone=PHONE)
    assert (to, said.outcome) == ("+97455504321", Outcome.SENT)
    told = json.loads(vendor.heard[0][1])
    assert told["to"] == to
    assert "test message" in told["text"]


async def test_what_was_just_mended_counts_at_once(ada: Context) -> None:
    async with over_smtp() as vendor:
        settings = {"host": "127.0.0.1", "port": vendor.port, "security": "none", "sender": "queue@test.example"}
        email = "ada.tries@test.example"
        account = await create_staff(
            ada.services,
            email=email,
            name="Ada",
            password=PASSWORD,
            facility_id=ada.facility.id,
            role=Role.ADMINISTRATOR,
        )
        assert isinstance(account, UUID)
        own = replace(ada, actor=replace(ada.actor, account_id=account))
        await configure(own, "email", user="dawr", password="wrong", **settings)
        _, refused = await try_channel(own, "email")
        await configure(own, "email", user="dawr", password="right", **settings)
        to, sent = await try_channel(own, "email")
    assert refused.reason is Reason.WRONG_CREDENTIALS
    assert (to, sent.outcome) == (email, Outcome.SENT)
    assert [mail["to"] for mail in vendor.mails] == [email]


async def test_a_template_is_filled_with_made_up_values(ada: Context) -> None:
    async with over_http(b'{"messages": [{"id": "wamid.1"}]}') as vendor:
        known = {"phone_number_id": "12345", "token": "right", "templates": {"near": "soon"}, "url": vendor.url}
        await configure(ada, "whatsapp", **known)
        _, said = await try_channel(ada, "whatsapp", phone=PHONE)
    template = json.loads(vendor.heard[0][1])["template"]
    assert (said.outcome, template["name"]) == (Outcome.SENT, "soon")
    assert len(template["components"][0]["parameters"]) == 3


def browser_of(endpoint: str) -> Subscription:
    return Subscription(endpoint, str(BROWSER["p256dh"]), str(BROWSER["auth"]))


async def test_a_notification_goes_to_the_callers_own_browser_which_is_not_kept(
    ada: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = ada.services.settings.outgoing_networks
    monkeypatch.setattr(commands_try, "Push", partial(Push, private=private))
    async with over_http() as vendor:
        await configure(ada, "push", contact="mailto:it@example.org")
        to, said = await try_browser(ada, browser_of(f"{vendor.url}/push/4711"))
    assert (to, said.outcome) == ("127.0.0.1", Outcome.SENT)
    assert len(vendor.heard) == 1
    async with ada.read() as tx:
        assert await tx.value("SELECT count(*) FROM push_subscription") == 0


async def test_a_browser_in_the_house_s_own_network_is_not_asked(ada: Context) -> None:
    async with over_http() as vendor:
        await configure(ada, "push", contact="mailto:it@example.org")
        _, said = await try_browser(ada, browser_of(f"{vendor.url}/push/4711"))
    assert (said.outcome is Outcome.SENT, vendor.heard) == (False, [])


async def test_what_cannot_be_tried_says_so(ada: Context, house: House) -> None:
    assert (await try_channel(ada, "sms", phone=PHONE))[1].reason is Reason.NOT_CONFIGURED
    with pytest.raises(Invalid):
        await try_channel(ada, "sms")
    with pytest.raises(ChannelNotFound):
        await try_channel(ada, "pigeon")
    assert (await try_browser(ada, browser_of("https://push.example.org/1")))[1].reason is Reason.NOT_CONFIGURED
    with pytest.raises(Forbidden):
        await try_channel(house.here(house.rui), "sms", phone=PHONE)
    with pytest.raises(Forbidden):
        await try_browser(house.here(house.rui), browser_of("https://push.example.org/1"))


async def test_the_answer_shows_the_end_of_an_address_alone(live: Live, house: House) -> None:
    async with live.staff(house, Role.ADMINISTRATOR) as client:
        answer = await client.post(
            "/api/v1/channels/sms/test", json={"phone": PHONE}, headers={"Accept-Language": "en"}
        )
    assert answer.status_code == 200, answer.text
    assert (answer.json()["sent"], answer.json()["reason"]) == (False, "not_configured")
    assert answer.json()["to"] == "•••• 4321"
    assert answer.json()["why"] == "This way of sending is not set up"


async def test_a_browser_is_tried_over_http(live: Live, house: House) -> None:
    path = "/api/v1/channels/push/test"
    async with live.staff(house, Role.ADMINISTRATOR) as client:
        nobody = await client.post(path, json={})
        answer = await client.post(path, json={"browser": BROWSER})
    assert (nobody.status_code, nobody.json()["field"]) == (422, "browser")
    assert (answer.json()["to"], answer.json()["reason"]) == ("push.example.org", "not_configured")


async def test_an_address_that_is_sent_back_as_it_was_shown_is_no_other(live: Live, house: House) -> None:
    made = {"url": "https://gateway.example/send?key=canary", "headers": {"Authorization": "canary"}}
    async with live.staff(house, Role.ADMINISTRATOR) as client:
        await client.put("/api/v1/channels/sms", json=made)
        shown = (
            await client.put("/api/v1/channels/sms", json={"url": "https://gateway.example/send", "form": True})
        ).json()
        moved = (await client.put("/api/v1/channels/sms", json={"url": "https://elsewhere.example/send"})).json()
    assert shown["settings"]["headers"] is True
    assert "headers" not in moved["settings"] or moved["settings"]["headers"] is True
    async with house.services.db.read(house.facility.id) as tx:
        kept = await store_channels.settings(tx, house.services.keyring, "sms")
    assert kept is not None
    assert kept["url"] == "https://elsewhere.example/send"
    assert "canary" not in str(kept)
