"""Passwords are hashed slowly, off the event loop, and never by more than a few at a time."""

import asyncio
import time

import pytest
from argon2 import PasswordHasher, extract_parameters

from dawr.accounts import passwords, rules
from dawr.platform.errors import Unavailable
from tests.conftest import QUICK_HASHER

pytestmark = pytest.mark.usefixtures("in_earnest")


async def test_only_the_right_password_fits() -> None:
    known = await passwords.hashed("correct horse battery")
    assert await passwords.verified(known, "correct horse battery")
    assert not await passwords.verified(known, "correct horse batterY")
    assert not await passwords.verified(known, " correct horse battery")


async def test_the_parameters_are_owasps_and_the_salt_is_fresh() -> None:
    one, other = await passwords.hashed("same same same"), await passwords.hashed("same same same")
    parameters = extract_parameters(one)
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19 * 1024, 2, 1)
    assert one.startswith("$argon2id$")
    assert one != other


async def test_nobody_has_a_password_but_costs_as_much_as_somebody() -> None:
    assert not passwords.outdated(passwords.NOBODY)
    assert not await passwords.verified(None, "correct horse battery")
    assert not await passwords.verified(None, "")


async def test_two_keyboards_write_the_same_letter() -> None:
    known = await passwords.hashed("café au lait")
    assert await passwords.verified(known, "cafe\u0301 au lait")


async def test_a_broken_hash_fits_nothing() -> None:
    assert not await passwords.verified("$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA", "x")


def test_other_parameters_are_outdated() -> None:
    weaker = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash("old habits here")
    assert passwords.outdated(weaker)


async def test_the_loop_goes_on_while_passwords_are_hashed() -> None:
    hashing = asyncio.gather(*(passwords.hashed(f"password {n}") for n in range(6)))
    worst, last = 0.0, time.perf_counter()
    while not hashing.done():
        await asyncio.sleep(0.001)
        worst, last = max(worst, time.perf_counter() - last), time.perf_counter()
    assert worst < 0.5
    assert len(set(await hashing)) == 6


async def test_a_flood_is_told_to_come_back_instead_of_queueing_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "HASHER", QUICK_HASHER)
    flood = [asyncio.create_task(passwords.hashed(f"password {n}")) for n in range(passwords.MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refused:
        await passwords.hashed("one too many")
    assert refused.value.retry_after == 2
    await asyncio.gather(*flood)
    assert await passwords.hashed("there is room again")


def test_what_is_generated_is_long_readable_and_always_another() -> None:
    made = {passwords.generated() for _ in range(50)}
    assert len(made) == 50
    for one in made:
        rules.check_password(one, email="a@b.c")
        assert set(one) <= set("abcdefghijkmnpqrstuvwxyz23456789-")
        assert len(one) == 24
