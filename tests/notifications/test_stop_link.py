"""The link in a mail stops further ones, without signing in; looking at it changes nothing, and it can be taken back."""

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import httpx2
import pytest

from dawr.notifications import commands_stop
from dawr.notifications.channels.email import written
from dawr.notifications.rules import StopLinkNotFound
from dawr.notifications.rules_channels import Message
from dawr.notifications.stops import recipient_of, stop_path
from tests.appointments.conftest import Practice
from tests.appointments.conftest import practice as practice
from tests.conftest import Live, found_house
from tests.notifications.conftest import PHONE, Desk
from tests.notifications.test_appointments import happen, reachable
from tests.notifications.test_wishes import floor as floor

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
SENDER = {"sender": "queue@hospital.example"}


@pytest.fixture
def desk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """In an installation that people can reach, where the carrier brings mail."""
    settings = desk.services.settings.model_copy(update={"public_url": "https://queue.example.org"})
    monkeypatch.setattr(desk.services, "settings", settings)
    monkeypatch.setattr("dawr.notifications.commands_send.WITH_STOP_LINK", frozenset({"sms"}))
    return desk


@pytest.fixture
async def browser(live: Live, desk: Desk) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=live.url) as client:
        yield client


async def mailed(desk: Desk, practice: Practice, clock: str = "10:00", patient: UUID | None = None) -> Message:
    one = await practice.book(clock, patient=patient or await reachable(desk))
    await happen(desk, one, "appointment_booked")
    (message,) = await desk.send()
    return message


def path_of(message: Message) -> str:
    assert message.unsubscribe is not None
    return message.unsubscribe.removeprefix("https://queue.example.org")


async def test_a_mail_says_how_to_stop_and_names_nobody(desk: Desk, practice: Practice) -> None:
    message = await mailed(desk, practice)
    mail = written(message, SENDER, date="Mon, 03 Mar 2031 08:00:00 +0000")
    assert mail["List-Unsubscribe"] == f"<{message.unsubscribe}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail.get_content().strip().endswith(f"No more such messages: {message.unsubscribe}")
    assert PHONE[1:] not in path_of(message)


async def test_looking_changes_nothing_and_one_click_stops(
    desk: Desk, practice: Practice, browser: httpx2.AsyncClient
) -> None:
    patient = await reachable(desk)
    path = path_of(await mailed(desk, practice, patient=patient))
    for _ in range(2):
        assert "Stop these messages" in (await browser.get(path)).text
    assert (await browser.post(path, data=ONE_CLICK)).status_code == 200
    one = await practice.book("11:00", patient=patient)
    await happen(desk, one, "appointment_booked")
    assert await desk.send() == []
    assert (await desk.states())[-1] == ("appointment_booked", "suppressed", "opt_out")


async def test_it_can_be_taken_back(desk: Desk, practice: Practice, browser: httpx2.AsyncClient) -> None:
    patient = await reachable(desk)
    path = path_of(await mailed(desk, practice, patient=patient))
    assert "Send me messages again" in (await browser.post(path, data={"stop": "1"})).text
    assert "Stop these messages" in (await browser.post(path, data={"again": "1"})).text
    await mailed(desk, practice, "11:00", patient)


async def test_what_waits_when_somebody_stops_is_not_sent(
    desk: Desk, practice: Practice, browser: httpx2.AsyncClient
) -> None:
    patient = await reachable(desk)
    path = path_of(await mailed(desk, practice, patient=patient))
    await happen(desk, await practice.book("11:00", patient=patient), "appointment_booked")
    await browser.post(path, data=ONE_CLICK)
    assert await desk.send() == []


@pytest.mark.parametrize("change", [lambda path: path[:-2] + "AA", lambda path: path[:-9], lambda path: path + "A"])
async def test_an_address_that_is_none_of_ours_stops_nothing(
    desk: Desk, practice: Practice, browser: httpx2.AsyncClient, change: object
) -> None:
    path = path_of(await mailed(desk, practice))
    assert callable(change)
    assert (await browser.post(change(path), data=ONE_CLICK)).status_code == 404


async def test_the_link_of_one_house_stops_nothing_in_another(desk: Desk) -> None:
    other, keyring = await found_house(desk.services), desk.services.keyring
    path = stop_path(keyring, slug="x", facility=other.facility.id, recipient=b"r" * 16)
    assert recipient_of(keyring, other.facility.id, path.rpartition("/")[2]) == b"r" * 16
    with pytest.raises(StopLinkNotFound):
        commands_stop.receiver(desk.house.here(), path.rpartition("/")[2])


async def test_a_link_outlives_a_change_of_keys(desk: Desk) -> None:
    keyring, facility = desk.services.keyring, desk.house.facility.id
    token = stop_path(keyring, slug="x", facility=facility, recipient=b"r" * 16).rpartition("/")[2]
    rotated = replace(desk.services, keyring=keyring.rotate())
    assert recipient_of(rotated.keyring, facility, token) == b"r" * 16
