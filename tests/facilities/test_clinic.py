"""Making, changing and archiving a clinic, and its desks."""

import asyncio
from typing import Any

import pytest

from dawr.facilities import commands, commands_people, queries
from dawr.facilities.commands import OpenTickets
from dawr.facilities.rules import (
    ChangedMeanwhile,
    Clinic,
    ClinicNotFound,
    DepartmentNotFound,
    DeskNotFound,
    Entry,
    InvalidSetting,
    PrefixTaken,
    SlugTaken,
    StillInUse,
)
from dawr.platform.db import WriteTx
from dawr.platform.errors import Forbidden
from tests.conftest import House, found_house
from tests.facilities.conftest import clinic_of, log_of, run

EYES = {"name": {"en": "Eyes", "ar": "العيون"}, "prefix": "EYE"}


def tickets(**expected: str) -> OpenTickets:
    """As the queue's floor answers: one ticket is open where everything that was asked is as expected."""

    async def count(tx: WriteTx, *, clinic: str, desk: str | None = None, doctor: str | None = None) -> int:
        asked = {"clinic": clinic, "desk": desk, "doctor": doctor}
        return int(all(asked[name] == value for name, value in expected.items()))

    return count


async def make(house: House, clinic: str = "eyes", **settings: Any) -> Clinic:
    desks = settings.pop("desks", ("1",))
    return await run(house, house.ada, commands.create_clinic, clinic=clinic, settings=EYES | settings, desks=desks)


async def test_a_clinic_has_sensible_defaults(house: House) -> None:
    made = await make(house)
    assert (made.entry, made.hours, made.capacity, made.desks, made.version) == (Entry.OPEN, None, None, ("1",), 1)
    assert (made.closed, made.paused) == (False, False)
    assert await clinic_of(house, "eyes") == made


async def test_clinics_are_listed_in_the_order_of_their_places(house: House) -> None:
    await make(house, place=5)
    await make(house, "derma", prefix="DER", place=2)
    async with house.here().read() as tx:
        assert [one.id for one in await queries.clinics(tx)] == ["lab", "xray", "derma", "eyes"]


async def test_desks_are_counted_as_people_count(house: House) -> None:
    assert (await make(house, desks=("10", "2", "A1", "1"))).desks == ("1", "2", "10", "A1")


async def test_a_prefix_belongs_to_one_clinic(house: House) -> None:
    with pytest.raises(PrefixTaken) as refused:
        await make(house, prefix="LAB")
    assert refused.value.extra == {"field": "prefix"}
    await make(house)
    with pytest.raises(PrefixTaken):
        await run(house, house.ada, commands.change_clinic, clinic="eyes", settings={"prefix": "XR"})


