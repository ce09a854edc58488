"""Message services tell what became of messages, and what people wrote back: signed, once or often, in any order."""

import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from dawr.accounts.rules import Role
from dawr.notifications import store_channels
from dawr.notifications.rules_channels import Outcome, Result
from dawr.notifications.rules_receipts import stops
from dawr.platform.ids import new_id
from dawr.platform.signatures import signed, signed_at
from tests.conftest import Live
from tests.notifications.conftest import PHONE, Desk
from tests.visits.conftest import Reception

APP_SECRET = "an app secret"
SECRET = "whsec_" + "c2VjcmV0" * 5
WHATSAPP = {
    "phone_number_id": "12345",
    "token": "t",
    "templates": {"your_turn": "turn"},
    "app_secret": APP_SECRET,
    "verify_token": "a token to verify by",
}
SMS = {"url": "https://gateway.example/send", "form": False, "headers": {}, "body": {}, "callback_secret": SECRET}


@dataclass
class Service:
    """The message services of a house, and one message that they took."""

    desk: Desk
    client: httpx2.AsyncClient
    key: str = ""

    @property
    def path(self) -> str:
        return f"/f/{self.desk.house.facility.slug}/api/v1/channels"

    async def sms(self, *, secret: str = SECRET, seconds: int = 0, **told: Any) -> httpx2.Response:
        body = json.dumps(told).encode()
        at = self.desk.services.clock.now()
        headers = signed(
            [secret], id=str(new_id(at)), at=at.fromtimestamp(at.timestamp() + seconds, at.tzinfo), body=body
        )
        return await self.client.post(f"{self.path}/sms/callback", content=body, headers=headers)

    async def says(self, text: str, *, seconds: int = 0, sender: str = PHONE) -> None:
        told: dict[str, Any] = {"type": "message", "from": sender, "text": text}
        answer = await self.sms(seconds=seconds, **told)
        assert answer.status_code == 200, answer.text

    async def status(self, status: str, **more: Any) -> httpx2.Response:
        return await self.sms(type="status", status=status, **({"key": self.key} | more))

    async def whatsapp(self, *, secret: str = APP_SECRET, number: str = "12345", **value: Any) -> httpx2.Response:
        told = {"metadata": {"phone_number_id": number}} | value
        body = json.dumps({"entry": [{"changes": [{"value": told}]}]}).encode()
        signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
        headers = {"x-hub-signature-256": f"sha256={signature}"}
        return await self.client.post(f"{self.path}/whatsapp/callback", content=body, headers=headers)

    def word(self, text: str, seconds: int) -> dict[str, Any]:
        at = str(int(self.desk.services.clock.now().timestamp()) + seconds)
        return {"from": PHONE[1:], "id": "wamid.1", "timestamp": at, "type": "text", "text": {"body": text}}

    async def state(self) -> tuple[str, str | None]:
        one = (await self.desk.log())[-1]
        return one.status.value, one.reason

    async def call(self, user: str = "amina") -> None:
        await self.desk.floor.call_ticket(await self.desk.enter(user), desk="1")
        await self.desk.read()


@pytest.fixture
async def service(desk: Desk, live: Live) -> AsyncIterator[Service]:
    here = desk.house.here(desk.house.ada)
    async with here.write() as tx:
        for channel, settings in (("sms", SMS), ("whatsapp", WHATSAPP)):
            await store_channels.save(tx, desk.services.keyring, desk.house.ada, channel, settings)
    async with httpx2.AsyncClient(base_url=live.url) as client:
        yield Service(desk, client)


@pytest.fixture
async def taken(service: Service) -> Service:
    """A message was taken by the gateway under its id 4711."""
    await service.call()
    (ready,) = await service.desk.claim()
    await service.desk.settle(ready, Result(Outcome.SENT, "4711"))
    service.key = ready.message.key
    return service


@pytest.mark.parametrize("seconds", ["9" * 11, "9" * 12, "9" * 400, "-1", "٣"])
def test_a_moment_that_is_none_is_no_signature_and_no_mistake(seconds: str) -> None:
    headers = {"webhook-id": "1", "webhook-timestamp": seconds, "webhook-signature": "v1,x"}
    assert signed_at([SECRET], headers, b"", now=datetime.now(UTC)) is None


async def test_a_call_of_no_moment_is_refused(service: Service) -> None:
    headers = {"webhook-id": "1", "webhook-timestamp": "9" * 12, "webhook-signature": "v1,x"}
    answer = await service.client.post(f"{service.path}/sms/callback", content=b"{}", headers=headers)
    assert answer.status_code == 401


async def test_what_became_of_a_message_is_in_the_log(taken: Service) -> None:
    for status in ("sent", "delivered", "read"):
        assert (await taken.status(status)).status_code == 200
        assert await taken.state() == (status, None)


async def test_what_is_told_late_or_twice_takes_nothing_back(taken: Service) -> None:
    for status in ("read", "delivered", "sent", "failed", "read"):
        await taken.status(status)
        assert await taken.state() == ("read", None)


async def test_what_failed_on_the_way_can_be_sent_again(taken: Service) -> None:
    await taken.status("failed", reason="bad_address", id="4711")
    assert await taken.state() == ("failed", "bad_address")
    await taken.status("delivered")
    assert await taken.state() == ("delivered", None)


async def test_a_failure_of_an_earlier_try_is_not_one_of_this(taken: Service) -> None:
    await taken.status("failed", id="0815")
    assert await taken.state() == ("sent", None)


