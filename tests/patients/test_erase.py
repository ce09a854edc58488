"""An erased patient is gone for good, and stays so when an older backup is put back."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

import dawr.app
from dawr.accounts.rules import Role
from dawr.patients import commands, ledger, queries
from dawr.patients.rules import PatientNotFound
from dawr.platform import events, listeners
from dawr.platform.clock import SystemClock
from dawr.platform.db import WriteTx
from dawr.platform.errors import Forbidden
from dawr.platform.services import Services
from tests.conftest import House, Live, found_house, make_services, serving
from tests.patients.conftest import card_of, found, made, run, value

WHOLE: dict[str, Any] = {
    "phones": ("55501234",),
    "national_id": "280634",
    "names": {"ar": "أمينة"},
    "email": "a@example.org",
}
REASON = "asked for it in writing"


async def erase(house: House, patient: UUID) -> list[UUID]:
    return await run(house, house.ada, commands.erase, patient, REASON)


async def test_nothing_finds_or_shows_the_person(house: House, live: Live) -> None:
    card = await made(house, **WHOLE)
    assert await erase(house, card.patient) == [card.patient]
    for query in ("amina", "أمينة", "55501234", "280634"):
        assert await found(house, query) == []
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        assert (await ada.get(f"/api/v1/patients/{card.patient}")).status_code == 404
        assert (await ada.patch(f"/api/v1/patients/{card.patient}", json={"name": "B"})).status_code == 404


async def test_tables_keep_the_fact_alone(house: House) -> None:
    card = await made(house, **WHOLE)
    await erase(house, card.patient)
    assert [await value(house, f"SELECT count(*) FROM {one}") for one in ("patient_key", "patient_index")] == [0, 0]
    row = await value(house, "SELECT row_to_json(p) FROM patient p")
    assert {name: row[name] for name in row if name.endswith("_sealed")} == {
        name: None for name in row if name.endswith("_sealed")
    }
    assert (row["status"], row["erased_at"] is None) == ("erased", False)
    async with house.here().read() as tx:
        assert [one.type for one in await events.history(tx, card.patient)] == ["patient_created", "patient_erased"]


async def test_others_see_an_empty_card(house: House) -> None:
    card = await made(house, **WHOLE)
    await erase(house, card.patient)
    empty = await card_of(house, card.patient)
    assert (empty.erased, empty.name, empty.phone, empty.identity) == (True, None, None, None)
    here = house.here(house.rui)
    async with here.read() as tx:
        assert await queries.contact(tx, house.services, card.patient) is None


async def test_what_was_sealed_for_the_patient_opens_no_more(house: House) -> None:
    card, here = await made(house), house.here(house.rui)
    async with here.write() as tx:
        sealed = await queries.seal_for(tx, here, card.patient, "a note", where="note:1")
        assert await queries.open_for(tx, here, card.patient, sealed, where="note:1") == "a note"
    await erase(house, card.patient)
    async with here.write() as tx:
        assert await queries.open_for(tx, here, card.patient, sealed, where="note:1") is None
        with pytest.raises(PatientNotFound):
            await queries.seal_for(tx, here, card.patient, "a note", where="note:1")
        with pytest.raises(PatientNotFound):
            await commands.hold(tx, card.patient)


async def test_higher_floors_hear_of_it_in_the_same_transaction(house: House) -> None:
    heard: list[UUID] = []

    async def listener(tx: WriteTx, _: Services, gone: Sequence[UUID]) -> None:
        # The ledger knows other tests' facilities, too.
        assert tx.facility_id != house.facility.id or await tx.value("SELECT count(*) FROM patient_key") == 0
        heard.extend(gone)

    listeners.now(house.services, "patient_erased", listener)
    first, second = await made(house), await made(house)
    ledger.add(house.services.settings.data_dir, house.facility.id, [first.patient, second.patient], house.clock.now())
    await commands.erase_again(house.services)
    third = await made(house)
    await erase(house, third.patient)
    house.services.db.listeners["patient_erased"].pop(listener)
    assert sorted(heard) == sorted([first.patient, second.patient, third.patient])


async def test_merged_records_go_with_it(house: House) -> None:
    one, other = await made(house), await made(house)
    await run(house, house.rui, commands.merge, one.patient, into=other.patient)
    assert set(await erase(house, one.patient)) == {one.patient, other.patient}
    assert await found(house, "amina") == []


async def test_the_ledger_has_ids_and_the_moment_alone(house: House) -> None:
    card = await made(house, **WHOLE)
    await erase(house, card.patient)
    data = house.services.settings.data_dir
    assert card.patient in ledger.read(data)[house.facility.id]
    assert REASON not in (data / ledger.NAME).read_text()
    assert (data / ledger.NAME).stat().st_mode & 0o777 == 0o600


async def test_a_backup_put_back_does_not_bring_anybody_back(house: House) -> None:
    gone, stays = await made(house, **WHOLE), await made(house, "Omar")
    # What an older database looks like to the ledger: the line is there, and the record is as before.
    ledger.add(house.services.settings.data_dir, house.facility.id, [gone.patient, uuid4()], house.clock.now())
    await commands.erase_again(house.services)
    assert (await card_of(house, gone.patient)).erased
    assert not (await card_of(house, stays.patient)).erased
    assert await found(house, "55501234") == []
    async with house.here().read() as tx:
        assert [(one.type, one.actor) for one in await events.history(tx, gone.patient)][1:] == [
            ("patient_erased", "system")
        ]
    await commands.erase_again(house.services)
    async with house.here().read() as tx:
        assert len(await events.history(tx, gone.patient)) == 2


async def test_who_was_taken_out_before_stays_when_a_backup_is_put_back(house: House) -> None:
    part, gone = await made(house, "Omar"), await made(house)
    await run(house, house.rui, commands.merge, part.patient, into=gone.patient)
    ledger.add(house.services.settings.data_dir, house.facility.id, [gone.patient], house.clock.now())
    await commands.erase_again(house.services)
    assert (await card_of(house, part.patient)).identity == part.identity
    assert (await card_of(house, gone.patient)).erased


async def test_a_server_erases_again_before_it_answers(house: House, database_url: str, tmp_path: Path) -> None:
    gone = await made(house, **WHOLE)
    ledger.add(tmp_path, house.facility.id, [gone.patient], house.clock.now())
    async with serving(dawr.app.create_app(make_services(database_url, tmp_path))):
        assert (await card_of(house, gone.patient)).erased


def test_a_line_cut_short_spoils_no_other(tmp_path: Path) -> None:
    facility, patient = uuid4(), uuid4()
    (tmp_path / ledger.NAME).write_text('{"facility": "0')
    ledger.add(tmp_path, facility, [patient], SystemClock().now())
    assert ledger.read(tmp_path) == {facility: [patient]}


@pytest.mark.parametrize("who", ["rui", "dana"])
async def test_only_administrators_may(house: House, who: str) -> None:
    card = await made(house)
    with pytest.raises(Forbidden):
        await run(house, getattr(house, who), commands.erase, card.patient, REASON)


async def test_another_facility_erases_nobody(house: House) -> None:
    card, other = await made(house), await found_house(house.services)
    with pytest.raises(PatientNotFound):
        await run(other, other.ada, commands.erase, card.patient, REASON)
    assert not (await card_of(house, card.patient)).erased
