"""Departments and doctors."""

import pytest

from dawr.facilities import commands, commands_people, queries
from dawr.facilities.rules import (
    ChangedMeanwhile,
    ClinicNotFound,
    Department,
    DepartmentNotFound,
    Doctor,
    DoctorNotFound,
    SlugTaken,
    StillInUse,
)
from dawr.platform.errors import Forbidden
from tests.conftest import House, found_house
from tests.facilities.conftest import clinic_of, log_of, run
from tests.facilities.test_clinic import tickets

HEART = {"en": "Heart", "hi": "हृदय रोग"}


async def heart(house: House) -> Department:
    return await run(house, house.ada, commands_people.create_department, department="heart", name=HEART)


async def rao(house: House, *clinics: str) -> Doctor:
    return await run(
        house, house.ada, commands_people.create_doctor, doctor="dr.rao", name={"en": "Dr Rao"}, clinics=clinics
    )


async def test_a_department_is_made_and_renamed(house: House) -> None:
    made = await heart(house)
    await run(house, house.ada, commands_people.change_department, department="heart", name={"en": "Cardio"}, version=1)
    async with house.here().read() as tx:
        assert await queries.department(tx, "heart") == Department(made.id, {"en": "Cardio"}, 2)
    assert [one.type for one in await log_of(house, "department:heart")] == ["department_created", "department_changed"]


async def test_a_department_is_made_once(house: House) -> None:
    await heart(house)
    with pytest.raises(SlugTaken):
        await heart(house)


async def test_a_department_with_a_clinic_is_not_archived(house: House) -> None:
    await heart(house)
    await run(house, house.ada, commands.change_clinic, clinic="lab", settings={"department": "heart"})
    with pytest.raises(StillInUse) as refused:
        await run(house, house.ada, commands_people.archive_department, department="heart")
    assert refused.value.extra == {"clinics": ["lab"]}


async def test_an_archived_department_is_gone(house: House) -> None:
    await heart(house)
    await run(house, house.ada, commands_people.archive_department, department="heart")
    with pytest.raises(DepartmentNotFound):
        await run(house, house.ada, commands_people.change_department, department="heart", name=HEART)
    with pytest.raises(DepartmentNotFound):
        await run(house, house.ada, commands.change_clinic, clinic="lab", settings={"department": "heart"})
    async with house.here().read() as tx:
        assert await queries.departments(tx) == []


async def test_a_doctor_is_found_in_each_of_their_clinics(house: House) -> None:
    made = await rao(house, "xray", "lab", "lab")
    assert made.clinics == ("lab", "xray")
    assert (await clinic_of(house)).doctors == ("dana", "dr.rao", "omar")
    assert (await clinic_of(house, "xray")).doctors == ("dr.rao",)


async def test_a_doctor_belongs_to_clinics_that_exist(house: House) -> None:
    with pytest.raises(ClinicNotFound):
        await rao(house, "lab", "nowhere")
    async with house.here().read() as tx:
        assert [one.id for one in await queries.doctors(tx)] == ["dana", "omar"]


async def test_a_doctor_moves_to_another_clinic(house: House) -> None:
    await rao(house, "lab")
    moved = await run(house, house.ada, commands_people.change_doctor, doctor="dr.rao", clinics=["xray"])
    assert (moved.name, moved.clinics, moved.version) == ({"en": "Dr Rao"}, ("xray",), 2)
    assert "dr.rao" not in (await clinic_of(house)).doctors
    data = {"changed": ["clinics"], "to": {"clinics": ["xray"]}}
    assert (await log_of(house, "doctor:dr.rao"))[-1].data == data


async def test_the_log_does_not_hold_a_doctors_name(house: House) -> None:
    await rao(house)
    await run(house, house.ada, commands_people.change_doctor, doctor="dr.rao", name={"en": "Dr Asha Rao"})
    assert "Asha" not in repr(await log_of(house, "doctor:dr.rao"))


async def test_a_doctor_does_not_leave_who_waits_for_them(house: House) -> None:
    await rao(house, "lab", "xray")
    waiting = tickets(clinic="lab", doctor="dr.rao")
    leave = {"doctor": "dr.rao", "open_tickets": waiting}
    with pytest.raises(StillInUse):
        await run(house, house.ada, commands_people.change_doctor, clinics=["xray"], **leave)
    with pytest.raises(StillInUse):
        await run(house, house.ada, commands_people.archive_doctor, **leave)
    assert (await run(house, house.ada, commands_people.change_doctor, clinics=["lab"], **leave)).clinics == ("lab",)


async def test_an_archived_doctor_is_in_no_clinic(house: House) -> None:
    await rao(house, "lab")
    await run(house, house.ada, commands_people.archive_doctor, doctor="dr.rao", open_tickets=None)
    assert "dr.rao" not in (await clinic_of(house)).doctors
    with pytest.raises(DoctorNotFound):
        await run(house, house.ada, commands_people.change_doctor, doctor="dr.rao", clinics=["lab"])
    with pytest.raises(SlugTaken):
        await rao(house)


async def test_who_read_an_earlier_version_changes_nothing(house: House) -> None:
    await rao(house)
    await heart(house)
    with pytest.raises(ChangedMeanwhile):
        await run(house, house.ada, commands_people.change_doctor, doctor="dr.rao", clinics=["lab"], version=9)
    with pytest.raises(ChangedMeanwhile):
        await run(house, house.ada, commands_people.change_department, department="heart", name=HEART, version=9)


async def test_only_administrators_decide_who_belongs_where(house: House) -> None:
    await rao(house)
    for verb, subject in (
        (commands_people.create_doctor, {"doctor": "x", "name": HEART}),
        (commands_people.change_doctor, {"doctor": "dr.rao", "clinics": ["lab"]}),
        (commands_people.archive_doctor, {"doctor": "dr.rao", "open_tickets": None}),
        (commands_people.create_department, {"department": "x", "name": HEART}),
        (commands_people.change_department, {"department": "x", "name": HEART}),
        (commands_people.archive_department, {"department": "x"}),
    ):
        with pytest.raises(Forbidden):
            await run(house, house.rui, verb, **subject)


async def test_another_facilitys_people_are_not_there(house: House) -> None:
    await rao(house)
    await heart(house)
    other = await found_house(house.services)
    with pytest.raises(DoctorNotFound):
        await run(other, other.ada, commands_people.change_doctor, doctor="dr.rao", clinics=[])
    with pytest.raises(DepartmentNotFound):
        await run(other, other.ada, commands_people.archive_department, department="heart")
