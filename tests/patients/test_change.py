"""Changing what is kept of a patient."""

import asyncio
from typing import Any

import pytest

from dawr.accounts.rules import Role
from dawr.patients import commands
from dawr.patients.rules import PatientCard, PatientNotFound
from dawr.platform import events
from dawr.platform.errors import Forbidden
from tests.conftest import House, Live, found_house
from tests.patients.conftest import AMINA, card_of, found, made, run

PATIENTS = "/api/v1/patients"


async def change(house: House, card: PatientCard, *, version: int | None = None, **changes: Any) -> PatientCard:
    return await run(house, house.rui, commands.change, card.patient, changes, version=version)


async def test_what_is_sent_changes_and_the_rest_stays(house: House, live: Live) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        before = (await rui.post(PATIENTS, json=AMINA)).json()
        sent = {"name": "Amina Khan", "email": None, "phone": "5550 9999", "version": 1}
        after = await rui.patch(f"{PATIENTS}/{before['patient']}", json=sent)
    assert after.status_code == 200
    changed = {"name": "Amina Khan", "email": None, "version": 2, "phone": "+97455509999", "phones": ["+97455509999"]}
    before.pop("duplicates")
    assert after.json() == before | changed


async def test_the_first_phone_changes_and_the_others_stay(house: House) -> None:
    card = await made(house, phones=("55501234", "55505678"))
    after = await change(house, card, phone="55509999")
    assert after.identity is not None
    assert after.identity.phones == ("+97455509999", "+97455505678")


async def test_the_patient_is_found_by_what_holds_now(house: House) -> None:
    card = await made(house, phones=("55501234",), national_id="111111")
    await change(house, card, name="Zubaida", phones=(), national_id="222222")
    queries = ("amina", "55501234", "111111", "zubaida", "222222")
    assert [bool(await found(house, query)) for query in queries] == [False, False, False, True, True]


async def test_every_word_is_found_with_every_other_after_one_was_changed(house: House) -> None:
    card = await made(house, "Omar Khan Zubair", names={"ar": "عمر خان"})
    await change(house, card, name="Omar Saleh Zubair")
    queries = ("omar saleh", "saleh zub", "zubair omar saleh", "عمر خان", "omar khan")
    assert [bool(await found(house, query)) for query in queries] == [True, True, True, True, False]


async def test_a_date_of_birth_takes_the_place_of_a_year(house: House, live: Live) -> None:
    card = await made(house, birth_year=1979)
    async with live.staff(house, Role.RECEPTION) as rui:
        answer = await rui.patch(f"{PATIENTS}/{card.patient}", json={"birth_date": "1980-05-01"})
    assert (answer.json()["birth_date"], answer.json()["birth_year"]) == ("1980-05-01", 1980)


async def test_somebody_else_was_faster(house: House, live: Live) -> None:
    card = await made(house)
    await change(house, card, version=1, language="hi")
    async with live.staff(house, Role.RECEPTION) as rui:
        answer = await rui.patch(f"{PATIENTS}/{card.patient}", json={"name": "A", "version": 1})
    assert (answer.status_code, answer.json()["code"]) == (409, "changed_meanwhile")
    assert answer.json()["current"] == {"version": 2}


async def test_of_two_at_once_one_wins(house: House) -> None:
    card = await made(house)
    both = (change(house, card, version=1, name=name) for name in ("Amina One", "Amina Two"))
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(one).__name__ for one in outcomes) == ["ChangedMeanwhile", "PatientCard"]


async def test_nothing_new_is_no_change(house: House) -> None:
    card = await made(house)
    assert (await change(house, card, name="Amina Al-Thani")).version == 1


async def test_the_event_has_the_fields_and_no_value(house: House) -> None:
    card = await made(house)
    await change(house, card, name="Canary", language="ar")
    async with house.here().read() as tx:
        last = await events.last(tx, card.patient)
    assert last is not None
    assert (last.type, last.version, dict(last.data)) == ("patient_changed", 2, {"fields": ["name", "language"]})


async def test_a_doctor_may_not(house: House) -> None:
    card = await made(house)
    with pytest.raises(Forbidden):
        await run(house, house.dana, commands.change, card.patient, {"name": "Mine"})


async def test_another_facility_changes_nothing(house: House) -> None:
    card, other = await made(house), await found_house(house.services)
    with pytest.raises(PatientNotFound):
        await run(other, other.rui, commands.change, card.patient, {"name": "Mine"})
    assert (await card_of(house, card.patient)).version == 1
