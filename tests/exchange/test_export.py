"""What a file takes away: everything that has a column, once, and written down."""

import pytest

from dawr.accounts.rules import SYSTEM
from dawr.exchange import commands_export
from dawr.exchange.rules import Kind
from dawr.patients import commands as patients
from dawr.patients import queries
from dawr.patients.rules import Gender, Identity, PatientCard, Preferences, Purpose
from dawr.platform import events
from dawr.platform.errors import Forbidden
from tests.conftest import House, found_house
from tests.exchange.conftest import bring, everybody, taken_away
from tests.exchange.test_import_staff import LATE, MORNING, ONCE, RAO, doctors, schedule_of, schedules

PEOPLE = [
    Identity(
        "=cmd|' /C calc'!A1",
        {"ar": "+أمينة", "en": "-Amina", "hi": "@अमीना"},
        national_id="'=1",
        phones=("+97455501234",),
    ),
    Identity('Amina, "the" Al-Thani; Umm Omar', birth_year=1980, gender=Gender.FEMALE, record_number="0007"),
    Identity("उमर", phones=("+919876543210", "+97455509999"), language="hi", email="-omar@example.org"),
    *(Identity(f"Person {n}") for n in range(5)),
]


async def make(house: House, *identities: Identity) -> list[PatientCard]:
    here = house.here(SYSTEM)
    async with here.write() as tx:
        return [await patients.create(tx, here, one) for one in identities]


async def test_patients_come_out_as_they_go_in(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands_export, "PAGE", 3)
    await make(house, *PEOPLE)
    content, other = await taken_away(house, Kind.PATIENTS), await found_house(house.services)
    tally, told = await bring(other, Kind.PATIENTS, content)
    assert (tally.taken, told.mistakes) == (len(PEOPLE), [])
    assert await everybody(other) == await everybody(house)
    assert sorted((await taken_away(other, Kind.PATIENTS)).splitlines()) == sorted(content.splitlines())


async def test_no_cell_begins_a_formula(house: House) -> None:
    await make(house, *PEOPLE)
    content = (await taken_away(house, Kind.PATIENTS)).decode()
    assert [line for line in content.splitlines() if line.startswith(("=", "+", "-", "@"))] == []
    assert not any(f",{sign}" in content for sign in "=+-@")
    assert "'+97455501234" in content


async def test_staff_come_out_as_they_go_in(house: House) -> None:
    await bring(house, Kind.DOCTORS, doctors(RAO))
    await bring(house, Kind.SCHEDULES, schedules(MORNING, LATE, ONCE))
    other = await found_house(house.services)
    for kind in (Kind.DOCTORS, Kind.SCHEDULES):
        await bring(other, kind, await taken_away(house, kind))
        assert await taken_away(other, kind) == await taken_away(house, kind)
    assert (await schedule_of(other, "dana")).extra == (await schedule_of(house, "dana")).extra != ()


async def test_an_export_is_in_every_patient_s_trail_and_in_the_log(house: House) -> None:
    made = await make(house, *PEOPLE[:2])
    here = house.here(SYSTEM)
    await taken_away(house, Kind.PATIENTS)
    async with here.read() as tx:
        for one in made:
            (access,) = await queries.accesses(tx, here, one.patient)
            assert (access.purpose, access.actor) == (Purpose.EXPORT, "system")
        sql = "SELECT entity FROM event WHERE facility_id = %(facility_id)s AND type = 'export_made'"
        (noted,) = await events.history(tx, await tx.value(sql))
    assert noted.data == {"what": "patients", "rows": 2}


async def test_the_erased_and_the_merged_are_not_in_it(house: House) -> None:
    one, other, gone = await make(house, Identity("Amina"), Identity("Amina T."), Identity("Omar"))
    here = house.here(SYSTEM)
    async with here.write() as tx:
        await patients.merge(tx, here, other.patient, into=one.patient)
        await patients.erase(tx, here, gone.patient, "asked for")
    names = [line.partition(b",")[0] for line in (await taken_away(house, Kind.PATIENTS)).splitlines()]
    assert names == [b"name", b"Amina"]


async def test_what_no_column_holds_is_counted(house: House) -> None:
    await make(
        house,
        Identity("Amina", names={"ur": "امینہ"}),
        Identity("Omar", preferences=Preferences(opted_out=True)),
        PEOPLE[1],
    )
    pages = [page async for page in commands_export.take_away(house.here(SYSTEM), Kind.PATIENTS)]
    assert sum(page.cut for page in pages) == 2


@pytest.mark.parametrize("kind", Kind)
async def test_reception_takes_nothing_away(house: House, kind: Kind) -> None:
    with pytest.raises(Forbidden):
        await anext(commands_export.take_away(house.here(house.rui), kind))
