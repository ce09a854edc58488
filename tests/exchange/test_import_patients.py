"""Patients out of a file: all of them or none, none twice."""

import asyncio
from datetime import date
from typing import Any

import pytest

from dawr.accounts.rules import SYSTEM
from dawr.exchange import commands, commands_patients
from dawr.exchange.commands_patients import Patients
from dawr.exchange.rules import Kind, Mistake
from dawr.patients import commands as patients
from dawr.patients.rules import Identity
from dawr.platform import events
from tests.conftest import House, found_house
from tests.exchange.conftest import Told, bring, everybody, sheet, table

AMINA = {
    "name": "Amina Al-Thani",
    "name_ar": "أمينة آل ثاني",
    "name_hi": "अमीना",
    "phone": "5550 1234",
    "phone_2": "'+919876543210",
    "birth_date": "١٩٨٠-٠٥-٠١",
    "gender": "Female",
    "national_id": "28063400123",
    "record_number": "MR-7",
    "language": "ar",
    "email": "amina@example.org",
}
OMAR = {"name": "Omar", "birth_year": "1975"}


def people(*rows: dict[str, str]) -> bytes:
    return table(Kind.PATIENTS, rows)


def crowd(count: int) -> bytes:
    return people(*({"name": f"Person {n:04d}", "national_id": f"{n:08d}"} for n in range(count)))


async def count(house: House, of: str = "patient") -> Any:
    async with house.here().read() as tx:
        return await tx.value(f"SELECT count(*) FROM {of} WHERE facility_id = %(facility_id)s")


async def test_a_row_is_a_patient_with_everything_it_says(house: House) -> None:
    tally, told = await bring(house, Kind.PATIENTS, people(AMINA, OMAR))
    assert (tally.taken, tally.skipped, told.mistakes) == (2, 0, [])
    amina, omar = await everybody(house)
    assert amina.phones == ("+97455501234", "+919876543210")
    assert (amina.names, amina.birth_date) == ({"ar": AMINA["name_ar"], "hi": "अमीना"}, date(1980, 5, 1))
    assert (amina.gender, amina.national_id, amina.email) == ("female", "28063400123", "amina@example.org")
    assert (omar.birth_year, omar.phones) == (1975, ())


async def test_with_one_mistake_nothing_is_imported(house: House) -> None:
    tally, told = await bring(house, Kind.PATIENTS, people(AMINA, OMAR | {"birth_year": "2999"}, {"phone": "x"}))
    assert told.places == [(3, "birth_year"), (4, "phone"), (4, "name")]
    assert (tally.done, tally.skipped, tally.taken) == (False, 2, 0)
    assert await everybody(house) == []


async def test_mistakes_can_be_left_out(house: House) -> None:
    tally, _ = await bring(house, Kind.PATIENTS, people(AMINA, OMAR | {"birth_date": "2999-01-01"}), skip=True)
    assert (tally.done, tally.skipped, tally.taken) == (True, 1, 1)
    assert [one.name for one in await everybody(house)] == ["Amina Al-Thani"]


async def test_a_dry_run_changes_nothing(house: House) -> None:
    tally, told = await bring(house, Kind.PATIENTS, people(AMINA, OMAR), dry_run=True)
    assert (tally.rows, tally.done, told.mistakes) == (2, False, [])
    assert (await count(house), await count(house, "idempotency_claim")) == (0, 0)


async def test_the_same_row_twice_is_told_of_the_later_line(house: House) -> None:
    again = AMINA | {"phone": "+974 5550-1234", "birth_date": "1980-05-01", "birth_year": "1980"}
    _, told = await bring(house, Kind.PATIENTS, people(AMINA, OMAR, again))
    assert told.mistakes == [Mistake(4, "", "The same as line 2")]


async def test_two_people_of_whom_the_same_is_known_are_two_when_asked(house: House) -> None:
    for taken in (3, 0):
        tally, told = await bring(house, Kind.PATIENTS, people(AMINA, OMAR, AMINA), alike=True)
        assert (told.mistakes, tally.taken, tally.before) == ([], taken, 3 - taken)
    tally, _ = await bring(house, Kind.PATIENTS, people(AMINA, OMAR))
    assert (tally.taken, await count(house)) == (0, 3)


