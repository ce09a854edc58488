"""Who may take a ticket, and the code on a clinic's poster."""

from dataclasses import replace

import pytest

from dawr.accounts.rules import STRANGER, SYSTEM, Actor, Role
from dawr.facilities import commands, queries
from dawr.facilities.rules import Clinic, Entry, EntryNotOpen
from tests.conftest import House, found_house
from tests.facilities.conftest import clinic_of, run

DISPLAY = Actor(kind="staff", role=Role.DISPLAY)


def enters(house: House, clinic: Clinic, actor: Actor = STRANGER, code: str | None = None) -> bool:
    try:
        queries.require_entry(house.services, clinic, actor, code)
    except EntryNotOpen:
        return False
    return True


@pytest.mark.parametrize("entry", Entry)
async def test_without_a_code_only_an_open_clinic_takes_strangers(house: House, entry: Entry) -> None:
    assert enters(house, await house.change_clinic("lab", entry=entry)) == (entry is Entry.OPEN)


@pytest.mark.parametrize("entry", Entry)
async def test_staff_of_the_queue_always_give_tickets(house: House, entry: Entry) -> None:
    lab = await house.change_clinic("lab", entry=entry)
    assert all(enters(house, lab, actor) for actor in (house.ada, house.rui, house.dana, SYSTEM))


async def test_other_staff_are_like_strangers(house: House) -> None:
    xray = await house.change_clinic("xray", entry=Entry.STAFF)
    assert not enters(house, xray, DISPLAY)
    assert not enters(house, xray, house.dana)


@pytest.mark.parametrize("entry", Entry)
async def test_the_posters_code_opens_where_the_clinic_asks_for_it(house: House, entry: Entry) -> None:
    lab = await house.change_clinic("lab", entry=entry)
    code = queries.entry_code(house.services, lab)
    assert enters(house, lab, code=code) == (entry in (Entry.OPEN, Entry.QR))


@pytest.mark.parametrize("wrong", ["", "1", "1.", "1.aaaaaaaaaaaaaaaa", "99.aaaaaaaaaaaaaaaa", "١.مختبر", "x" * 100])
async def test_a_wrong_code_opens_nothing(house: House, wrong: str) -> None:
    assert not enters(house, await house.change_clinic("lab", entry=Entry.QR), code=wrong)


async def test_a_code_opens_one_clinic_of_one_facility(house: House) -> None:
    lab = await house.change_clinic("lab", entry=Entry.QR)
    other = await found_house(house.services)
    foreign = queries.entry_code(house.services, await clinic_of(other))
    beside = queries.entry_code(house.services, await clinic_of(house, "xray"))
    assert not enters(house, lab, code=foreign)
    assert not enters(house, lab, code=beside)


async def test_a_renewed_poster_ends_the_one_before(house: House) -> None:
    await house.change_clinic("lab", entry=Entry.QR)
    old = queries.entry_code(house.services, await clinic_of(house))
    renewed = await run(house, house.ada, commands.renew_poster, clinic="lab")
    assert not enters(house, renewed, code=old)
    assert enters(house, renewed, code=queries.entry_code(house.services, renewed))


async def test_a_poster_outlives_the_rotation_of_the_keys_until_its_key_is_retired(house: House) -> None:
    lab = await house.change_clinic("lab", entry=Entry.QR)
    printed = queries.entry_code(house.services, lab)
    rotated = house.services.keyring.rotate()
    later = replace(house, services=replace(house.services, keyring=rotated))
    assert enters(later, lab, code=printed)
    ended = replace(house, services=replace(house.services, keyring=rotated.retire(1)))
    assert not enters(ended, lab, code=printed)
