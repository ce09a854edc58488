"""What was taken away is gone within a second, in every process."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from dawr.accounts import commands, queries
from dawr.accounts.commands import SignedIn
from dawr.accounts.rules import SYSTEM, Actor, Role, SessionKind
from dawr.platform.errors import Unauthenticated
from dawr.platform.services import Services
from tests.accounts.conftest import Staff, by_cookie, by_token


async def seconds_until(over: Callable[[], Awaitable[bool]]) -> float:
    """How long a caller who asks all the time still gets through."""
    started = time.monotonic()
    while not await over():
        assert time.monotonic() - started < 5
        await asyncio.sleep(0.01)
    return time.monotonic() - started


async def is_out(services: Services, signed_in: SignedIn) -> bool:
    try:
        await by_token(services, signed_in)
    except Unauthenticated:
        return True
    return False


async def test_signing_out_holds_at_once_here_and_within_a_second_elsewhere(
    staff: Staff, another_process: Services
) -> None:
    await staff.ada()
    signed_in = await staff.sign_in("ada")
    assert not await is_out(another_process, signed_in)
    await commands.sign_out(staff.services, signed_in.session_id)
    assert await is_out(staff.services, signed_in)
    assert await seconds_until(lambda: is_out(another_process, signed_in)) < 1


async def test_only_the_session_meant_ends(staff: Staff) -> None:
    await staff.ada()
    here, there = await staff.sign_in("ada"), await staff.sign_in("ada")
    await commands.sign_out(staff.services, here.session_id)
    assert [await is_out(staff.services, one) for one in (here, there)] == [True, False]
    with pytest.raises(Unauthenticated):
        await commands.refresh(staff.services, here.secret)


async def test_signing_out_everywhere_ends_all(staff: Staff) -> None:
    account_id = await staff.ada()
    await staff.dana()
    tokens_, cookie = await staff.sign_in("ada"), await staff.sign_in("ada", kind=SessionKind.COOKIE)
    dana = await staff.sign_in("dana")
    await commands.sign_out_everywhere(staff.services, account_id)
    assert await is_out(staff.services, tokens_)
    assert await by_cookie(staff.services, cookie.secret) is None
    assert not await is_out(staff.services, dana)


async def test_disabling_an_account_ends_its_sessions_within_a_second(staff: Staff, another_process: Services) -> None:
    await staff.ada()
    signed_in = await staff.sign_in("ada")
    assert not await is_out(another_process, signed_in)
    await commands.disable(staff.services, email=staff.email("ada"))
    assert await seconds_until(lambda: is_out(another_process, signed_in)) < 1


async def test_losing_the_only_place_to_work_ends_them_too(staff: Staff, another_process: Services) -> None:
    account_id = await staff.dana()
    signed_in = await staff.sign_in("dana")
    assert not await is_out(another_process, signed_in)
    async with staff.services.db.write(staff.house.facility.id) as tx:
        await commands.change_membership(tx, SYSTEM, account_id, {"disabled": True})
    assert await seconds_until(lambda: is_out(another_process, signed_in)) < 1


async def test_another_role_holds_within_a_second(staff: Staff, another_process: Services) -> None:
    account_id = await staff.dana()
    signed_in = await staff.sign_in("dana")

    async def actor() -> Actor | None:
        identity = await by_token(another_process, signed_in)
        return await queries.actor_in(another_process, identity, staff.house.facility.id)

    before = await actor()
    assert before is not None
    assert before.clinics == {"lab"}
    async with staff.services.db.write(staff.house.facility.id) as tx:
        await commands.change_membership(tx, SYSTEM, account_id, {"role": Role.DISPLAY, "clinics": []})

    async def is_display() -> bool:
        found = await actor()
        return found is not None and found.role is Role.DISPLAY and not found.clinics

    assert await seconds_until(is_display) < 1


async def test_a_cookie_lives_as_long_as_it_is_used(staff: Staff) -> None:
    await staff.ada()
    cookie = (await staff.sign_in("ada", kind=SessionKind.COOKIE)).secret
    for _ in range(3):
        staff.house.clock.offset += timedelta(hours=23)
        queries.forget(staff.services)
        assert await by_cookie(staff.services, cookie)
    staff.house.clock.offset += timedelta(hours=25)
    queries.forget(staff.services)
    assert await by_cookie(staff.services, cookie) is None


async def test_and_no_longer_than_half_a_year(staff: Staff) -> None:
    await staff.ada()
    cookie = (await staff.sign_in("ada", kind=SessionKind.COOKIE)).secret
    alive_after = []
    for day in range(1, 183):
        staff.house.clock.offset += timedelta(hours=23.5)
        queries.forget(staff.services)
        if await by_cookie(staff.services, cookie):
            alive_after.append(23.5 * day / 24)
    assert 178 < max(alive_after) <= 180