async def test_run_again_it_takes_nobody_twice(house: House) -> None:
    await bring(house, Kind.PATIENTS, people(AMINA))
    tally, told = await bring(house, Kind.PATIENTS, people(AMINA, OMAR))
    assert (tally.taken, tally.before, told.likelies) == (1, 1, [])
    assert len(await everybody(house)) == 2


async def test_two_imports_at_once_take_nobody_twice(house: House) -> None:
    tallies = [tally for tally, _ in await asyncio.gather(*(bring(house, Kind.PATIENTS, crowd(60)) for _ in range(2)))]
    assert sum(one.taken for one in tallies) == 60
    assert await count(house) == 60


async def test_an_import_that_breaks_off_keeps_whole_batches(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Patients, "batch", 10)
    here, rows, batches = house.here(SYSTEM), sheet(Kind.PATIENTS, crowd(40)), [0]

    def tell(_: int, many: int | None) -> None:
        batches[0] += many is not None
        if batches[0] == 2:
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await commands.bring(here, rows, Kind.PATIENTS, Told(), tell, dry_run=False, skip_mistakes=False)
    assert (await count(house), await count(house, "idempotency_claim")) == (20, 20)
    tally, told = await bring(house, Kind.PATIENTS, crowd(40))
    assert (tally.taken, tally.before, told.likelies, await count(house)) == (20, 20, [], 40)


async def test_a_slow_machine_gets_smaller_batches(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands_patients, "BATCH_SECONDS", 0.0)
    tally, _ = await bring(house, Kind.PATIENTS, crowd(5))
    assert (tally.taken, await count(house)) == (5, 5)
    async with house.here().read() as tx:
        sql = "SELECT count(DISTINCT xact::text) FROM event WHERE facility_id = %(facility_id)s AND type = 'patient_created'"
        assert await tx.value(sql) == 5


async def test_who_is_likely_here_already_is_named_and_not_refused(house: House) -> None:
    here = house.here(SYSTEM)
    async with here.write() as tx:
        known = await patients.create(tx, here, Identity("Amina Al Thani", national_id="28063400123"))
    tally, told = await bring(house, Kind.PATIENTS, people(OMAR, AMINA))
    assert [(one.line, one.patient, one.reasons) for one in told.likelies] == [(3, known.patient, ("national_id",))]
    assert (tally.likely, tally.taken) == (1, 2)


async def test_another_facility_s_rows_are_its_own(house: House) -> None:
    other = await found_house(house.services)
    await bring(other, Kind.PATIENTS, people(AMINA))
    tally, told = await bring(house, Kind.PATIENTS, people(AMINA))
    assert (tally.taken, told.likelies, len(await everybody(house))) == (1, [], 1)


async def test_what_claims_a_row_does_not_tell_what_it_says(house: House) -> None:
    await bring(house, Kind.PATIENTS, people(AMINA))
    async with house.here().read() as tx:
        row = await tx.row("SELECT * FROM idempotency_claim WHERE facility_id = %(facility_id)s")
    assert row is not None
    (unit,) = Patients(house.here(SYSTEM)).units(sheet(Kind.PATIENTS, people(AMINA)).rows())
    (elsewhere,) = await Patients((await found_house(house.services)).here(SYSTEM)).check([unit])
    assert (row["caller"], len(row["key"]), row["record"], row["note"]) == ("import:patients", 16, "", {})
    assert elsewhere.what.key.key != row["key"]


async def test_the_log_tells_who_came_how_and_how_many(house: House) -> None:
    await bring(house, Kind.PATIENTS, people(AMINA, OMAR))
    async with house.here().read() as tx:
        sql = "SELECT entity FROM event WHERE facility_id = %(facility_id)s AND type = 'import_made'"
        (noted,) = await events.history(tx, await tx.value(sql))
    assert (noted.data, noted.actor) == ({"what": "patients", "rows": 2, "skipped": 0}, "system")
