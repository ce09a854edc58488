"""A refresh token is good once. Whoever uses one again ends the session for everybody who holds it."""

import asyncio
from datetime import timedelta

import pytest

from dawr.accounts import commands, tokens
from dawr.accounts.commands import SignedIn
from dawr.accounts.rules import SESSION_LIFETIME, SYSTEM, SessionKind
from dawr.platform.errors import Unauthenticated
from tests.accounts.conftest import Staff, by_token


async def refreshed(staff: Staff, token: str) -> SignedIn:
    return await commands.refresh(staff.services, token)


async def ended(staff: Staff, signed_in: SignedIn) -> bool:
    """Whether neither token of the session is good any more."""
    try:
        await by_token(staff.services, signed_in)
    except Unauthenticated:
        return True
    return False


@pytest.fixture
async def signed_in(staff: Staff) -> SignedIn:
    await staff.ada()
    return await staff.sign_in("ada")


async def test_a_refresh_token_is_exchanged_for_the_next(staff: Staff, signed_in: SignedIn) -> None:
    second = await refreshed(staff, signed_in.secret)
    assert second.secret != signed_in.secret
    assert (await by_token(staff.services, second)).session_id == signed_in.session_id
    third = await refreshed(staff, second.secret)
    assert third.secret not in (signed_in.secret, second.secret)


async def test_an_answer_that_got_lost_is_given_again(staff: Staff, signed_in: SignedIn) -> None:
    lost = await refreshed(staff, signed_in.secret)
    staff.house.clock.offset += timedelta(seconds=9)
    assert (await refreshed(staff, signed_in.secret)).secret == lost.secret
    assert (await refreshed(staff, lost.secret)).secret


async def test_two_tabs_that_refresh_at_once_get_the_same(staff: Staff, signed_in: SignedIn) -> None:
    answers = await asyncio.gather(*(refreshed(staff, signed_in.secret) for _ in range(8)))
    assert len({one.secret for one in answers}) == 1
    assert not await ended(staff, answers[0])


async def test_a_token_used_again_later_ends_the_session(staff: Staff, signed_in: SignedIn) -> None:
    thief = await refreshed(staff, signed_in.secret)
    staff.house.clock.offset += timedelta(seconds=11)
    with pytest.raises(Unauthenticated):
        await refreshed(staff, signed_in.secret)
    assert await ended(staff, thief)
    with pytest.raises(Unauthenticated):
        await refreshed(staff, thief.secret)


async def test_one_from_before_the_last_ends_the_session_at_once(staff: Staff, signed_in: SignedIn) -> None:
    second = await refreshed(staff, signed_in.secret)
    third = await refreshed(staff, second.secret)
    with pytest.raises(Unauthenticated):
        await refreshed(staff, signed_in.secret)
    assert await ended(staff, third)


async def test_other_sessions_of_the_account_go_on(staff: Staff, signed_in: SignedIn) -> None:
    other = await staff.sign_in("ada")
    await refreshed(staff, signed_in.secret)
    staff.house.clock.offset += timedelta(seconds=11)
    with pytest.raises(Unauthenticated):
        await refreshed(staff, signed_in.secret)
    assert not await ended(staff, other)


async def test_a_month_of_silence_ends_a_session(staff: Staff, signed_in: SignedIn) -> None:
    staff.house.clock.offset += timedelta(days=29)
    second = await refreshed(staff, signed_in.secret)
    staff.house.clock.offset += timedelta(days=31)
    with pytest.raises(Unauthenticated):
        await refreshed(staff, second.secret)


async def test_even_one_in_use_does_not_live_for_ever(staff: Staff, signed_in: SignedIn) -> None:
    current = signed_in
    for _ in range(SESSION_LIFETIME.days // 20 - 1):
        staff.house.clock.offset += timedelta(days=20)
        current = await refreshed(staff, current.secret)
    staff.house.clock.offset += timedelta(days=21)
    with pytest.raises(Unauthenticated):
        await refreshed(staff, current.secret)


async def test_a_disabled_account_cannot_refresh(staff: Staff, signed_in: SignedIn) -> None:
    await commands.disable(staff.services, email=staff.email("ada"))
    with pytest.raises(Unauthenticated):
        await refreshed(staff, signed_in.secret)


async def test_nor_can_who_works_nowhere_any_more(staff: Staff) -> None:
    account_id = await staff.dana()
    signed_in = await staff.sign_in("dana")
    async with staff.services.db.write(staff.house.facility.id) as tx:
        await commands.change_membership(tx, SYSTEM, account_id, {"disabled": True})
    with pytest.raises(Unauthenticated):
        await refreshed(staff, signed_in.secret)


async def test_what_is_no_refresh_token_of_ours_is_refused(staff: Staff, signed_in: SignedIn) -> None:
    cookie = await staff.sign_in("ada", kind=SessionKind.COOKIE)
    made_up = tokens.packed(staff.house.facility.id, tokens.new_secret())
    for text in ("", "x", "é", signed_in.access_token or "", cookie.secret, made_up):
        with pytest.raises(Unauthenticated):
            await refreshed(staff, text)
    assert not await ended(staff, signed_in)
