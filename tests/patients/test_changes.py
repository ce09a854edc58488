"""Who changed a record is kept, and shown to administrators."""

from typing import Any
from uuid import UUID

import pytest

from dawr.accounts.rules import SYSTEM, Role
from dawr.patients import commands
from dawr.patients.rules import Identity
from tests.conftest import House, Live, found_house
from tests.patients.conftest import made, run

PATIENTS = "/api/v1/patients"


async def changes(house: House, live: Live, patient: UUID, **params: Any) -> dict[str, Any]:
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        answer = await ada.get(f"{PATIENTS}/{patient}/changes", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def told(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["type"], one["patient"]) for one in items]


async def test_of_a_change_the_fields_are_told_and_not_what_stood_there(house: House, live: Live) -> None:
    card, rui = await made(house, "Canary Khan"), house.rui
    await run(house, rui, commands.change, card.patient, {"name": "Canary Saleh", "birth_year": 1980})
    found = await changes(house, live, card.patient, total="true")
    last = found["items"][0]
    assert (last["type"], last["actor"], last["fields"]) == ("patient_changed", rui.label, ["name", "birth_year"])
    assert (found["total"], found["next"], "Canary" in str(found)) == (2, None, False)


async def test_merging_and_taking_apart_are_told_of_both_records(house: House, live: Live) -> None:
    stays, goes = await made(house), await made(house, "Zubaida")
    one, other = str(stays.patient), str(goes.patient)
    await run(house, house.rui, commands.merge, goes.patient, into=stays.patient)
    merged = (await changes(house, live, goes.patient))["items"]
    assert told(merged[:2]) == [("patient_joined", one), ("patient_merged", other)]
    assert [change["other"] for change in merged[:2]] == [other, one]
    await run(house, house.rui, commands.unmerge, goes.patient)
    for patient, types in ((goes, ["unmerged", "merged", "created"]), (stays, ["parted", "joined", "created"])):
        items = (await changes(house, live, patient.patient))["items"]
        assert told(items) == [(f"patient_{one}", str(patient.patient)) for one in types]


async def test_who_erased_is_told_after_it(house: House, live: Live) -> None:
    card, ada = await made(house), house.ada
    await run(house, ada, commands.erase, card.patient, "asked")
    last = (await changes(house, live, card.patient))["items"][0]
    assert (last["type"], last["actor"]) == ("patient_erased", ada.label)


async def test_pages_follow_each_other(house: House, live: Live) -> None:
    card = await made(house)
    for n in range(4):
        await run(house, house.rui, commands.change, card.patient, {"name": f"Amina {n}"})
    first = await changes(house, live, card.patient, limit=3)
    rest = await changes(house, live, card.patient, limit=3, cursor=first["next"])
    assert told(first["items"] + rest["items"])[-1][0] == "patient_created"
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (3, 2, None)


@pytest.mark.parametrize("role", [Role.RECEPTION, Role.DOCTOR, Role.DISPLAY])
async def test_nobody_else_sees_them(house: House, live: Live, role: Role) -> None:
    card = await made(house)
    async with live.staff(house, role) as somebody:
        assert (await somebody.get(f"{PATIENTS}/{card.patient}/changes")).status_code == 403


async def test_nobody_of_another_facility_either(house: House, live: Live) -> None:
    card = await made(house)
    elsewhere = await found_house(live.services)
    async with live.staff(elsewhere, Role.ADMINISTRATOR) as sam:
        assert (await sam.get(f"{PATIENTS}/{card.patient}/changes")).status_code == 404


async def test_what_the_house_itself_imported_is_told_as_its_own(house: House, live: Live) -> None:
    card = await run(house, SYSTEM, commands.create, Identity("Amina"))
    assert (await changes(house, live, card.patient))["items"][0]["actor"] == "system"
