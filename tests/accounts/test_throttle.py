"""Guessing is slowed down; nobody can shut a colleague out by guessing."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from dawr.accounts import commands, throttle
from dawr.accounts.rules import TooManyAttempts, WrongCredentials, WrongPassword
from dawr.platform.services import Services
from tests.accounts.conftest import Staff
from tests.conftest import PASSWORD, House


@pytest.fixture
async def staff(house: House, limited: Services) -> Staff:
    """The people of a house whose limits are on. Each test has addresses of its own."""
    return Staff(replace(house, services=limited))


def address(staff: Staff, number: int = 0) -> str:
    """An IPv6 network that no other test uses."""
    part = staff.house.facility.slug.removeprefix("house-")
    return f"2001:{0xA00 + number:x}:{part[:4]}:{part[4:8]}::1"


async def guess(staff: Staff, times: int, *, name: str = "ada", **attempt: Any) -> int:
    """Wrong passwords, until the limit speaks and says when to come back; how many were looked at."""
    for count in range(times):
        try:
            await staff.sign_in(name, f"guess number {count}", **attempt)
        except WrongCredentials:
            continue
        except TooManyAttempts as refused:
            return count if 1 <= (refused.retry_after or 0) <= 3600 else -1
    return times


async def test_guessing_from_one_address_ends_soon(staff: Staff) -> None:
    await staff.ada()
    assert await guess(staff, 20, address=address(staff)) == throttle.ADDRESS_EMAIL.burst


async def test_also_for_an_e_mail_that_has_no_account(staff: Staff) -> None:
    assert await guess(staff, 20, name="nobody", address=address(staff)) == throttle.ADDRESS_EMAIL.burst


async def test_even_the_right_password_waits_then(staff: Staff) -> None:
    await staff.ada()
    await guess(staff, 20, address=address(staff))
    with pytest.raises(TooManyAttempts):
        await staff.sign_in("ada", address=address(staff))


async def test_neighbours_in_one_ipv6_network_share_the_count(staff: Staff) -> None:
    await staff.ada()
    await guess(staff, 20, address=address(staff))
    assert await guess(staff, 1, address=address(staff) + "234") == 0


async def test_one_address_cannot_go_through_everybody(staff: Staff) -> None:
    tried = 0
    while await guess(staff, 1, name=f"somebody{tried}", address=address(staff)):
        tried += 1
    assert tried == throttle.ADDRESS.burst


async def test_a_colleague_at_another_address_is_not_held_up(staff: Staff) -> None:
    await staff.ada()
    await guess(staff, 20, address=address(staff, 1))
    assert (await staff.sign_in("ada", address=address(staff))).access_token


async def test_a_known_device_gets_in_while_the_whole_world_and_the_same_wifi_guess(staff: Staff) -> None:
    await staff.ada()
    known = (await staff.sign_in("ada", address=address(staff))).devices
    guesses = [await guess(staff, 1, address=address(staff, n)) for n in range(throttle.EMAIL.burst)]
    assert guesses == [1] * throttle.EMAIL.burst
    for place in (address(staff), address(staff, 999)):
        with pytest.raises(TooManyAttempts):
            await staff.sign_in("ada", address=place)
    assert (await staff.sign_in("ada", address=address(staff), devices=known)).access_token


async def test_a_known_device_has_a_count_of_its_own(staff: Staff) -> None:
    await staff.ada()
    known = (await staff.sign_in("ada", address=address(staff))).devices
    assert await guess(staff, 20, address=address(staff), devices=known) == throttle.DEVICE.burst
    assert (await staff.sign_in("ada", address=address(staff))).access_token


async def test_somebody_elses_device_is_no_known_one(staff: Staff) -> None:
    await staff.ada()
    await staff.dana()
    danas = (await staff.sign_in("dana", address=address(staff))).devices
    assert await guess(staff, 20, address=address(staff), devices=danas) == throttle.ADDRESS_EMAIL.burst


async def test_signing_in_rightly_counts_for_nothing(staff: Staff) -> None:
    """A whole hospital comes through one address at eight."""
    await staff.ada()
    for _ in range(throttle.ADDRESS_EMAIL.burst * 2):
        await staff.sign_in("ada", address=address(staff))
    assert await guess(staff, 20, address=address(staff)) == throttle.ADDRESS_EMAIL.burst


async def test_guesses_made_at_the_same_moment_count_each(staff: Staff) -> None:
    await staff.ada()
    tries = [staff.sign_in("ada", f"guess {n}", address=address(staff)) for n in range(25)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    kinds = [type(one) for one in outcomes]
    assert kinds.count(WrongCredentials) == throttle.ADDRESS_EMAIL.burst
    assert kinds.count(TooManyAttempts) == 25 - throttle.ADDRESS_EMAIL.burst


async def test_the_current_password_cannot_be_guessed_from_a_session(staff: Staff) -> None:
    await staff.ada()
    actor = await staff.actor("ada")
    assert actor is not None

    async def change(current: str) -> None:
        facility_id = staff.house.facility.id
        await commands.change_password(staff.services, actor, facility_id, current=current, new="another good one")

    for n in range(throttle.PASSWORD.burst):
        with pytest.raises(WrongPassword):
            await change(f"guess {n}")
    with pytest.raises(TooManyAttempts):
        await change(PASSWORD)
    assert (await staff.sign_in("ada", address=address(staff))).access_token
