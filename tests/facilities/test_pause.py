"""The switches: one clinic for a while, the whole facility at once, a clinic closed until it is opened."""

import asyncio

import pytest

from dawr.accounts.rules import STRANGER, Actor, Role
from dawr.facilities import commands
from dawr.facilities.rules import Clinic, ClinicNotFound, InvalidSetting
from dawr.platform.errors import Forbidden, Unauthenticated
from tests.conftest import House, found_house
from tests.facilities.conftest import Command, clinic_of, facility_of, log_of, run


async def test_pausing_a_clinic_is_seen_at_once_and_tells_why(house: House) -> None:
    paused = await run(house, house.rui, commands.pause_clinic, clinic="lab", reason="fire drill")
    assert (paused.paused, paused.pause_reason) == (True, "fire drill")
    assert await clinic_of(house) == paused
    assert not (await clinic_of(house, "xray")).paused


async def test_resuming_forgets_the_reason(house: House) -> None:
    await run(house, house.rui, commands.pause_clinic, clinic="lab", reason="fire drill")
    resumed = await run(house, house.rui, commands.resume_clinic, clinic="lab")
    assert (resumed.paused, resumed.pause_reason) == (False, None)


async def test_the_log_names_the_switch_and_who_pressed_it_but_not_the_words(house: House) -> None:
    rui = house.rui
    await run(house, rui, commands.pause_clinic, clinic="lab", reason="Dr Amina is ill")
    last = (await log_of(house, "clinic:lab"))[-1]
    assert (last.type, last.actor) == ("clinic_paused", f"account:{rui.account_id}")
    assert last.data == {"changed": ["paused", "pause_reason"], "to": {"paused": True}}


@pytest.mark.parametrize("verb", [commands.pause_clinic, commands.close_clinic])
async def test_pressing_a_switch_twice_is_one_event(house: House, verb: Command[Clinic]) -> None:
    first = await run(house, house.ada, verb, clinic="lab")
    again = await run(house, house.ada, verb, clinic="lab")
    assert first == again
    assert len(await log_of(house, "clinic:lab")) == 2


async def test_two_who_pause_together_make_one_event(house: House) -> None:
    await asyncio.gather(*(run(house, house.rui, commands.pause_clinic, clinic="lab") for _ in range(6)))
    assert [one.type for one in await log_of(house, "clinic:lab")] == ["clinic_created", "clinic_paused"]


async def test_a_doctor_pauses_their_own_clinic_alone(house: House) -> None:
    await run(house, house.dana, commands.pause_clinic, clinic="lab")
    with pytest.raises(Forbidden):
        await run(house, house.dana, commands.pause_clinic, clinic="xray")


async def test_a_display_pauses_nothing_and_a_stranger_is_asked_to_sign_in(house: House) -> None:
    with pytest.raises(Forbidden):
        await run(house, Actor(kind="staff", role=Role.DISPLAY), commands.pause_clinic, clinic="lab")
    with pytest.raises(Unauthenticated):
        await run(house, STRANGER, commands.resume_clinic, clinic="lab")


async def test_the_clinics_of_another_facility_are_not_there(house: House) -> None:
    other = await found_house(house.services)
    await run(other, other.ada, commands.create_clinic, clinic="ent", settings={"name": {"en": "E"}, "prefix": "E"})
    with pytest.raises(ClinicNotFound):
        await run(house, house.ada, commands.pause_clinic, clinic="ent")
    await run(house, house.ada, commands.pause_clinic, clinic="lab")
    assert not (await clinic_of(other)).paused


async def test_the_kill_switch_pauses_every_clinic(house: House) -> None:
    paused = await run(house, house.ada, commands.pause_facility, reason="power cut")
    assert (paused.paused, paused.pause_reason) == (True, "power cut")
    assert [(await clinic_of(house, one)).paused for one in ("lab", "xray")] == [True, True]
    assert not (await clinic_of(house)).paused_itself


async def test_after_the_kill_switch_what_was_paused_itself_stays_paused(house: House) -> None:
    await run(house, house.ada, commands.pause_clinic, clinic="lab")
    await run(house, house.ada, commands.pause_facility, reason="power cut")
    await run(house, house.ada, commands.resume_facility)
    assert [(await clinic_of(house, one)).paused for one in ("lab", "xray")] == [True, False]
    assert [one.type for one in await log_of(house, "facility")] == [
        "facility_created",
        "facility_paused",
        "facility_resumed",
    ]


async def test_resuming_a_clinic_while_all_is_paused_leaves_it_paused(house: House) -> None:
    await run(house, house.ada, commands.pause_clinic, clinic="lab")
    await run(house, house.ada, commands.pause_facility, reason="power cut")
    resumed = await run(house, house.ada, commands.resume_clinic, clinic="lab")
    assert (resumed.paused, resumed.paused_itself) == (True, False)


async def test_the_kill_switch_is_the_administrators_and_asks_for_a_reason(house: House) -> None:
    with pytest.raises(Forbidden):
        await run(house, house.rui, commands.pause_facility, reason="power cut")
    with pytest.raises(InvalidSetting):
        await run(house, house.ada, commands.pause_facility, reason=" ")
    assert not (await facility_of(house)).paused


async def test_a_clinic_is_closed_until_it_is_opened(house: House) -> None:
    closed = await run(house, house.ada, commands.close_clinic, clinic="lab")
    opened = await run(house, house.ada, commands.open_clinic, clinic="lab")
    now = house.clock.now()
    assert [closed.is_open(now, "Asia/Qatar"), opened.is_open(now, "Asia/Qatar")] == [False, True]
    assert [one.type for one in await log_of(house, "clinic:lab")][1:] == ["clinic_closed", "clinic_opened"]


async def test_reception_does_not_close_a_clinic(house: House) -> None:
    with pytest.raises(Forbidden):
        await run(house, house.rui, commands.close_clinic, clinic="lab")
