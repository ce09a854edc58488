"""Visits through HTTP, as the contract has them."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from dawr.accounts.rules import Role
from dawr.patients import queries as patients
from tests.conftest import Live
from tests.visits.conftest import Reception

VISITS = "/api/v1/visits"


@pytest.fixture
async def rui(live: Live, reception: Reception) -> AsyncIterator[httpx2.AsyncClient]:
    async with live.staff(reception.house, Role.RECEPTION) as client:
        yield client


async def created(client: httpx2.AsyncClient, reception: Reception, **asked: Any) -> dict[str, Any]:
    patient = asked.pop("patient", None) or str(await reception.patient())
    answer = await client.post(VISITS, json={"patient": patient, "clinic": "lab"} | asked)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def numbers(client: httpx2.AsyncClient, **asked: Any) -> list[str]:
    answer = await client.get(VISITS, params=asked)
    assert answer.status_code == 200, answer.text
    return [one["visit_number"][-4:] for one in answer.json()["items"]]


async def test_the_answer_holds_visit_patient_tickets_and_history(
    rui: httpx2.AsyncClient, reception: Reception
) -> None:
    amina = await reception.patient("Amina", phones=("+97455500123",))
    made = await created(rui, reception, patient=str(amina), reason="cough", priority="priority")
    assert made["visit_number"].startswith("V-")
    assert (made["status"], made["reason"]) == ("waiting", "cough")
    assert (made["patient"]["patient"], made["patient"]["name"]) == (str(amina), "Amina")
    assert [(one["code"], one["priority"], bool(one["follow"])) for one in made["tickets"]] == [
        ("LAB-001", "priority", True)
    ]
    assert [(one["type"], one["status"]) for one in made["history"]] == [("visit_created", "waiting")]


async def test_what_is_answered_is_what_is_kept(rui: httpx2.AsyncClient, reception: Reception) -> None:
    made = await created(rui, reception, reason="cough")
    assert (await rui.get(f"{VISITS}/{made['visit']}")).json() == made


async def test_the_same_request_again_makes_no_second_visit(rui: httpx2.AsyncClient, reception: Reception) -> None:
    asked = {"patient": str(await reception.patient()), "clinic": "lab"}
    first, again = [await rui.post(VISITS, headers={"Idempotency-Key": "k" * 20}, json=asked) for _ in range(2)]
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert again.json() == first.json()
    assert await numbers(rui) == ["0001"]


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"patient": str(uuid4()), "clinic": "lab"}, 404, "patient_not_found"),
        ({"patient": "no id of ours", "clinic": "lab"}, 404, "patient_not_found"),
        ({"clinic": "lab"}, 422, "invalid_request"),
        ({"patient": str(uuid4()), "pathway": "recruitment"}, 422, "invalid_request"),
    ],
)
async def test_what_cannot_be_a_visit(rui: httpx2.AsyncClient, asked: dict[str, str], status: int, code: str) -> None:
    answer = await rui.post(VISITS, json=asked)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_ending_and_reopening(rui: httpx2.AsyncClient, reception: Reception) -> None:
    visit = (await created(rui, reception))["visit"]
    cancelled = (await rui.post(f"{VISITS}/{visit}/cancel", json={"reason": "went home"})).json()
    assert (cancelled["status"], cancelled["history"][-1]["reason"]) == ("cancelled", "went home")
    assert (await rui.post(f"{VISITS}/{visit}/reopen")).json()["status"] == "waiting"
    assert (await rui.post(f"{VISITS}/{visit}/no_show")).json()["status"] == "no_show"
    refused = await rui.post(f"{VISITS}/{visit}/complete")
    assert (refused.status_code, refused.json()["code"], refused.json()["state"]) == (
        409,
        "visit_wrong_state",
        "no_show",
    )


async def test_another_ticket_joins_the_visit(rui: httpx2.AsyncClient, reception: Reception) -> None:
    visit = (await created(rui, reception))["visit"]
    answer = await rui.post(f"{VISITS}/{visit}/tickets", json={"clinic": "xray"})
    assert answer.status_code == 201
    assert [one["clinic"] for one in answer.json()["tickets"]] == ["lab", "xray"]


async def test_the_day_s_list_goes_on_from_page_to_page(rui: httpx2.AsyncClient, reception: Reception) -> None:
    for _ in range(5):
        await reception.visit()
    seen: list[str] = []
    page: dict[str, Any] = {"next": None}
    while not seen or page["next"]:
        cursor = {"cursor": page["next"]} if page["next"] else {}
        page = (await rui.get(VISITS, params={"limit": 2, "total": True} | cursor)).json()
        seen += [one["visit_number"][-4:] for one in page["items"]]
    assert (seen, page["total"]) == (["0001", "0002", "0003", "0004", "0005"], 5)


async def test_the_list_by_state_clinic_and_day(rui: httpx2.AsyncClient, reception: Reception) -> None:
    one, *_ = [await reception.visit(clinic=clinic) for clinic in ("lab", "xray", "xray")]
    await reception.end(one)
    assert await numbers(rui, status="waiting") == ["0002", "0003"]
    assert await numbers(rui, clinic="lab") == ["0001"]
    assert await numbers(rui, clinic="lab", status="waiting") == []
    assert await numbers(rui, day="2026-01-01") == []
    assert (await rui.get(VISITS, params={"clinic": "nowhere"})).status_code == 404
    for asked in ({"cursor": "nonsense"}, {"cursor": "W3RydWVd"}, {"day": "0"}, {"status": "gone"}):
        assert (await rui.get(VISITS, params=asked)).status_code == 422


async def test_a_list_opens_no_record(rui: httpx2.AsyncClient, reception: Reception) -> None:
    amina = await reception.patient("Amina", phones=("+97455500123",))
    await reception.visit(amina)
    before = await read_by(reception, amina)
    shown = (await rui.get(VISITS)).json()["items"][0]["patient"]
    assert (shown["name"], shown["phone"].endswith("123"), "national_id" in shown) == ("Amina", True, False)
    assert "+97455500123" not in shown["phone"]
    assert await read_by(reception, amina) == before


async def read_by(reception: Reception, patient: Any) -> list[str]:
    here = reception.here()
    async with here.read() as tx:
        return [one.purpose for one in await patients.accesses(tx, here, patient)]


async def test_who_read_the_patient_s_data_is_kept(live: Live, rui: httpx2.AsyncClient, reception: Reception) -> None:
    amina = await reception.patient()
    visit = (await created(rui, reception, patient=str(amina)))["visit"]
    async with live.staff(reception.house, Role.DOCTOR, clinics=["lab"], doctor="dana") as dana:
        assert (await dana.get(f"{VISITS}/{visit}")).json()["patient"]["name"] == "Amina"
    assert await read_by(reception, amina) == ["care", "reception"]


async def test_a_doctor_sees_the_visits_of_their_clinics_alone(
    live: Live, rui: httpx2.AsyncClient, reception: Reception
) -> None:
    visit = (await created(rui, reception))["visit"]
    async with live.staff(reception.house, Role.DOCTOR, clinics=["xray"]) as other:
        assert (await other.get(f"{VISITS}/{visit}")).status_code == 403
        assert (await other.get(VISITS)).status_code == 403
    async with live.client(reception.house) as stranger:
        assert (await stranger.get(f"{VISITS}/{visit}")).status_code == 401


async def test_another_facility_s_visit_does_not_exist(rui: httpx2.AsyncClient, reception: Reception) -> None:
    theirs = (await (await reception.elsewhere()).visit()).visit
    answers = [
        await rui.get(f"{VISITS}/{theirs}"),
        await rui.post(f"{VISITS}/{theirs}/cancel"),
        await rui.post(f"{VISITS}/{theirs}/tickets", json={"clinic": "lab"}),
        await rui.get(f"{VISITS}/{uuid4()}"),
    ]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "visit_not_found")] * 4
