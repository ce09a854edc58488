"""Facilities over HTTP: what strangers see, what staff see, what an administrator changes."""

import secrets
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import httpx2
import pytest

from dawr.accounts.commands import create_staff
from dawr.accounts.rules import Role
from dawr.facilities.rules import Entry
from tests.conftest import PASSWORD, House, Live

API = "/api/v1"


@pytest.fixture
async def stranger(live: Live, house: House) -> AsyncIterator[httpx2.AsyncClient]:
    async with live.client(house) as client:
        yield client


@pytest.fixture
async def ada(live: Live, house: House) -> AsyncIterator[httpx2.AsyncClient]:
    async with live.staff(house, Role.ADMINISTRATOR) as client:
        yield client


@pytest.fixture
async def rui(live: Live, house: House) -> AsyncIterator[httpx2.AsyncClient]:
    async with live.staff(house, Role.RECEPTION) as client:
        yield client


@pytest.fixture
async def operator(live: Live, house: House) -> AsyncIterator[httpx2.AsyncClient]:
    email = f"operator-{secrets.token_hex(6)}@test.example"
    await create_staff(live.services, email=email, name="Olga", password=PASSWORD, operator=True)
    async with live.client(house) as client:
        answer = await client.post(f"{API}/auth/login", json={"email": email, "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


def problem(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


# The facility


async def test_everybody_sees_the_facilitys_card(stranger: httpx2.AsyncClient, house: House) -> None:
    card = (await stranger.get(f"{API}/facility")).json()
    assert card == {
        "facility": house.facility.slug,
        "name": "Test house",
        "names": {"en": "Test house"},
        "zone": "Asia/Qatar",
        "pivot": "05:00",
        "languages": ["ar", "en", "hi"],
        "grace_minutes": 120,
        "paused": False,
        "service_day": house.facility.service_day(house.clock.now()).isoformat(),
        "version": 1,
    }


async def test_the_kill_switch_over_http(ada: httpx2.AsyncClient, stranger: httpx2.AsyncClient) -> None:
    assert problem(await stranger.post(f"{API}/facility/pause", json={"reason": "fire"})) == (401, "unauthenticated")
    paused = await ada.post(f"{API}/facility/pause", json={"reason": "fire"})
    assert (paused.json()["paused"], paused.json()["pause_reason"]) == (True, "fire")
    assert "pause_reason" not in (await stranger.get(f"{API}/facility")).json()
    refused = await stranger.post(f"{API}/queue/enter", json={"clinic": "lab", "user": "A"})
    assert problem(refused) == (409, "queue_paused")
    assert not (await ada.post(f"{API}/facility/resume")).json()["paused"]
    entered = await stranger.post(f"{API}/queue/enter", json={"clinic": "lab", "user": "A"})
    assert entered.status_code == 201


async def test_the_kill_switch_wants_a_reason(ada: httpx2.AsyncClient) -> None:
    assert problem(await ada.post(f"{API}/facility/pause", json={})) == (422, "invalid_request")


async def test_a_facilitys_settings_are_changed(ada: httpx2.AsyncClient) -> None:
    sent = {"names": {"ar": "المركز", "en": "Centre"}, "pivot": "04:00", "languages": ["ar", "en"], "version": 1}
    changed = (await ada.patch(f"{API}/facility", json=sent)).json()
    assert {field: changed[field] for field in sent} == sent | {"version": 2}
    again = await ada.patch(f"{API}/facility", json=sent)
    assert problem(again) == (409, "changed_meanwhile")
    assert again.json()["current"]["version"] == 2


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"zone": "Mars/Base"}, "unknown_zone"),
        ({"grace_minutes": 100_000_000_000}, "invalid_setting"),
        ({"pivot": "5:00"}, "invalid_request"),
        ({"slug": "other"}, "invalid_request"),
        ({"names": {"en": "a\u0000b"}}, "invalid_request"),
    ],
)
async def test_a_mistake_in_a_setting_is_a_422(ada: httpx2.AsyncClient, sent: dict[str, object], code: str) -> None:
    assert problem(await ada.patch(f"{API}/facility", json=sent)) == (422, code)


