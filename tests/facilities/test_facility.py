"""Founding and changing a facility, and which of several is the default."""

import asyncio
import secrets
from datetime import time

import pytest

from dawr.accounts.rules import SYSTEM, Actor
from dawr.facilities import commands, queries
from dawr.facilities.rules import ChangedMeanwhile, Facility, SlugTaken, UnknownZone
from dawr.facilities.rules_settings import FacilitySettings
from dawr.platform.errors import Forbidden
from dawr.platform.ids import new_id
from dawr.platform.services import Services
from tests.conftest import House, make_services, new_database
from tests.facilities.conftest import facility_of, log_of, run

OPERATOR = Actor(kind="staff", operator=True)
SETTINGS = FacilitySettings(name={"en": "City"}, zone="Asia/Kolkata", languages=("en", "hi"))


async def found(services: Services, slug: str, *, actor: Actor = SYSTEM, as_default: bool = False) -> Facility:
    async with services.db.write(new_id(services.clock.now())) as tx:
        return await commands.create_facility(tx, actor, slug=slug, settings=SETTINGS, as_default=as_default)


def some_slug() -> str:
    return f"city-{secrets.token_hex(5)}"


async def test_the_operator_founds_a_facility(services: Services) -> None:
    slug = some_slug()
    made = await found(services, slug, actor=OPERATOR)
    assert (made.zone, made.pivot, made.languages, made.version) == ("Asia/Kolkata", time(0), ("en", "hi"), 1)
    assert await queries.locate(services, slug=slug) == made


async def test_facilities_are_numbered_apart(services: Services) -> None:
    made = await asyncio.gather(*(found(services, some_slug()) for _ in range(5)))
    assert len({one.no for one in made}) == 5


async def test_an_administrator_founds_none(house: House) -> None:
    with pytest.raises(Forbidden):
        await found(house.services, some_slug(), actor=house.ada)


async def test_a_short_name_is_given_once(services: Services) -> None:
    slug = some_slug()
    answers = await asyncio.gather(*(found(services, slug) for _ in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == ["Facility", "SlugTaken", "SlugTaken", "SlugTaken"]
    assert SlugTaken in map(type, answers)


async def test_a_refused_facility_leaves_nothing_behind(services: Services) -> None:
    slug = some_slug()
    async with services.db.write(new_id(services.clock.now())) as tx:
        with pytest.raises(UnknownZone):
            await commands.create_facility(tx, SYSTEM, slug=slug, settings=SETTINGS | {"zone": "Mars"})
    assert await queries.locate(services, slug=slug) is None


async def test_what_is_not_sent_stays(house: House) -> None:
    changed = await run(house, house.ada, commands.change_facility, settings={"pivot": time(4, 30)})
    assert (changed.pivot, changed.zone, changed.version) == (time(4, 30), "Asia/Qatar", 2)
    assert await facility_of(house) == changed
    assert (await log_of(house, "facility"))[-1].data == {"changed": ["pivot"], "to": {"pivot": "04:30"}}


async def test_a_change_of_nothing_is_no_event(house: House) -> None:
    await run(house, house.ada, commands.change_facility, settings={"zone": "Asia/Qatar"})
    assert len(await log_of(house, "facility")) == 1


async def test_who_read_an_earlier_version_is_told_the_present_one(house: House) -> None:
    await run(house, house.ada, commands.change_facility, settings={"grace_minutes": 30}, version=1)
    with pytest.raises(ChangedMeanwhile) as refused:
        await run(house, house.ada, commands.change_facility, settings={"grace_minutes": 60}, version=1)
    assert refused.value.extra["current"]["version"] == 2
    assert (await facility_of(house)).grace_minutes == 30


@pytest.mark.parametrize("who", ["rui", "dana"])
async def test_only_administrators_change_settings(house: House, who: str) -> None:
    with pytest.raises(Forbidden):
        await run(house, getattr(house, who), commands.change_facility, settings={"zone": "UTC"})


async def test_the_first_facility_is_the_default_until_another_is_chosen(
    server_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    services = make_services(new_database(server_url), tmp_path_factory.mktemp("default"))
    await services.db.open()
    try:
        assert await queries.locate(services) is None
        first, second = await found(services, "first"), await found(services, "second")
        assert await queries.locate(services) == first
        async with services.db.write(second.id) as tx:
            await commands.make_default_facility(tx, OPERATOR)
        assert (await queries.locate(services) or first).slug == "second"
        third = await found(services, "third", as_default=True)
        assert await queries.locate(services) == third
        assert [one.is_default for one in await queries.listed(services)] == [False, False, True]
    finally:
        await services.db.close()


async def test_a_taken_name_does_not_unseat_the_default(house: House) -> None:
    before = [one for one in await queries.listed(house.services) if one.is_default]
    with pytest.raises(SlugTaken):
        await found(house.services, house.facility.slug, as_default=True)
    assert [one for one in await queries.listed(house.services) if one.is_default] == before
