"""Finding a facility: by short name, number or id, at most a second old, asked once by many."""

import asyncio
import time
from dataclasses import replace
from datetime import time as time_of_day
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from dawr.facilities import commands, queries
from dawr.platform.errors import Unavailable
from tests.conftest import House, make_services
from tests.facilities.conftest import facility_of, run


async def test_a_facility_is_found_by_each_of_its_addresses(house: House) -> None:
    there, services = house.facility, house.services
    assert await queries.locate(services, slug=there.slug) == there
    assert await queries.locate(services, no=there.no) == there
    assert await queries.locate(services, id=there.id) == there


@pytest.mark.parametrize(
    "address", [{"slug": "nowhere"}, {"slug": "NO/WHERE"}, {"no": 0}, {"no": 2**40}, {"id": UUID(int=7)}]
)
async def test_what_is_nowhere_is_not_found(house: House, address: dict[str, object]) -> None:
    assert await queries.locate(house.services, **address) is None  # type: ignore[arg-type]


async def test_the_setting_chooses_the_default(house: House) -> None:
    chosen = house.services.settings.model_copy(update={"default_facility": house.facility.slug})
    assert await queries.locate(replace(house.services, settings=chosen)) == house.facility


async def test_a_change_is_seen_at_once_in_the_process_that_made_it(house: House) -> None:
    await queries.locate(house.services, slug=house.facility.slug)
    await run(house, house.ada, commands.change_facility, settings={"pivot": time_of_day(3)})
    assert await queries.locate(house.services, slug=house.facility.slug) == await facility_of(house)


async def test_many_who_ask_together_ask_once(house: House) -> None:
    transactions = house.services.metrics.db_transactions.labels(outcome="committed")._value
    before = transactions.get()
    asked = [queries.locate(house.services, slug=house.facility.slug) for _ in range(50)]
    assert set(map(repr, await asyncio.gather(*asked))) == {repr(house.facility)}
    assert transactions.get() - before == 2


async def test_one_that_is_asked_for_again_and_again_is_looked_for_before_its_second_is_over(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(queries, "time", SimpleNamespace(monotonic=lambda: now))
    transactions = house.services.metrics.db_transactions.labels(outcome="committed")._value
    await queries.locate(house.services, slug=house.facility.slug)
    before = transactions.get()
    now += queries.LOCATED_SECONDS * 0.4
    await queries.locate(house.services, slug=house.facility.slug)
    assert transactions.get() == before
    now += queries.LOCATED_SECONDS * 0.2
    waited_for = asyncio.ensure_future(queries.locate(house.services, slug=house.facility.slug))
    await asyncio.sleep(0)
    assert waited_for.done()
    while transactions.get() < before + 2:
        await asyncio.sleep(0.001)
    now += queries.LOCATED_SECONDS * 0.8
    waited_for = asyncio.ensure_future(queries.locate(house.services, slug=house.facility.slug))
    await asyncio.sleep(0)
    assert waited_for.done()
    assert await waited_for == house.facility


async def test_what_was_read_before_a_change_is_not_kept_after_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, changed = asyncio.Event(), asyncio.Event()
    find = queries._find

    async def slowly(*asked: Any) -> Any:
        found = await find(*asked)
        read.set()
        await changed.wait()
        return found

    monkeypatch.setattr(queries, "_find", slowly)
    early = asyncio.ensure_future(queries.locate(house.services, slug=house.facility.slug))
    await read.wait()
    await run(house, house.ada, commands.change_facility, settings={"pivot": time_of_day(3)})
    changed.set()
    await early
    assert await queries.locate(house.services, slug=house.facility.slug) == await facility_of(house)


async def test_one_who_hangs_up_does_not_answer_for_the_others(house: House) -> None:
    first = asyncio.ensure_future(queries.locate(house.services, slug=house.facility.slug))
    second = asyncio.ensure_future(queries.locate(house.services, slug=house.facility.slug))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == house.facility


async def test_every_facility_is_listed_in_the_order_they_were_made(house: House) -> None:
    every = await queries.every_facility(house.services)
    numbers = [one.no for one in await queries.listed(house.services)]
    assert every[numbers.index(house.facility.no)] == house.facility.id
    assert numbers == sorted(numbers)


async def test_without_the_database_nobody_is_told_that_a_facility_does_not_exist(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    services = make_services("postgresql://nobody@127.0.0.1:1/none", tmp_path_factory.mktemp("away"))
    await services.db.pool.open()
    try:
        with pytest.raises(Unavailable):
            await queries.locate(services, slug="mmc")
    finally:
        await services.db.pool.close(timeout=1)
