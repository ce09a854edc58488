"""The estimate a waiting person sees, from what the clinic's services and desks show."""

from datetime import timedelta
from typing import Any

import pytest

from dawr.tickets.rules import Verb
from dawr.waits import rules
from dawr.waits.queries import FRESH, Waits, paces_of
from tests.conftest import House
from tests.tickets.conftest import Floor


@pytest.fixture
def floor(house: House) -> Floor:
    return Floor(house)


async def pace(floor: Floor, clinic: str = "lab") -> rules.Pace | None:
    async with floor.house.here().read() as tx:
        return (await paces_of(tx, [clinic]))[clinic]


async def wait(floor: Floor, ahead: int, estimate: Waits | None = None) -> dict[str, Any] | None:
    async with floor.house.here().read() as tx:
        found = await (estimate or Waits())(tx, {"lab": [ahead]})
    return found["lab"][0]


async def serve(floor: Floor, user: str, *, minutes: float, desk: str = "1") -> None:
    called = await floor.call_ticket(await floor.enter(user), desk=desk)
    await floor.move(called, Verb.SERVE)
    floor.house.clock.offset += timedelta(minutes=minutes)
    await floor.move(called, Verb.DONE)


async def test_a_plan_alone_gives_an_estimate(floor: Floor) -> None:
    assert await wait(floor, 4) == {"likely_minutes": 16, "low_minutes": 8, "high_minutes": 24, "basis": "planned"}


async def test_without_plan_or_services_nothing_is_said(floor: Floor, house: House) -> None:
    await house.change_clinic("lab", mean_service_seconds=None)
    assert await wait(floor, 4) is None


async def test_services_that_were_seen_move_the_mean(floor: Floor) -> None:
    for n in range(5):
        await serve(floor, f"person-{n}", minutes=2)
    found = await pace(floor)
    assert found is not None
    assert (round(found.mean_seconds), found.observed, found.basis) == (360, 5, "observed")


async def test_without_a_plan_enough_services_give_an_estimate(floor: Floor, house: House) -> None:
    await house.change_clinic("lab", mean_service_seconds=None)
    for n in range(5):
        await serve(floor, f"person-{n}", minutes=10)
    found = await pace(floor)
    assert found is not None
    assert round(found.mean_seconds) == 600


async def test_only_desks_that_called_lately_count(floor: Floor) -> None:
    await serve(floor, "a", minutes=3, desk="1")
    await serve(floor, "b", minutes=3, desk="2")
    both = await pace(floor)
    floor.house.clock.offset += timedelta(minutes=41)
    later = await pace(floor)
    assert both is not None
    assert later is not None
    assert (both.desks, later.desks) == (2, 1)


async def test_where_no_desk_has_called_lately_the_plan_counts(floor: Floor) -> None:
    await serve(floor, "a", minutes=3)
    floor.house.clock.offset += timedelta(hours=2)
    found = await pace(floor)
    assert found is not None
    assert (found.desks, found.planned_desks) == (2, True)


async def test_services_of_long_ago_are_forgotten(floor: Floor) -> None:
    await serve(floor, "a", minutes=3)
    floor.house.clock.offset += timedelta(days=16)
    found = await pace(floor)
    assert found is not None
    assert found.observed == 0


async def test_a_clock_set_back_during_a_service_spoils_nothing(floor: Floor) -> None:
    await serve(floor, "a", minutes=-30)
    found = await pace(floor)
    assert found is not None
    assert (found.mean_seconds, found.observed) == (480, 0)


async def test_clinics_without_desks_have_an_estimate_too(floor: Floor, house: House) -> None:
    async with house.here().write() as tx:
        await tx.execute("DELETE FROM desk WHERE facility_id = %(facility_id)s AND clinic = 'lab'")
    found = await pace(floor)
    assert found is not None
    assert found.desks == 2


async def test_each_view_of_a_ticket_tells_its_wait(floor: Floor) -> None:
    first, second = await floor.several(2)
    assert [(await floor.view(one.id)).wait for one in (first, second)] == [
        {"likely_minutes": 0, "low_minutes": 0, "high_minutes": 4, "basis": "planned"},
        {"likely_minutes": 4, "low_minutes": 0, "high_minutes": 8, "basis": "planned"},
    ]


async def test_whoever_is_called_waits_no_more(floor: Floor) -> None:
    assert (await floor.view((await floor.called("amina")).id)).wait is None


async def test_a_pace_is_read_anew_after_some_seconds(floor: Floor, house: House) -> None:
    estimate = Waits()
    before = await wait(floor, 1, estimate)
    await house.change_clinic("lab", mean_service_seconds=4800)
    floor.house.clock.offset += FRESH
    assert await wait(floor, 1, estimate) != before


async def test_a_pace_belongs_to_one_facility(floor: Floor) -> None:
    estimate, other = Waits(), await floor.elsewhere()
    await other.house.change_clinic("lab", mean_service_seconds=4800)
    assert await wait(floor, 4, estimate) != await wait(other, 4, estimate)
