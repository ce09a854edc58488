"""Finding patients."""

from datetime import timedelta

import pytest

from dawr.accounts.rules import Role
from dawr.patients import api, queries_find
from dawr.patients.rules import QueryTooShort
from dawr.platform.errors import Forbidden
from dawr.platform.ratelimit import Limit
from tests.conftest import House, Live, found_house
from tests.patients.conftest import AMINA, found, made

SEARCH = "/api/v1/patients/search"


@pytest.mark.parametrize("query", ["55501234", "+974 5550 1234", "00974-55501234", "٥٥٥٠١٢٣٤"])
async def test_by_phone_in_any_spelling(house: House, query: str) -> None:
    amina = await made(house, phones=("5550 1234", "+966 50 123 4567"))
    await made(house, "Omar", phones=("55501235",))
    assert await found(house, query) == [amina.patient]


@pytest.mark.parametrize("query", ["28063400123", "280-634-00123", "mr-00017", "MR 00017", "٢٨٠٦٣٤٠٠١٢٣"])
async def test_by_number(house: House, query: str) -> None:
    amina = await made(house, national_id="28063400123", record_number="MR-00017")
    await made(house, "Omar", national_id="28063400124")
    assert await found(house, query) == [amina.patient]


@pytest.mark.parametrize("query", ["ami", "AMINA", "thani", "al-thani am", "امينه", "أمي", "ثاني أمينة"])
async def test_by_the_beginning_of_the_name_in_any_script(house: House, query: str) -> None:
    amina = await made(house, names={"ar": "أمينة آل ثاني"})
    await made(house, "Omar Khan", names={"ar": "عمر خان"})
    assert await found(house, query) == [amina.patient]


async def test_letters_past_the_token_count_too(house: House) -> None:
    one, other = await made(house, "Muhammadu"), await made(house, "Muhammada")
    assert await found(house, "muhammadu") == [one.patient]
    assert await found(house, "muhammad") == [other.patient, one.patient]


async def test_all_words_have_to_fit(house: House) -> None:
    one = await made(house, "Omar Khan")
    await made(house, "Omar Saleh")
    await made(house, "Ali Khan")
    assert await found(house, "omar khan") == [one.patient]


@pytest.mark.parametrize("query", ["am", "a b", "12", "...", "ال"])
async def test_less_than_three_letters_find_nobody(house: House, query: str) -> None:
    with pytest.raises(QueryTooShort):
        await found(house, query)


async def test_pages_follow_each_other_without_a_gap(house: House) -> None:
    everyone = [(await made(house, f"Amina {'abcdefg'[n]}oor")).patient for n in range(7)]
    here, seen, before = house.here(house.rui), list[object](), None
    for _ in range(4):
        async with here.read() as tx:
            page = await queries_find.search(tx, here, "amina", before=before, limit=2)
        seen += [one.patient for one in page.cards]
        before = page.after
    assert seen == everyone[::-1]
    assert before is None


async def test_what_was_looked_through_is_not_the_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries_find, "_EXAMINED", 2)
    monkeypatch.setattr(queries_find, "_LOOKS", 1)
    rare = await made(house, "Omar Zubair")
    for n in range(3):
        await made(house, f"Omar {'abc'[n]}hmad")
        await made(house, f"{'abc'[n]}hmad Zubair")
    here, before = house.here(house.rui), None
    for _ in range(6):
        async with here.read() as tx:
            page = await queries_find.search(tx, here, "omar zubair", before=before, limit=2)
        if page.cards or page.after is None:
            break
        before = page.after
    assert [one.patient for one in page.cards] == [rare.patient]


async def test_it_looks_further_by_itself_until_somebody_is_found(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries_find, "_EXAMINED", 2)
    rare = await made(house, "Omar Zubair")
    for n in range(3):
        await made(house, f"Omar {'abc'[n]}hmad")
        await made(house, f"{'abc'[n]}hmad Zubair")
    assert await found(house, "omar zubair") == [rare.patient]


async def test_of_two_common_beginnings_the_rarer_one_is_gone_through(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries_find, "_COUNTED", 2)
    monkeypatch.setattr(queries_find, "_EXAMINED", 3)
    monkeypatch.setattr(queries_find, "_LOOKS", 1)
    wanted = await made(house, "Omar Zubair")
    for name in ("Ali Zubair", "Noor Zubair", "Omar Khan", "Omar Saleh", "Omar Aziz", "Omar Noor"):
        await made(house, name)
    for query in ("omar zubair", "zubair omar"):
        assert await found(house, query) == [wanted.patient]


async def test_names_that_go_on_in_another_way_are_not_opened(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries_find, "_OPENED", 1)
    monkeypatch.setattr(queries_find, "_LOOKS", 1)
    wanted = await made(house, "Omarabdulqadir Zubairalhassan")
    for name in ("Omarabduwahhab Zubairalrahman", "Zubairalqasim Omarabdussamad", "Omarabduraouf Zubairalnasser"):
        await made(house, name)
    assert await found(house, "omarabdulqadir zubairalhass") == [wanted.patient]


async def test_a_list_is_no_opened_record(house: House, live: Live) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        patient = (await rui.post("/api/v1/patients", json=AMINA)).json()["patient"]
        answer = await rui.post(SEARCH, json={"query": "amina"})
    assert answer.json() == {
        "items": [
            {
                "patient": patient,
                "name": "Amina Al-Thani",
                "names": {"ar": "أمينة آل ثاني"},
                "phone": "•••••••••234",
                "birth_date": "1980-05-01",
                "birth_year": 1980,
                "gender": "female",
                "language": "ar",
                "erased": False,
            }
        ],
        "next": None,
    }


async def test_the_cursor_goes_on_over_http(house: House, live: Live) -> None:
    for name in ("Amina One", "Amina Two", "Amina Six"):
        await made(house, name)
    async with live.staff(house, Role.RECEPTION) as rui:
        first = (await rui.post(SEARCH, json={"query": "amina", "limit": 2})).json()
        rest = (await rui.post(SEARCH, json={"query": "amina", "limit": 2, "cursor": first["next"]})).json()
        wrong = await rui.post(SEARCH, json={"query": "amina", "cursor": "???"})
    assert [one["name"] for one in first["items"] + rest["items"]] == ["Amina Six", "Amina Two", "Amina One"]
    assert (rest["next"], wrong.status_code) == (None, 422)


async def test_nobody_of_another_facility_is_found(house: House) -> None:
    await made(house, phones=("55501234",), national_id="123456")
    other = await found_house(house.services)
    assert [await found(other, query) for query in ("amina", "55501234", "123456")] == [[], [], []]


async def test_doctors_do_not_look_around(house: House) -> None:
    here = house.here(house.dana)
    with pytest.raises(Forbidden):
        async with here.read() as tx:
            await queries_find.search(tx, here, "amina")


async def test_searching_on_and_on_is_stopped(house: House, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.services.limits, "enabled", True)
    monkeypatch.setattr(api, "SEARCHES", Limit("patient_search", 3, timedelta(hours=1), 3))
    async with live.staff(house, Role.RECEPTION) as thief, live.staff(house, Role.RECEPTION) as rui:
        statuses = [(await thief.post(SEARCH, json={"query": "amina"})).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        assert (await thief.post("/api/v1/patients", json={"name": "Amina"})).status_code == 429
        assert (await rui.post(SEARCH, json={"query": "amina"})).status_code == 200