async def test_a_short_name_belongs_to_one_clinic_even_in_a_race(house: House) -> None:
    made = await asyncio.gather(*(make(house, prefix=f"E{n}") for n in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in made) == ["Clinic", "SlugTaken", "SlugTaken", "SlugTaken"]


async def test_another_facility_may_use_the_same_names(house: House) -> None:
    await make(house)
    other = await found_house(house.services)
    assert (await make(other)).facility_id == other.facility.id


async def test_a_clinic_without_a_name_or_prefix_is_refused(house: House) -> None:
    with pytest.raises(InvalidSetting):
        await run(house, house.ada, commands.create_clinic, clinic="eyes", settings={"name": {"en": "Eyes"}})
    with pytest.raises(InvalidSetting):
        await run(house, house.ada, commands.create_clinic, clinic="eyes", settings={"prefix": "EYE"})


async def test_the_same_desk_twice_is_refused_and_leaves_no_clinic(house: House) -> None:
    with pytest.raises(SlugTaken):
        await make(house, desks=("1", "1"))
    with pytest.raises(ClinicNotFound):
        await clinic_of(house, "eyes")


async def test_a_change_keeps_what_is_not_sent(house: House) -> None:
    hours = {"mon": [["22:00", "02:00"]]}
    changed = await run(house, house.ada, commands.change_clinic, clinic="lab", settings={"hours": hours})
    assert (changed.hours, changed.prefix, changed.mean_service_seconds, changed.version) == (hours, "LAB", 480, 2)
    assert (await log_of(house, "clinic:lab"))[-1].data == {"changed": ["hours"], "to": {"hours": hours}}


async def test_two_administrators_do_not_overwrite_each_other(house: House) -> None:
    read = (await clinic_of(house)).version
    changes = [
        run(house, house.ada, commands.change_clinic, clinic="lab", settings={"place": place}, version=read)
        for place in (7, 8)
    ]
    answers = await asyncio.gather(*changes, return_exceptions=True)
    (refused,) = (one for one in answers if isinstance(one, ChangedMeanwhile))
    assert refused.extra["current"]["place"] == (await clinic_of(house)).place
    assert len(await log_of(house, "clinic:lab")) == 2


@pytest.mark.parametrize("who", ["rui", "dana"])
async def test_only_administrators_make_and_change_clinics(house: House, who: str) -> None:
    actor = getattr(house, who)
    with pytest.raises(Forbidden):
        await run(house, actor, commands.create_clinic, clinic="eyes", settings=EYES)
    with pytest.raises(Forbidden):
        await run(house, actor, commands.change_clinic, clinic="lab", settings={"place": 3})


async def test_a_clinic_of_another_facility_cannot_be_changed(house: House) -> None:
    await make(house)
    other = await found_house(house.services)
    with pytest.raises(ClinicNotFound):
        await run(other, other.ada, commands.change_clinic, clinic="eyes", settings={"place": 3})


async def test_a_clinic_belongs_to_a_department_that_exists(house: House) -> None:
    with pytest.raises(DepartmentNotFound):
        await make(house, department="heart")
    await run(house, house.ada, commands_people.create_department, department="heart", name={"en": "Heart"})
    assert (await make(house, department="heart")).department == "heart"


async def test_an_archived_clinic_is_gone_but_its_names_stay_taken(house: House) -> None:
    await run(house, house.ada, commands.archive_clinic, clinic="lab", open_tickets=None)
    with pytest.raises(ClinicNotFound):
        await clinic_of(house)
    with pytest.raises(SlugTaken):
        await make(house, "lab")
    with pytest.raises(PrefixTaken):
        await make(house, prefix="LAB")
    async with house.here().read() as tx:
        assert (await queries.doctor(tx, "dana")).clinics == ()


async def test_a_clinic_with_open_tickets_is_not_archived(house: House) -> None:
    with pytest.raises(StillInUse) as refused:
        await run(house, house.ada, commands.archive_clinic, clinic="lab", open_tickets=tickets(clinic="lab"))
    assert refused.value.extra == {"open_tickets": 1}
    await run(house, house.ada, commands.archive_clinic, clinic="xray", open_tickets=tickets(clinic="lab"))
    with pytest.raises(ClinicNotFound):
        await run(house, house.ada, commands.archive_clinic, clinic="xray", open_tickets=None)


async def test_a_desk_is_added_and_removed_by_events_of_its_clinic(house: House) -> None:
    added = await run(house, house.ada, commands.add_desk, clinic="lab", desk="3")
    removed = await run(house, house.ada, commands.remove_desk, clinic="lab", desk="1", open_tickets=None)
    assert [added.desks, removed.desks, removed.version] == [("1", "2", "3"), ("2", "3"), 3]
    assert [one.data for one in (await log_of(house, "clinic:lab"))[1:]] == [{"desk": "3"}, {"desk": "1"}]


async def test_a_desk_that_is_there_is_not_added_again(house: House) -> None:
    with pytest.raises(SlugTaken) as refused:
        await run(house, house.ada, commands.add_desk, clinic="lab", desk="1")
    assert refused.value.extra == {"field": "desk"}


async def test_a_desk_stays_while_somebody_is_at_it(house: House) -> None:
    busy = tickets(clinic="lab", desk="1")
    with pytest.raises(StillInUse):
        await run(house, house.ada, commands.remove_desk, clinic="lab", desk="1", open_tickets=busy)
    await run(house, house.ada, commands.remove_desk, clinic="lab", desk="2", open_tickets=busy)
    with pytest.raises(DeskNotFound):
        await run(house, house.ada, commands.remove_desk, clinic="lab", desk="2", open_tickets=busy)
