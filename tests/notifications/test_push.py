"""A browser is told what becomes of an appointment, for whoever holds the appointment's secret."""

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import httpx2
import pytest

from dawr.accounts.rules import SYSTEM
from dawr.appointments import commands, queries
from dawr.appointments.rules import Appointment
from dawr.notifications import jobs, store_channels
from dawr.notifications.channel import use
from dawr.notifications.channels.push import Push
from dawr.notifications.store_channels import About, Subscription
from dawr.patients import commands as patients
from dawr.platform.ids import new_id
from tests.appointments.conftest import Practice
from tests.appointments.conftest import practice as practice
from tests.appointments.test_earlier import wait, waits
from tests.conftest import House, Live, found_house
from tests.notifications.test_channel_settings import BROWSER

ENDPOINT = str(BROWSER["endpoint"])


def path(one: Appointment, stop: str = "") -> str:
    return f"/api/v1/appointments/{one.appointment}/push{stop}"


def secret(house: House, one: Appointment) -> dict[str, str]:
    return {"Appointment-Secret": queries.follow_of(house.here(), one.appointment).removeprefix("/a/")}


async def follow(house: House, one: Appointment, endpoint: str = ENDPOINT) -> None:
    made = Subscription(endpoint, str(BROWSER["p256dh"]), str(BROWSER["auth"]))
    async with house.here().write() as tx:
        about = About("appointment", one.appointment)
        await store_channels.subscribe(tx, house.services.keyring, about, id=new_id(tx.now), made=made)


async def browsers(house: House, one: Appointment) -> int:
    async with house.here().read() as tx:
        return len(await store_channels.subscriptions(tx, About("appointment", one.appointment)))


async def told(practice: Practice, one: Appointment, type_: str, **more: Any) -> list[tuple[str, str]]:
    """What the outbox does after the appointment's change; moment and channel of what is to be sent."""
    services, facility = practice.house.services, practice.house.facility
    with patch.dict(services.additions):
        use(services, [Push(services)])
        async with practice.house.here().write() as tx:
            await store_channels.save(tx, services.keyring, SYSTEM, "push", {"contact": "mailto:it@example.org"})
        payload = {"appointment": str(one.appointment), "type": type_} | more
        await jobs.appointment_event(services, facility.id, payload)
    async with practice.house.here().read() as tx:
        rows = await tx.rows("SELECT moment, channel FROM delivery WHERE status = 'pending' ORDER BY delivery")
    return [(row["moment"], row["channel"]) for row in rows]


@pytest.fixture
async def one(practice: Practice) -> Appointment:
    return await practice.book("16:00")


async def test_whoever_holds_the_secret_subscribes_and_stops(live: Live, house: House, one: Appointment) -> None:
    async with live.client(house) as phone:
        for _ in range(2):
            answer = await phone.post(path(one), json=BROWSER, headers=secret(house, one))
            assert answer.status_code == 201, answer.text
        assert await browsers(house, one) == 1
        end = await phone.post(path(one, "/stop"), json={"endpoint": ENDPOINT}, headers=secret(house, one))
    assert end.json() == {"appointment": str(one.appointment), "subscribed": False}
    assert await browsers(house, one) == 0


async def test_nobody_else_subscribes(live: Live, house: House, practice: Practice, one: Appointment) -> None:
    other = await practice.book("15:00")

    async def asked(client: httpx2.AsyncClient, headers: dict[str, str]) -> int:
        return (await client.post(path(one), json=BROWSER, headers=headers)).status_code

    async with live.client(house) as phone, live.client(await found_house(live.services)) as elsewhere:
        assert await asked(phone, {}) == 401
        assert await asked(phone, secret(house, other)) == 404
        assert await asked(elsewhere, secret(house, one)) == 404
    assert await browsers(house, one) == 0


async def test_an_appointment_has_so_many_browsers(house: House, one: Appointment) -> None:
    for n in range(store_channels.MOST_SUBSCRIPTIONS + 2):
        await follow(house, one, f"https://push.example.org/{n}")
    assert await browsers(house, one) == store_channels.MOST_SUBSCRIPTIONS


async def test_it_is_told_of_a_change_and_reminded(practice: Practice, one: Appointment) -> None:
    await follow(practice.house, one)
    moved = await practice.move(one, "15:00")
    await told(practice, moved, "appointment_rescheduled")
    news = await told(practice, moved, "reminder", start=moved.starts.isoformat(), minutes=120)
    assert news == [("appointment_changed", "push"), ("appointment_reminder", "push")]


async def test_it_is_told_of_a_cancellation(practice: Practice, one: Appointment) -> None:
    await follow(practice.house, one)
    await practice.step(commands.cancel, one)
    assert await told(practice, one, "appointment_cancelled") == [("appointment_cancelled", "push")]


async def test_whoever_waits_for_an_earlier_slot_is_told_of_it_once(practice: Practice) -> None:
    first, mine = await practice.book("10:00"), await practice.book("10:15")
    await wait(practice, mine)
    await follow(practice.house, mine)
    await practice.step(commands.cancel, first)
    waiting = await waits(practice, mine)
    assert waiting is not None
    assert waiting.offered is not None
    async with practice.house.here().read() as tx:
        offered = await queries.appointment(tx, waiting.offered)
    await follow(practice.house, offered)
    assert await browsers(practice.house, offered) == 1
    assert await told(practice, offered, "appointment_offered") == [("appointment_offered", "push")]


async def test_it_is_kept_until_the_appointment_is_over(practice: Practice, one: Appointment) -> None:
    await follow(practice.house, one)
    for passed, left in ((-timedelta(minutes=1), 1), (timedelta(minutes=1), 0)):
        async with practice.house.here().write() as tx:
            await tx.execute("UPDATE push_subscription SET created_at = created_at - interval '30 days'")
            await store_channels.forget_old(tx, before=one.starts + passed)
        assert await browsers(practice.house, one) == left


async def test_nothing_is_kept_of_who_is_erased(practice: Practice, one: Appointment) -> None:
    house = practice.house
    await follow(house, one)
    here = house.here(house.ada)
    async with here.write() as tx:
        await patients.erase(tx, here, one.patient, "asked for it")
    assert await browsers(house, one) == 0
