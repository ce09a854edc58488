"""Clinics where presence itself is private: a phone number is proved before a ticket is given."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import orjson
import pytest

from dawr.accounts.rules import SYSTEM, Role
from dawr.facilities import commands as changes
from dawr.facilities.rules import Entry
from dawr.notifications import commands_send, commands_stop, store_channels
from dawr.notifications.addresses import Addresses
from dawr.platform.db import WriteTx
from dawr.platform.errors import TooManyRequests
from dawr.platform.idempotency import Key
from dawr.platform.ratelimit import RateLimiter
from dawr.tickets import commands_proof, jobs
from dawr.tickets.api_proof import SENT_TO, Verify, verify
from dawr.tickets.rules_proof import ProofNotAsked
from tests.conftest import House, Live, found_house

PHONE = "+974 5550 1234"
QUEUE = "/api/v1/queue"
GATEWAY = {"url": "https://gateway.example.org/send", "body": {"to": "{to}", "text": "{text}"}}
Client = httpx2.AsyncClient


async def use_sms(house: House) -> None:
    async with house.here().write() as tx:
        await store_channels.save(tx, house.services.keyring, SYSTEM, "sms", GATEWAY)


@pytest.fixture
async def private(live: Live, house: House) -> House:
    """The lab gives a ticket only to who proves a phone number; codes go by SMS."""
    await house.change_clinic("lab", entry=Entry.VERIFIED)
    await use_sms(house)
    return house


@pytest.fixture
async def amina(live: Live, private: House) -> AsyncIterator[Client]:
    async with live.client(private) as client:
        yield client


async def asked(who: Client, phone: str = PHONE, **headers: str) -> str:
    answer = await who.post(f"{QUEUE}/verify", json={"clinic": "lab", "phone": phone}, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["verification"])


async def typed(who: Client, verification: str, code: str, **headers: str) -> httpx2.Response:
    body = {"verification": verification, "code": code}
    return await who.post(f"{QUEUE}/verify/code", json=body, headers=headers)


async def proof(house: House, who: Client, phone: str = PHONE) -> str:
    verification = await asked(who, phone)
    answer = await typed(who, verification, code(house, verification))
    return str(answer.json()["proof"])


async def enter(who: Client, **more: Any) -> httpx2.Response:
    return await who.post(f"{QUEUE}/enter", json={"clinic": "lab", "user": "TEST_1", "phone": PHONE} | more)


def code(house: House, verification: str) -> str:
    return commands_proof.code_for(house.here(), UUID(verification))


def wrong(house: House, verification: str) -> str:
    return str((int(code(house, verification)) + 1) % 10**6).zfill(6)


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_the_code_is_sent_and_lets_its_phone_in(private: House, amina: Client) -> None:
    verification = await asked(amina)
    async with private.here().write() as tx:
        (ready,) = await commands_send.take(tx, private.services, "sms", limit=5)
    assert ready.message.to == "+97455501234"
    (sent,) = re.findall(r"\d{6}", ready.message.text)
    answer = await typed(amina, verification, sent)
    entered = await enter(amina, proof=answer.json()["proof"])
    assert (entered.status_code, entered.json()["code"]) == (201, "LAB-001")


async def test_who_wants_no_messages_gets_the_code_that_they_ask_for(private: House, amina: Client) -> None:
    here = private.here()
    async with here.write() as tx:
        recipient = (await Addresses.of(tx, here, ())).index("+97455501234")
        await commands_stop.say(tx, recipient, stopped=True)
    await asked(amina)
    async with here.write() as tx:
        assert len(await commands_send.take(tx, private.services, "sms", limit=5)) == 1


async def test_the_code_is_written_down_nowhere(private: House, amina: Client) -> None:
    verification = await asked(amina)
    async with private.here().read() as tx:
        tables = ("phone_proof", "delivery", "event", "outbox")
        rows = [row["r"] for name in tables for row in await tx.rows(f"SELECT t::text AS r FROM {name} t")]
    secrets = (code(private, verification), "55501234")
    assert not any(secret in row.replace(verification, "") for row in rows for secret in secrets)


@pytest.mark.parametrize("phone", ["12", "not a number"])
async def test_a_number_that_cannot_be_reached_is_refused(amina: Client, phone: str) -> None:
    answer = await amina.post(f"{QUEUE}/verify", json={"clinic": "lab", "phone": phone})
    assert answer.status_code == 422


async def test_without_a_way_to_send_it_says_so(live: Live, house: House) -> None:
    await house.change_clinic("lab", entry=Entry.VERIFIED)
    async with live.client(house) as client:
        answer = await client.post(f"{QUEUE}/verify", json={"clinic": "lab", "phone": PHONE})
    assert problem(answer) == (409, "codes_not_sent")


async def test_whatsapp_sends_it_where_there_is_a_template(live: Live, house: House) -> None:
    await house.change_clinic("lab", entry=Entry.VERIFIED)
    made = {"phone_number_id": "12345", "token": "x", "templates": {"your_turn": "turn"}}
    async with live.client(house) as client:
        for templates, status in ((made["templates"], 409), ({"phone_code": "code"}, 201)):
            async with house.here().write() as tx:
                settings = made | {"templates": templates}
                await store_channels.save(tx, house.services.keyring, SYSTEM, "whatsapp", settings)
            answer = await client.post(f"{QUEUE}/verify", json={"clinic": "lab", "phone": PHONE})
            assert answer.status_code == status


async def test_a_clinic_that_does_not_ask_sends_none(amina: Client) -> None:
    answer = await amina.post(f"{QUEUE}/verify", json={"clinic": "xray", "phone": PHONE})
    assert problem(answer) == (409, "proof_not_asked")


async def test_a_wrong_code_is_refused_and_after_five_the_right_one_too(private: House, amina: Client) -> None:
    verification = await asked(amina)
    for _ in range(5):
        assert problem(await typed(amina, verification, wrong(private, verification))) == (403, "code_wrong")
    assert problem(await typed(amina, verification, code(private, verification))) == (403, "code_wrong")


async def test_a_code_is_good_once_and_its_repeated_request_answers_the_same(private: House, amina: Client) -> None:
    verification = await asked(amina)
    right, key = code(private, verification), {"Idempotency-Key": "typed-only-once-1"}
    first, again = [(await typed(amina, verification, right, **key)).json() for _ in range(2)]
    assert first == again
    assert problem(await typed(amina, verification, right)) == (403, "code_wrong")


async def test_a_code_dies_after_ten_minutes_and_a_proof_after_thirty(private: House, amina: Client) -> None:
    late, shown = await asked(amina), await proof(private, amina)
    private.clock.offset += timedelta(minutes=10, seconds=1)
    assert problem(await typed(amina, late, code(private, late))) == (403, "code_wrong")
    private.clock.offset += timedelta(minutes=20)
    assert problem(await enter(amina, proof=shown)) == (403, "proof_not_valid")


async def test_a_proof_is_of_its_number_its_clinic_and_its_house(live: Live, private: House, amina: Client) -> None:
    shown = await proof(private, amina)
    assert problem(await enter(amina, proof=shown, phone="+97455509999")) == (403, "proof_not_valid")
    assert problem(await enter(amina, proof=shown[:-3] + "AAA")) == (403, "proof_not_valid")
    await private.change_clinic("xray", entry=Entry.VERIFIED)
    assert problem(await enter(amina, proof=shown, clinic="xray")) == (403, "proof_not_valid")
    other = await found_house(private.services)
    await other.change_clinic("lab", entry=Entry.VERIFIED)
    async with live.client(other) as sam:
        assert problem(await enter(sam, proof=shown)) == (403, "proof_not_valid")
        assert problem(await typed(sam, await asked(amina), "000000")) == (404, "verification_not_found")


async def test_a_secret_of_another_kind_proves_nothing(private: House, amina: Client, live: Live) -> None:
    async with live.staff(private, Role.RECEPTION) as rui:
        ticket = (await enter(rui)).json()
    assert problem(await enter(amina, proof=ticket["follow"].removeprefix("/t/"))) == (403, "proof_not_valid")


async def test_who_has_proved_nothing_learns_of_nobody(private: House, amina: Client, live: Live) -> None:
    """Whether that person is there or not, and whatever they call themselves."""
    await enter(amina, proof=await proof(private, amina))
    async with live.client(private) as stranger:
        answers = [await enter(stranger, user=user, phone=PHONE) for user in ("TEST_1", "nobody")]
    assert {problem(one) for one in answers} == {(403, "entry_not_open")}
    assert answers[0].json() == answers[1].json()


async def test_the_phone_tells_who_it_is_whatever_name_is_given(private: House, amina: Client, live: Live) -> None:
    first = (await enter(amina, proof=await proof(private, amina))).json()
    async with live.client(private) as another_phone_of_hers:
        shown = await proof(private, another_phone_of_hers, "5550 1234")
        again = await enter(another_phone_of_hers, user="other", phone="5550 1234", proof=shown)
        stolen = await enter(another_phone_of_hers, user="TEST_1", proof=await proof(private, amina, "+97455507777"))
    assert (again.status_code, again.json()["ticket"], again.json()["follow"]) == (200, first["ticket"], None)
    assert stolen.json()["code"] == "proof_not_valid"


async def test_the_answer_is_the_same_for_whoever_is_known(private: House, amina: Client) -> None:
    await enter(amina, proof=await proof(private, amina))
    answers = [
        await amina.post(f"{QUEUE}/verify", json={"clinic": "lab", "phone": phone}) for phone in (PHONE, "+97455508888")
    ]
    assert [(one.status_code, sorted(one.json())) for one in answers] == [(201, ["expires_at", "verification"])] * 2


async def asked_within_limits(
    house: House, phone: str = PHONE, clinic: str = "lab", key: Key | None = None, **settings: Any
) -> str:
    """Each time from another device at another address."""
    services = house.services
    limits = RateLimiter(services.db.pool, services.keyring, metrics=services.metrics, enabled=True)
    changed = services.settings.model_copy(update=settings)
    here = house.here(services=replace(services, limits=limits, settings=changed))
    asking = replace(here, device=uuid4().hex, address=f"192.0.2.{uuid4()}", idempotency_key=key)
    answer = await verify(Verify(clinic=clinic, phone=phone), asking)
    assert answer.status_code == 201
    return str(orjson.loads(answer.body)["verification"])


async def codes_sent(house: House) -> int:
    async with house.here().read() as tx:
        return int(await tx.value("SELECT count(*) FROM delivery WHERE facility_id = %(facility_id)s"))


@pytest.mark.parametrize(
    "change",
    [
        lambda tx: changes.close_clinic(tx, SYSTEM, clinic="lab"),
        lambda tx: changes.pause_clinic(tx, SYSTEM, clinic="lab"),
        lambda tx: changes.archive_clinic(tx, SYSTEM, clinic="lab", open_tickets=None),
        lambda tx: changes.change_clinic(tx, SYSTEM, clinic="lab", settings={"entry": Entry.OPEN}),
    ],
    ids=["closed", "paused", "archived", "asks no more"],
)
async def test_what_was_answered_is_answered_again_whatever_the_clinic_does_since(
    private: House, amina: Client, change: Callable[[WriteTx], Awaitable[Any]]
) -> None:
    body, key = {"clinic": "lab", "phone": PHONE}, {"Idempotency-Key": "asked-only-once-1"}
    first = await amina.post(f"{QUEUE}/verify", json=body, headers=key)
    await typed(amina, first.json()["verification"], code(private, first.json()["verification"]))
    async with private.here().write() as tx:
        await change(tx)
    again = await amina.post(f"{QUEUE}/verify", json=body, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert (await amina.post(f"{QUEUE}/verify", json=body)).status_code in (404, 409)


async def test_what_was_answered_is_answered_again_whatever_the_limits_are(private: House) -> None:
    key = Key("device", b"asked-only-once", lambda _: (1, b"the same body"))
    first = await asked_within_limits(private, key=key, codes_per_facility_per_hour=1)
    assert await asked_within_limits(private, key=key, codes_per_facility_per_hour=1) == first
    with pytest.raises(TooManyRequests):
        await asked_within_limits(private, codes_per_facility_per_hour=1)
    assert await codes_sent(private) == 1


async def test_a_number_is_sent_no_more_codes_and_nobody_is_told(private: House, amina: Client) -> None:
    for _ in range(SENT_TO.burst + 1):
        last = await asked_within_limits(private)
    assert await codes_sent(private) == SENT_TO.burst
    assert problem(await typed(amina, last, code(private, last))) == (403, "code_wrong")


async def test_a_facility_pays_for_no_more_codes_than_it_says(private: House) -> None:
    for last in range(3):
        await asked_within_limits(private, f"+9745550123{last}", codes_per_facility_per_hour=3)
    for phone in ("+97455501230", "+97455501234"):
        with pytest.raises(TooManyRequests):
            await asked_within_limits(private, phone, codes_per_facility_per_hour=3)
    assert await codes_sent(private) == 3


async def test_what_was_not_accepted_and_what_was_elsewhere_does_not_count(private: House) -> None:
    other = await found_house(private.services)
    await other.change_clinic("lab", entry=Entry.VERIFIED)
    await use_sms(other)
    for _ in range(SENT_TO.burst):
        await asked_within_limits(other)
        with pytest.raises(ProofNotAsked):
            await asked_within_limits(private, clinic="xray")
    await asked_within_limits(private)
    assert await codes_sent(private) == 1


async def test_what_was_proved_is_forgotten_after_a_day(private: House, amina: Client) -> None:
    verification = await asked(amina)
    private.clock.offset += timedelta(days=1, minutes=1)
    await jobs.forget_proofs(private.services)
    assert problem(await typed(amina, verification, "000000")) == (404, "verification_not_found")
