"""Who gets in, and what everybody else is told."""

import io
import statistics
import time

import pytest
from argon2 import PasswordHasher

from dawr.accounts import commands, passwords, tokens
from dawr.accounts import store_directory as directory
from dawr.accounts.rules import Role, SessionKind, WrongCredentials
from dawr.platform import logging
from tests.accounts.conftest import Staff, by_cookie, by_token
from tests.conftest import PASSWORD


async def test_a_colleague_gets_tokens_that_name_them(staff: Staff) -> None:
    account_id = await staff.ada()
    signed_in = await staff.sign_in("ada")
    identity = await by_token(staff.services, signed_in)
    assert (identity.account_id, identity.kind) == (account_id, SessionKind.TOKEN)
    assert identity.home == staff.house.facility.id
    assert (signed_in.expires_in, signed_in.csrf) == (900, None)


async def test_the_address_may_be_written_in_capitals(staff: Staff) -> None:
    await staff.ada()
    attempt = commands.Attempt(f" {staff.email('ada').upper()} ", PASSWORD, SessionKind.TOKEN, "192.0.2.7")
    assert (await commands.sign_in(staff.services, attempt)).access_token


async def test_a_page_gets_a_cookie_and_no_tokens(staff: Staff) -> None:
    account_id = await staff.ada()
    signed_in = await staff.sign_in("ada", kind=SessionKind.COOKIE)
    assert (signed_in.access_token, signed_in.csrf is None) == (None, False)
    identity = await by_cookie(staff.services, signed_in.secret)
    assert identity is not None
    assert identity.account_id == account_id


@pytest.mark.parametrize(("name", "password"), [("ada", "not her password"), ("nobody", PASSWORD), ("ada", "")])
async def test_wrong_password_and_unknown_address_hear_the_same(staff: Staff, name: str, password: str) -> None:
    await staff.ada()
    with pytest.raises(WrongCredentials) as refused:
        await staff.sign_in(name, password)
    assert (refused.value.code, refused.value.detail, refused.value.extra) == ("wrong_credentials", None, {})


@pytest.mark.usefixtures("in_earnest")
async def test_they_also_wait_as_long(staff: Staff) -> None:
    await staff.ada()

    async def seconds(name: str) -> float:
        started = time.perf_counter()
        with pytest.raises(WrongCredentials):
            await staff.sign_in(name, "not the password")
        return time.perf_counter() - started

    known, unknown = [], []
    for n in range(9):
        known.append(await seconds("ada"))
        unknown.append(await seconds(f"nobody{n}"))
    # Without the work for nobody's password it would be a tenth.
    assert 1 / 3 < statistics.median(unknown) / statistics.median(known) < 3


async def test_who_was_disabled_everywhere_stays_out(staff: Staff) -> None:
    await staff.ada()
    await commands.disable(staff.services, email=staff.email("ada"))
    with pytest.raises(WrongCredentials):
        await staff.sign_in("ada")
    await commands.disable(staff.services, email=staff.email("ada"), disabled=False)
    assert (await staff.sign_in("ada")).access_token


async def test_who_works_nowhere_stays_out_and_an_operator_works_everywhere(staff: Staff) -> None:
    await staff.hire("nina")
    with pytest.raises(WrongCredentials):
        await staff.sign_in("nina")
    await staff.hire("otto", Role.OPERATOR)
    identity = await by_token(staff.services, await staff.sign_in("otto"))
    assert (identity.operator, identity.facilities) == (True, ())


async def test_a_hash_with_old_parameters_is_made_anew(staff: Staff) -> None:
    account_id = await staff.ada()
    weak = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    async with staff.services.db.write() as tx:
        await directory.set_password(tx, account_id, weak, temporary=False)
    await staff.sign_in("ada")
    async with staff.services.db.read() as tx:
        login = await directory.login(tx, staff.services.keyring, staff.email("ada"))
    assert login is not None
    assert not passwords.outdated(login.password_hash)
    assert (await staff.sign_in("ada")).access_token


async def test_signing_in_again_in_one_browser_ends_the_session_before(staff: Staff) -> None:
    await staff.ada()
    first = await staff.sign_in("ada", kind=SessionKind.COOKIE)
    second = await staff.sign_in("ada", kind=SessionKind.COOKIE, replaces=first.secret)
    assert await by_cookie(staff.services, first.secret) is None
    assert await by_cookie(staff.services, second.secret)


async def test_a_made_up_cookie_ends_nobodys_session(staff: Staff) -> None:
    await staff.ada()
    first = await staff.sign_in("ada", kind=SessionKind.COOKIE)
    forged = tokens.packed(first.session_id, tokens.new_secret())
    await staff.sign_in("ada", kind=SessionKind.COOKIE, replaces=forged)
    assert await by_cookie(staff.services, first.secret)


async def test_the_log_names_no_address_and_no_secret(staff: Staff) -> None:
    await staff.ada()
    written = io.StringIO()
    logging.configure("debug", json=True, stream=written)
    try:
        signed_in = await staff.sign_in("ada")
        with pytest.raises(WrongCredentials):
            await staff.sign_in("ada", "not her password")
        await commands.refresh(staff.services, signed_in.secret)
    finally:
        logging.configure("info")
    text = written.getvalue()
    assert "signed_in" in text
    secrets = (staff.email("ada"), PASSWORD, "not her password", signed_in.secret, signed_in.access_token, "192.0.2.7")
    assert not [one for one in secrets if str(one) in text]