async def test_reception_changes_no_settings(rui: httpx2.AsyncClient) -> None:
    assert problem(await rui.patch(f"{API}/facility", json={"zone": "UTC"})) == (403, "forbidden")


# Clinics


async def test_a_stranger_sees_what_a_join_page_needs(stranger: httpx2.AsyncClient) -> None:
    answer = (await stranger.get(f"{API}/clinics")).json()
    assert answer["next"] is None
    assert [one["clinic"] for one in answer["items"]] == ["lab", "xray"]
    assert answer["items"][0] == {
        "clinic": "lab",
        "name": "Lab",
        "names": {"en": "Lab"},
        "prefix": "LAB",
        "department": None,
        "floor": None,
        "entry": "open",
        "hours": None,
        "desks": ["1", "2"],
        "state": "open",
        "doctors": [{"doctor": "dana", "name": "Dana"}, {"doctor": "omar", "name": "Omar"}],
    }


async def test_names_come_in_the_readers_language(stranger: httpx2.AsyncClient, house: House) -> None:
    await house.change_clinic("lab", name={"en": "Laboratory", "ar": "المختبر"})
    arabic = await stranger.get(f"{API}/clinics/lab", headers={"Accept-Language": "ar"})
    assert (arabic.json()["name"], arabic.json()["names"]["en"]) == ("المختبر", "Laboratory")


async def test_lists_come_in_pages(stranger: httpx2.AsyncClient) -> None:
    first = (await stranger.get(f"{API}/clinics", params={"limit": 1, "total": True})).json()
    assert (first["items"][0]["clinic"], first["total"]) == ("lab", 2)
    second = (await stranger.get(f"{API}/clinics", params={"limit": 1, "cursor": first["next"]})).json()
    assert ([one["clinic"] for one in second["items"]], second["next"]) == (["xray"], None)


@pytest.mark.parametrize(
    "params", [{"limit": "201"}, {"limit": "0"}, {"cursor": "x"}, {"cursor": "WyJhIiwyXQ"}, {"cursor": "MQ"}]
)
async def test_a_page_that_cannot_be_is_refused(stranger: httpx2.AsyncClient, params: dict[str, str]) -> None:
    assert problem(await stranger.get(f"{API}/clinics", params=params)) == (422, "invalid_request")


async def test_a_clinic_is_made_changed_and_archived(ada: httpx2.AsyncClient) -> None:
    made = await ada.post(f"{API}/clinics", json={"clinic": "eyes", "names": {"en": "Eyes"}, "prefix": "EYE"})
    assert (made.status_code, made.json()["desks"], made.json()["version"]) == (201, ["1"], 1)
    sent = {"capacity": 20, "hours": {"mon": [["08:00", "12:00"]]}, "floor": "2", "entry": "staff"}
    changed = (await ada.patch(f"{API}/clinics/eyes", json=sent)).json()
    assert {field: changed[field] for field in sent} == sent
    emptied = await ada.patch(f"{API}/clinics/eyes", json={"capacity": None, "hours": None, "prefix": None})
    assert [emptied.json()[field] for field in ("capacity", "hours", "prefix")] == [None, None, "EYE"]
    assert (await ada.post(f"{API}/clinics/eyes/archive")).json() == {"clinic": "eyes", "archived": True}
    assert problem(await ada.get(f"{API}/clinics/eyes")) == (404, "clinic_not_found")


async def test_the_same_key_makes_one_clinic(ada: httpx2.AsyncClient) -> None:
    sent = {"clinic": "eyes", "names": {"en": "Eyes"}, "prefix": "EYE"}
    key = {"Idempotency-Key": secrets.token_hex(16)}
    first, again = [await ada.post(f"{API}/clinics", json=sent, headers=key) for _ in range(2)]
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert problem(await ada.post(f"{API}/clinics", json=sent)) == (409, "slug_taken")


