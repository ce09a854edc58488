"""One cast: Ada (administrator), Rui (reception), Dana (doctor of the lab), Otto (operator), Sam (from another facility)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import httpx2
import pytest

from dawr.accounts import commands, passwords, queries
from dawr.accounts.commands import Attempt, Person, Post, SignedIn
from dawr.accounts.rules import SYSTEM, Actor, Identity, Role, SessionKind
from dawr.platform.db import Database
from dawr.platform.metrics import Metrics
from dawr.platform.ratelimit import RateLimiter
from dawr.platform.services import Services
from tests.conftest import PASSWORD, SLOW_HASHER, House, Live, found_house

ADDRESS = "192.0.2.7"


@dataclass
class Staff:
    """The people of one facility; each method acts as the program around it does."""

    house: House

    @property
    def services(self) -> Services:
        return self.house.services

    def email(self, name: str) -> str:
        return f"{name}@{self.house.facility.slug}.test"

    async def hire(self, name: str, role: Role | None = None, *, operator: bool = False, **post: Any) -> UUID:
        """Somebody with an account and ``PASSWORD``, and a role here."""
        operator = operator or role is Role.OPERATOR
        person = Person(self.email(name), name.title(), passwords.HASHER.hash(PASSWORD), operator=operator)
        async with self.services.db.write(self.house.facility.id) as tx:
            account_id, _ = await commands.create_account(tx, self.services.keyring, person)
            if role not in (None, Role.OPERATOR):
                await commands.add_membership(tx, SYSTEM, account_id, Post(role, **post))
        return account_id

    async def ada(self) -> UUID:
        return await self.hire("ada", Role.ADMINISTRATOR)

    async def dana(self) -> UUID:
        return await self.hire("dana", Role.DOCTOR, clinics=["lab"], doctor="dana")

    async def sign_in(
        self, name: str, password: str = PASSWORD, *, kind: SessionKind = SessionKind.TOKEN, **attempt: Any
    ) -> SignedIn:
        made = Attempt(self.email(name), password, kind, **({"address": ADDRESS} | attempt))
        return await commands.sign_in(self.services, made)

    async def actor(self, name: str) -> Actor | None:
        """What somebody who has signed in is in this facility."""
        identity = await by_token(self.services, await self.sign_in(name))
        return await queries.actor_in(self.services, identity, self.house.facility.id)


async def by_token(services: Services, signed_in: SignedIn) -> Identity:
    """Whom a request with this access token is answered for."""
    authorization = f"Bearer {signed_in.access_token}"
    found = await queries.identify(
        services, authorization=authorization, cookie=None, csrf=None, method="GET", same_origin=None
    )
    assert found is not None
    return found


async def by_cookie(services: Services, cookie: str | None, **request: Any) -> Identity | None:
    asked = {"method": "GET", "csrf": None, "same_origin": None} | request
    return await queries.identify(services, authorization=None, cookie=cookie, **asked)


@pytest.fixture
def in_earnest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords cost what they do in the product."""
    monkeypatch.setattr(passwords, "HASHER", SLOW_HASHER)


@pytest.fixture
def staff(house: House) -> Staff:
    return Staff(house)


@pytest.fixture
async def elsewhere(services: Services) -> Staff:
    """Another facility of the same installation."""
    return Staff(await found_house(services))


@pytest.fixture
async def another_process(services: Services) -> AsyncIterator[Services]:
    """The same installation as another server has it: the same keys and database, its own pool and its own memory."""
    db = Database(services.db.url, clock=services.clock, metrics=Metrics(), size=4)
    await db.open()
    yield replace(services, db=db)
    await db.close()


@pytest.fixture
async def limited(services: Services) -> Services:
    """The same services with their limits switched on."""
    limits = RateLimiter(services.db.pool, services.keyring, metrics=services.metrics, enabled=True)
    return replace(services, limits=limits)


@pytest.fixture
async def client(live: Live, house: House) -> AsyncIterator[httpx2.AsyncClient]:
    """A program, or a browser: it keeps its cookies."""
    async with live.client(house, headers={"Accept-Language": "en"}) as made:
        yield made
