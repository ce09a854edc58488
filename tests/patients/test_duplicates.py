"""Who is likely the same person is shown before and after, and never refused."""

from datetime import date
from typing import Any

import pytest

from dawr.accounts.rules import Role
from dawr.patients.rules import Identity, likeness
from tests.conftest import House, Live, found_house
from tests.patients.conftest import AMINA, made

PATIENTS = "/api/v1/patients"


async def test_a_likely_duplicate_is_named_and_made_all_the_same(house: House, live: Live) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        first = (await rui.post(PATIENTS, json=AMINA)).json()["patient"]
        second = await rui.post(PATIENTS, json=AMINA)
    assert second.status_code == 201
    (likely,) = second.json()["duplicates"]
    assert (likely["patient"], likely["phone"]) == (first, "•••••••••234")
    assert likely["reasons"] == ["national_id", "record_number", "name_and_birth", "phone"]


async def test_looking_before_makes_nobody(house: House, live: Live) -> None:
    known = await made(house, national_id="28063400123")
    async with live.staff(house, Role.RECEPTION) as rui:
        answer = await rui.post(f"{PATIENTS}/duplicates", json={"name": "A. Thani", "national_id": "280 634 00123"})
        assert [one["patient"] for one in answer.json()["items"]] == [str(known.patient)]
        assert len((await rui.post(f"{PATIENTS}/search", json={"query": "thani"})).json()["items"]) == 1


@pytest.mark.parametrize(
    ("one", "other", "reasons"),
    [
        ({"name": "Amina Khan", "birth_year": 1980}, {"name": "KHAN Amína", "birth_year": 1980}, ["name_and_birth"]),
        (
            {"name": "A", "names": {"ar": "أحمد"}, "birth_year": 1},
            {"name": "احمد", "birth_year": 1},
            ["name_and_birth"],
        ),
        ({"name": "Amina", "birth_date": date(1980, 5, 1)}, {"name": "Amina", "birth_year": 1980}, ["name_and_birth"]),
        ({"name": "Amina", "birth_date": date(1980, 5, 1)}, {"name": "Amina", "birth_date": date(1980, 5, 2)}, []),
        ({"name": "Amina"}, {"name": "Amina"}, []),
        ({"name": "Amina Khan", "phones": ("+1",)}, {"name": "Omar Khan", "phones": ("+1",)}, ["phone"]),
        ({"name": "Amina", "phones": ("+1",)}, {"name": "Omar", "phones": ("+1",)}, []),
        ({"name": "A", "national_id": "x-1"}, {"name": "B", "national_id": "X1"}, ["national_id"]),
        ({"name": "A", "record_number": ""}, {"name": "B", "record_number": ""}, []),
    ],
)
def test_likeness(one: dict[str, Any], other: dict[str, Any], reasons: list[str]) -> None:
    assert list(likeness(Identity(**one), Identity(**other))) == reasons
    assert list(likeness(Identity(**other), Identity(**one))) == reasons


async def test_another_facility_has_no_duplicates_of_ours(house: House, live: Live) -> None:
    await made(house, national_id="28063400123")
    other = await found_house(house.services)
    async with live.staff(other, Role.RECEPTION) as sam:
        answer = await sam.post(f"{PATIENTS}/duplicates", json={"name": "Amina", "national_id": "28063400123"})
    assert answer.json() == {"items": []}


async def test_doctors_do_not_ask(house: House, live: Live) -> None:
    async with live.staff(house, Role.DOCTOR) as dana:
        assert (await dana.post(f"{PATIENTS}/duplicates", json={"name": "Amina"})).status_code == 403