async def test_conflicts_and_mistakes_of_a_clinic(ada: httpx2.AsyncClient) -> None:
    taken = await ada.patch(f"{API}/clinics/lab", json={"prefix": "XR"})
    overlap = await ada.patch(f"{API}/clinics/lab", json={"hours": {"mon": [["08:00", "12:00"], ["11:00", "13:00"]]}})
    assert problem(taken) == (409, "prefix_taken")
    assert problem(overlap) == (422, "invalid_hours")
    assert overlap.json()["field"] == "hours"
    assert problem(await ada.get(f"{API}/clinics/nowhere")) == (404, "clinic_not_found")


async def test_reception_pauses_and_resumes_a_clinic(rui: httpx2.AsyncClient, stranger: httpx2.AsyncClient) -> None:
    paused = (await rui.post(f"{API}/clinics/lab/pause", json={"reason": "lunch"})).json()
    assert (paused["state"], paused["paused"], paused["pause_reason"]) == ("paused", True, "lunch")
    assert (await stranger.get(f"{API}/clinics/lab")).json()["state"] == "paused"
    assert (await rui.post(f"{API}/clinics/lab/resume")).json()["state"] == "open"
    assert (await rui.post(f"{API}/clinics/lab/pause")).json()["pause_reason"] is None
    assert problem(await rui.post(f"{API}/clinics/lab/close")) == (403, "forbidden")


async def test_a_clinic_is_closed_and_opened(ada: httpx2.AsyncClient) -> None:
    states = [(await ada.post(f"{API}/clinics/lab/{verb}")).json()["state"] for verb in ("close", "open")]
    assert states == ["closed", "open"]


async def test_desks_come_and_go(ada: httpx2.AsyncClient) -> None:
    added = await ada.post(f"{API}/clinics/xray/desks", json={"desk": "2"})
    assert (added.status_code, added.json()["desks"]) == (201, ["1", "2"])
    assert (await ada.delete(f"{API}/clinics/xray/desks/1")).json()["desks"] == ["2"]
    assert problem(await ada.delete(f"{API}/clinics/xray/desks/1")) == (404, "desk_not_found")


async def test_a_poster_leads_into_a_clinic_that_asks_for_it(
    rui: httpx2.AsyncClient, stranger: httpx2.AsyncClient, house: House
) -> None:
    await house.change_clinic("lab", entry=Entry.QR)
    poster = (await rui.get(f"{API}/clinics/lab/poster")).json()
    address = urlsplit(poster["url"])
    assert (address.path, address.query) == (f"/f/{house.facility.slug}/c/lab", f"code={poster['code']}")
    assert ElementTree.fromstring(poster["svg"]).tag == "{http://www.w3.org/2000/svg}svg"
    wish = {"clinic": "lab", "user": "A"}
    assert problem(await stranger.post(f"{API}/queue/enter", json=wish)) == (403, "entry_not_open")
    entered = await stranger.post(f"{API}/queue/enter", json=wish | {"entry_code": poster["code"]})
    assert entered.status_code == 201


async def test_a_renewed_poster_is_another(ada: httpx2.AsyncClient, stranger: httpx2.AsyncClient) -> None:
    before = (await ada.get(f"{API}/clinics/lab/poster")).json()["code"]
    assert (await ada.post(f"{API}/clinics/lab/poster/renew")).json()["code"] != before
    assert problem(await stranger.get(f"{API}/clinics/lab/poster")) == (401, "unauthenticated")


async def test_what_people_wait_for_is_not_taken_away(ada: httpx2.AsyncClient, stranger: httpx2.AsyncClient) -> None:
    entered = await stranger.post(f"{API}/queue/enter", json={"clinic": "lab", "user": "A", "doctor": "dana"})
    await ada.post(f"{API}/queue/call", json={"ticket": entered.json()["ticket"], "desk": "1"})
    refused = [
        await ada.post(f"{API}/clinics/lab/archive"),
        await ada.delete(f"{API}/clinics/lab/desks/1"),
        await ada.patch(f"{API}/doctors/dana", json={"clinics": []}),
    ]
    assert [(*problem(one), one.json()["open_tickets"]) for one in refused] == [(409, "still_in_use", 1)] * 3
    assert (await ada.delete(f"{API}/clinics/lab/desks/2")).json()["desks"] == ["1"]
    assert (await ada.post(f"{API}/clinics/xray/archive")).status_code == 200