async def test_a_message_is_also_known_by_the_gateways_own_id(taken: Service) -> None:
    await taken.sms(type="status", status="delivered", id="4711")
    assert await taken.state() == ("delivered", None)


async def test_what_has_arrived_is_not_tried_again_though_nobody_answered(service: Service) -> None:
    await service.call()
    (ready,) = await service.desk.claim()
    service.key = ready.message.key
    await service.status("delivered")
    assert not await service.desk.settle(ready, Result(Outcome.UNKNOWN))
    assert await service.state() == ("delivered", None)


async def test_who_cannot_sign_is_not_listened_to(taken: Service) -> None:
    other = "whsec_" + "b3RoZXI=" * 5
    assert (await taken.sms(secret=other, type="status", status="read", key=taken.key)).status_code == 401
    assert (await taken.sms(seconds=-301, type="status", status="read", key=taken.key)).status_code == 401
    assert (await taken.whatsapp(secret="another", messages=[taken.word("STOP", 0)])).status_code == 401
    assert (await taken.client.post(f"{taken.path}/sms/callback", content=b"{}")).status_code == 401
    assert await taken.state() == ("sent", None)


async def test_a_house_without_a_secret_listens_to_nobody(desk: Desk, live: Live) -> None:
    async with httpx2.AsyncClient(base_url=live.url) as client:
        service = Service(desk, client)
        assert (await service.sms(secret="", type="status", status="read", key="dawr-x")).status_code == 401
        assert (await service.whatsapp(secret="", messages=[])).status_code == 401
        assert (await client.get(f"{service.path}/whatsapp/callback?hub.mode=subscribe")).status_code == 401


async def test_what_is_signed_and_no_message_is_refused(taken: Service) -> None:
    assert (await taken.sms(type="status", status="eaten")).status_code == 422


async def test_meta_finds_that_the_address_is_ours(service: Service) -> None:
    asked = {"hub.mode": "subscribe", "hub.verify_token": WHATSAPP["verify_token"], "hub.challenge": "4711"}
    answer = await service.client.get(f"{service.path}/whatsapp/callback", params=asked)  # type: ignore[arg-type]
    assert (answer.status_code, answer.text) == (200, "4711")


async def test_whatsapp_tells_by_our_key(taken: Service) -> None:
    await taken.desk.change("UPDATE delivery SET channel = 'whatsapp' WHERE facility_id = %(facility_id)s")
    told = {"id": "4711", "status": "failed", "biz_opaque_callback_data": taken.key, "errors": [{"code": 131026}]}
    await taken.whatsapp(number="99999", statuses=[told])
    assert await taken.state() == ("sent", None)
    await taken.whatsapp(statuses=[told, {"status": "unheard of"}, "nonsense"])
    assert await taken.state() == ("failed", "bad_address")


async def test_one_channels_service_says_nothing_of_anothers_messages(taken: Service) -> None:
    await taken.whatsapp(statuses=[{"id": "4711", "status": "read", "biz_opaque_callback_data": taken.key}])
    assert await taken.state() == ("sent", None)


async def test_a_phone_that_says_stop_gets_nothing_until_it_says_start(service: Service) -> None:
    await service.says("Stop.")
    await service.call()
    assert await service.desk.send() == []
    assert await service.state() == ("suppressed", "opt_out")
    await service.says("START", seconds=1)
    await service.call("bilal")
    assert len(await service.desk.send()) == 1


@pytest.mark.parametrize("written", [PHONE[1:], PHONE.removeprefix("+974"), f"+974 {PHONE[4:]}"])
async def test_gateways_write_numbers_as_they_like(service: Service, written: str) -> None:
    await service.says("STOP\n", sender=written)
    await service.call()
    assert await service.desk.send() == []


async def test_reception_sees_what_was_stopped_and_lifts_it(service: Service, reception: Reception, live: Live) -> None:
    patient = await reception.patient(phones=(PHONE,))
    await service.says("STOP", seconds=-1)
    async with live.staff(service.desk.house, Role.RECEPTION) as rui:
        path = f"/api/v1/patients/{patient}/stops"
        (one,) = (await rui.get(path)).json()["items"]
        assert (one["to"], one["said_by"]) == ("•••• 4321", "sms")
        assert (await rui.post(f"{path}/lift")).json()["items"] == []
    await service.call()
    assert len(await service.desk.send()) == 1


async def test_of_words_that_come_late_the_latest_said_counts(service: Service) -> None:
    await service.whatsapp(messages=[service.word("إيقاف", -10)])
    await service.whatsapp(messages=[service.word("start", -20)])
    await service.call()
    assert await service.desk.send() == []


async def test_what_is_no_such_word_stops_nothing(service: Service) -> None:
    await service.says("Please stop by my room and cancel")
    await service.call()
    assert len(await service.desk.send()) == 1


@pytest.mark.parametrize(
    "text", ["STOP", " stop! ", "Unsubscribe", "إيقاف", "ايقاف", "أوقف", "बंद", "बन्द करें", "Stop all"]
)
def test_people_stop_in_their_own_words(text: str) -> None:
    assert stops(text) is True


@pytest.mark.parametrize("text", ["START", "unstop", "ابدأ", "शुरू करें"])
def test_people_start_in_their_own_words(text: str) -> None:
    assert stops(text) is False


@pytest.mark.parametrize("text", ["", "cancel", "إلغاء", "stop it now please", "x" * 100])
def test_other_words_are_other_words(text: str) -> None:
    assert stops(text) is None
