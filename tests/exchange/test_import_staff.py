"""Doctors and their schedules out of files: told by the doctor's short name."""

from datetime import date, time

import pytest

from dawr.accounts.rules import SYSTEM
from dawr.appointments import queries as appointments
from dawr.appointments.rules_schedule import Schedule, Window
from dawr.exchange.rules import Kind
from dawr.facilities import queries as facilities
from dawr.facilities.commands import OPEN_TICKETS
from dawr.facilities.commands_people import archive_doctor, change_doctor
from dawr.facilities.rules import Doctor
from tests.conftest import House
from tests.exchange.conftest import bring, table

RAO = {"doctor": "dr.rao", "name_en": "Dr Rao", "name_ar": "د. راو", "clinics": "xray lab"}
MORNING = {"doctor": "dana", "weekday": "Mon", "opens": "09:00", "closes": "13:00", "slot_minutes": "١٥"}
LATE = {**MORNING, "opens": "14:00", "closes": "17:00", "capacity": "2", "clinic": "lab", "valid_from": "2031-03-01"}
ONCE = {"doctor": "dana", "day": "2031-03-05", "opens": "09:00", "closes": "10:00", "slot_minutes": "30"}


async def doctor_of(house: House, doctor: str) -> Doctor:
    async with house.here().read() as tx:
        return await facilities.doctor(tx, doctor)


async def schedule_of(house: House, doctor: str) -> Schedule:
    async with house.here().read() as tx:
        return await appointments.schedule(tx, doctor)


def doctors(*rows: dict[str, str]) -> bytes:
    return table(Kind.DOCTORS, rows)


def schedules(*rows: dict[str, str]) -> bytes:
    return table(Kind.SCHEDULES, rows)


async def test_doctors_are_made_and_changed(house: House) -> None:
    tally, _ = await bring(
        house, Kind.DOCTORS, doctors(RAO, {"doctor": "omar", "name_hi": "उमर", "clinics": "lab xray"})
    )
    assert (tally.taken, tally.before) == (2, 0)
    rao, omar = await doctor_of(house, "dr.rao"), await doctor_of(house, "omar")
    assert (rao.name, rao.clinics) == ({"en": "Dr Rao", "ar": "د. راو"}, ("lab", "xray"))
    assert (omar.name, omar.clinics) == ({"hi": "उमर"}, ("lab", "xray"))


async def test_the_same_file_again_changes_nothing(house: House) -> None:
    await bring(house, Kind.DOCTORS, doctors(RAO))
    tally, _ = await bring(house, Kind.DOCTORS, doctors(RAO))
    assert (tally.taken, tally.before, (await doctor_of(house, "dr.rao")).version) == (0, 1, 1)


async def test_names_in_languages_without_a_column_stay(house: House) -> None:
    async with house.here().write() as tx:
        await change_doctor(tx, SYSTEM, doctor="dana", name={"en": "Dana", "ur": "ڈانا"})
    await bring(house, Kind.DOCTORS, doctors({"doctor": "dana", "name_ar": "دانا", "clinics": "lab"}))
    assert (await doctor_of(house, "dana")).name == {"ur": "ڈانا", "ar": "دانا"}


async def test_mistakes_of_doctors_are_told_by_column(house: House) -> None:
    async with house.here().write() as tx:
        await archive_doctor(tx, SYSTEM, doctor="omar", open_tickets=None)
    wrong = [RAO | {"doctor": "Dr Rao"}, RAO | {"clinics": "lab roof"}, {"doctor": "dr.who"}, RAO, RAO]
    _, told = await bring(house, Kind.DOCTORS, doctors(*wrong, RAO | {"doctor": "omar"}))
    assert told.places == [(2, "doctor"), (3, "clinics"), (4, "name_en"), (5, "doctor"), (6, "doctor"), (7, "doctor")]


async def test_a_doctor_who_cannot_leave_is_told_and_the_others_come(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def open_tickets(*_: object, **__: object) -> int:
        return 1

    monkeypatch.setitem(house.services.additions, OPEN_TICKETS, open_tickets)
    away = {"doctor": "dana", "name_en": "Dana", "clinics": "xray"}
    tally, told = await bring(house, Kind.DOCTORS, doctors(away, RAO))
    assert (tally.taken, tally.refused, told.places) == (1, 1, [(2, "clinics")])
    assert (await doctor_of(house, "dana")).clinics == ("lab",)


async def test_a_doctor_s_rows_are_the_whole_schedule(house: House) -> None:
    await bring(house, Kind.SCHEDULES, schedules(MORNING | {"weekday": "sun"}))
    tally, _ = await bring(house, Kind.SCHEDULES, schedules(LATE, ONCE, MORNING))
    found = await schedule_of(house, "dana")
    assert (tally.taken, found.version) == (3, 2)
    assert found.windows == (
        Window(time(9), time(13), 15, weekday="mon"),
        Window(time(14), time(17), 15, 2, weekday="mon", clinic="lab", valid_from=date(2031, 3, 1)),
    )
    assert found.extra == (Window(time(9), time(10), 30, day=date(2031, 3, 5)),)


async def test_a_schedule_that_stands_is_left_alone(house: House) -> None:
    await bring(house, Kind.SCHEDULES, schedules(MORNING, LATE))
    tally, _ = await bring(house, Kind.SCHEDULES, schedules(LATE, MORNING))
    assert (tally.taken, tally.before, (await schedule_of(house, "dana")).version) == (0, 2, 1)


async def test_mistakes_of_schedules_are_told_by_line_and_column(house: House) -> None:
    wrong = [
        MORNING | {"doctor": "dr.who"},
        MORNING | {"weekday": "monday", "opens": "9", "slot_minutes": ""},
        MORNING | {"day": "2031-03-05"},
        MORNING | {"opens": ""},
        MORNING | {"slot_minutes": "7"},
        MORNING | {"clinic": "xray"},
        ONCE | {"valid_until": "2031-03-06"},
        MORNING,
        LATE | {"opens": "12:00"},
    ]
    _, told = await bring(house, Kind.SCHEDULES, schedules(*wrong))
    assert told.places == [
        *[(2, "doctor"), (3, "weekday"), (3, "opens"), (4, "weekday"), (5, "opens"), (6, "")],
        *[(7, "clinic"), (8, "valid_from"), (10, "")],
    ]


async def test_half_a_schedule_is_never_taken(house: House) -> None:
    omar = MORNING | {"doctor": "omar"}
    tally, _ = await bring(house, Kind.SCHEDULES, schedules(MORNING, MORNING | {"weekday": "x"}, omar), skip=True)
    assert (tally.skipped, tally.taken) == (2, 1)
    assert (await schedule_of(house, "dana")).version == 0
    assert (await schedule_of(house, "omar")).version == 1


async def test_a_row_of_the_wrong_length_keeps_its_doctor_s_schedule_back(house: House) -> None:
    content = schedules(MORNING) + b"dana,tue,09:00\r\n"
    tally, told = await bring(house, Kind.SCHEDULES, content, skip=True)
    assert (tally.skipped, tally.taken, told.places) == (2, 0, [(3, "")])