# Departments and doctors


async def test_departments_over_http(ada: httpx2.AsyncClient, stranger: httpx2.AsyncClient) -> None:
    made = await ada.post(f"{API}/departments", json={"department": "heart", "names": {"en": "Heart"}})
    assert (made.status_code, made.json()["name"]) == (201, "Heart")
    await ada.patch(f"{API}/departments/heart", json={"names": {"en": "Cardio"}})
    assert [one["name"] for one in (await stranger.get(f"{API}/departments")).json()["items"]] == ["Cardio"]
    assert (await ada.post(f"{API}/departments/heart/archive")).json() == {"department": "heart", "archived": True}
    assert problem(await stranger.get(f"{API}/departments/heart")) == (404, "department_not_found")


async def test_doctors_over_http(ada: httpx2.AsyncClient, stranger: httpx2.AsyncClient) -> None:
    sent = {"doctor": "dr.rao", "names": {"en": "Dr Rao"}, "clinics": ["lab"]}
    made = await ada.post(f"{API}/doctors", json=sent)
    assert (made.status_code, made.json()) == (201, sent | {"name": "Dr Rao", "version": 1})
    moved = (await ada.patch(f"{API}/doctors/dr.rao", json={"clinics": ["xray"], "version": 1})).json()
    assert (moved["clinics"], moved["version"]) == (["xray"], 2)
    names = [one["doctor"] for one in (await stranger.get(f"{API}/doctors")).json()["items"]]
    assert names == ["dana", "dr.rao", "omar"]
    assert (await ada.post(f"{API}/doctors/dr.rao/archive")).json()["archived"]
    assert problem(await stranger.get(f"{API}/doctors/dr.rao")) == (404, "doctor_not_found")


# The installation


async def listed(operator: httpx2.AsyncClient) -> AsyncIterator[dict[str, Any]]:
    """Every facility of the installation, page by page."""
    page: dict[str, Any] = {"next": ""}
    while page["next"] is not None:
        cursor = {"cursor": page["next"]} if page["next"] else {}
        page = (await operator.get(f"{API}/facilities", params={"limit": 50} | cursor)).json()
        for one in page["items"]:
            yield one


async def test_the_operator_founds_facilities(live: Live, operator: httpx2.AsyncClient) -> None:
    slug = f"fresh-{secrets.token_hex(5)}"
    sent = {"facility": slug, "names": {"en": "Fresh"}, "zone": "Europe/Berlin"}
    key = {"Idempotency-Key": secrets.token_hex(16)}
    made, again = [await operator.post(f"{API}/facilities", json=sent, headers=key) for _ in range(2)]
    assert (made.status_code, again.status_code) == (201, 201)
    assert made.json() == again.json()
    assert problem(await operator.post(f"{API}/facilities", json=sent)) == (409, "slug_taken")
    assert {"facility": slug, "no": made.json()["no"], "default": False} in [one async for one in listed(operator)]
    async with live.client() as anybody:
        assert (await anybody.get(f"/f/{slug}{API}/facility")).json()["name"] == "Fresh"


async def test_an_administrator_does_not_see_other_facilities(ada: httpx2.AsyncClient) -> None:
    sent = {"facility": "mine", "names": {"en": "Mine"}, "zone": "UTC"}
    assert problem(await ada.get(f"{API}/facilities")) == (403, "forbidden")
    assert problem(await ada.post(f"{API}/facilities", json=sent)) == (403, "forbidden")
    assert problem(await ada.post(f"{API}/facilities/mine/default")) == (403, "forbidden")


async def test_the_operator_has_no_say_in_a_facilitys_settings(operator: httpx2.AsyncClient) -> None:
    assert problem(await operator.patch(f"{API}/facility", json={"zone": "UTC"})) == (403, "forbidden")
