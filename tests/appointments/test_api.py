"""Appointments over HTTP: what reception, a patient with a secret, a doctor and a stranger get."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from dawr.accounts.rules import Role
from dawr.appointments import api_shapes as shapes
from dawr.appointments.api import BY_ADDRESS, viewer
from dawr.facilities.rules import Entry
from dawr.platform.errors import TooManyRequests
from dawr.platform.ratelimit import RateLimiter
from tests.appointments.conftest import MONDAY, Practice
from tests.conftest import Live

API = "/api/v1"
WEEK = [
    {"weekday": day, "from": "09:00", "to": "10:00", "slot_minutes": 15}
    for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
]


@pytest.fixture
async def rui(live: Live, practice: Practice) -> AsyncIterator[httpx2.AsyncClient]:
    async with live.staff(practice.house, Role.RECEPTION) as client:
        yield client


@pytest.fixture
async def ada(live: Live, practice: Practice) -> AsyncIterator[httpx2.AsyncClient]:
    async with live.staff(practice.house, Role.ADMINISTRATOR) as client:
        yield client


@pytest.fixture
async def stranger(live: Live, practice: Practice) -> AsyncIterator[httpx2.AsyncClient]:
    async with live.client(practice.house) as client:
        yield client


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def start(clock: str = "10:00") -> str:
    return f"{MONDAY.isoformat()}T{clock}:00+03:00"


async def booked(rui: httpx2.AsyncClient, practice: Practice, clock: str = "10:00", **more: Any) -> dict[str, Any]:
    wish = {"patient": str(await practice.patient()), "doctor": "dana", "start": start(clock)} | more
    answer = await rui.post(f"{API}/appointments", json=wish)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def with_secret(made: dict[str, Any]) -> dict[str, str]:
    return {"Appointment-Secret": made["follow"].removeprefix("/a/")}


async def test_slots_are_shown_with_the_facilitys_offset(stranger: httpx2.AsyncClient, practice: Practice) -> None:
    answer = await stranger.get(f"{API}/doctors/dana/slots", params={"date": MONDAY.isoformat()})
    items = answer.json()["items"]
    assert (len(items), items[0]) == (
        32,
        {"start": start("09:00"), "end": start("09:15"), "free": True, "left": 1, "clinic": None},
    )
    assert shapes.SlotsAnswer.model_validate(answer.json())


async def test_a_slot_that_has_begun_is_not_free(stranger: httpx2.AsyncClient, practice: Practice) -> None:
    practice.set_clock("09:10")
    items = (await stranger.get(f"{API}/doctors/dana/slots")).json()["items"]
    assert [one["free"] for one in items[:2]] == [False, True]


async def test_a_day_that_cannot_be_is_refused(stranger: httpx2.AsyncClient) -> None:
    for day in ("0001-01-01", "9999-12-31"):
        assert problem(await stranger.get(f"{API}/doctors/dana/slots", params={"date": day}))[0] == 422
    assert problem(await stranger.get(f"{API}/doctors/nobody/slots")) == (404, "doctor_not_found")


async def test_booking_answers_the_appointment(rui: httpx2.AsyncClient, practice: Practice) -> None:
    made = await booked(rui, practice)
    assert (made["start"], made["end"], made["status"]) == (start("10:00"), start("10:15"), "booked")
    assert shapes.AppointmentAnswer.model_validate(made)
    again = (await rui.get(f"{API}/appointments/{made['appointment']}")).json()
    assert again == made


async def test_of_twenty_requests_for_one_slot_one_is_created(rui: httpx2.AsyncClient, practice: Practice) -> None:
    patients = [str(await practice.patient()) for _ in range(20)]
    wishes = [{"patient": one, "doctor": "dana", "start": start()} for one in patients]
    answers = await asyncio.gather(*(rui.post(f"{API}/appointments", json=one) for one in wishes))
    assert sorted(one.status_code for one in answers) == [201] + [409] * 19
    assert {one.json()["code"] for one in answers if one.status_code == 409} == {"slot_taken"}


async def test_a_repeated_request_books_once(rui: httpx2.AsyncClient, practice: Practice) -> None:
    wish = {"patient": str(await practice.patient()), "doctor": "dana", "start": start()}
    key = {"Idempotency-Key": "book-me-once-0001"}
    first, again = [await rui.post(f"{API}/appointments", json=wish, headers=key) for _ in range(2)]
    assert (first.json(), again.headers["Idempotent-Replayed"]) == (again.json(), "true")


WRONG: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"start": "2031-03-03T10:05:00+03:00"}, (422, "not_a_slot")),
    ({"start": "2031-03-02T10:00:00+03:00"}, (409, "slot_over")),
    ({"start": "2031-03-03T10:00:00"}, (422, "invalid_request")),
    ({"start": "0001-01-01T00:00:00+03:00"}, (422, "not_a_slot")),
    ({"doctor": "nobody"}, (404, "doctor_not_found")),
    ({"patient": "nobody"}, (404, "patient_not_found")),
    ({"surprise": 1}, (422, "invalid_request")),
]


async def test_what_cannot_be_booked(rui: httpx2.AsyncClient, practice: Practice) -> None:
    wish = {"patient": str(await practice.patient()), "doctor": "dana", "start": start()}
    for change, expected in WRONG:
        assert problem(await rui.post(f"{API}/appointments", json=wish | change)) == expected


async def test_checking_in_answers_visit_and_tickets(rui: httpx2.AsyncClient, practice: Practice) -> None:
    made = await booked(rui, practice)
    path = f"{API}/appointments/{made['appointment']}/check-in"
    key = {"Idempotency-Key": "check-in-only-once"}
    answer, again = [await rui.post(path, headers=key) for _ in range(2)]
    done = answer.json()
    assert (answer.status_code, done["status"], done["late"], again.json()) == (200, "checked_in", False, done)
    assert done["visit_number"].startswith("V-20310303-")
    assert [(one["clinic"], one["doctor"]) for one in done["tickets"]] == [("lab", "dana")]
    assert shapes.CheckedInAnswer.model_validate(done)
    assert problem(await rui.post(path)) == (409, "appointment_wrong_state")


async def test_a_patient_does_what_is_theirs_with_the_secret(
    rui: httpx2.AsyncClient, stranger: httpx2.AsyncClient, practice: Practice
) -> None:
    made = await booked(rui, practice)
    path, secret = f"{API}/appointments/{made['appointment']}", with_secret(made)
    assert (await stranger.get(path, headers=secret)).json() == made
    moved = await stranger.post(f"{path}/reschedule", json={"start": start("11:00")}, headers=secret)
    assert moved.json()["start"] == start("11:00")
    assert problem(await stranger.post(f"{path}/no-show", headers=secret)) == (403, "forbidden")
    assert (await stranger.post(f"{path}/cancel", headers=secret)).json()["status"] == "cancelled"


async def test_a_patient_checks_in_shortly_before_and_gets_the_ticket(
    rui: httpx2.AsyncClient, stranger: httpx2.AsyncClient, practice: Practice
) -> None:
    await practice.house.change_clinic("lab", entry=Entry.STAFF)
    made = await booked(rui, practice, "10:30")
    path, secret = f"{API}/appointments/{made['appointment']}/check-in", with_secret(made)
    assert problem(await stranger.post(path, headers=secret)) == (409, "too_early")
    practice.set_clock("08:30")
    key = {"Idempotency-Key": "check-in-only-once"}
    done, again = [(await stranger.post(path, headers=secret | key)).json() for _ in range(2)]
    (ticket,) = done["tickets"]
    shown = await stranger.get(ticket["follow"], follow_redirects=False)
    assert (done, shown.status_code, done["late"]) == (again, 200, False)


async def test_a_patient_waits_for_an_earlier_slot_over_http(
    rui: httpx2.AsyncClient, stranger: httpx2.AsyncClient, practice: Practice
) -> None:
    made = await booked(rui, practice, "10:30")
    path, secret = f"{API}/appointments/{made['appointment']}/earlier", with_secret(made)
    waits = (await stranger.post(path, headers=secret)).json()["earlier"]
    assert (waits["status"], waits["follow"][:3]) == ("offered", "/a/")
    assert (await stranger.post(f"{path}/stop", headers=secret)).json()["earlier"] is None
    assert problem(await stranger.post(f"{path}/stop", headers=secret)) == (409, "not_waiting")


async def test_no_secret_opens_another_appointment(
    rui: httpx2.AsyncClient, stranger: httpx2.AsyncClient, practice: Practice
) -> None:
    made, other = await booked(rui, practice), await booked(rui, practice, "10:15")
    path, wrong = f"{API}/appointments/{made['appointment']}", with_secret(other)
    assert problem(await stranger.get(path, headers=wrong)) == (404, "appointment_not_found")
    assert problem(await stranger.post(f"{path}/cancel", headers=wrong)) == (404, "appointment_not_found")
    forged = {"Appointment-Secret": wrong["Appointment-Secret"][:-4] + "AAAA"}
    assert problem(await stranger.get(path, headers=forged)) == (401, "unauthenticated")


async def test_a_ticket_s_secret_opens_no_appointment(
    rui: httpx2.AsyncClient, stranger: httpx2.AsyncClient, practice: Practice
) -> None:
    made = await booked(rui, practice)
    entered = (await stranger.post(f"{API}/queue/enter", json={"clinic": "lab", "user": "TEST_1"})).json()
    secret = {"Appointment-Secret": entered["follow"].removeprefix("/t/")}
    answer = await stranger.get(f"{API}/appointments/{made['appointment']}", headers=secret)
    assert problem(answer) == (401, "unauthenticated")


async def test_a_secret_dies_a_day_after_the_appointment(
    rui: httpx2.AsyncClient, stranger: httpx2.AsyncClient, practice: Practice
) -> None:
    made = await booked(rui, practice)
    practice.set_clock("10:30", MONDAY + timedelta(days=1))
    answer = await stranger.get(f"{API}/appointments/{made['appointment']}", headers=with_secret(made))
    assert problem(answer) == (404, "appointment_not_found")


async def test_the_list_of_a_day_is_paged_and_names_the_patients(rui: httpx2.AsyncClient, practice: Practice) -> None:
    for clock in ("10:30", "10:00", "10:15"):
        await booked(rui, practice, clock)
    asked = {"date": MONDAY.isoformat(), "doctor": "dana", "limit": "2", "total": "true"}
    first = (await rui.get(f"{API}/appointments", params=asked)).json()
    rest = (await rui.get(f"{API}/appointments", params=asked | {"cursor": first["next"]})).json()
    found = [one["start"] for one in first["items"] + rest["items"]]
    assert (found, first["total"], rest["next"]) == ([start(one) for one in ("10:00", "10:15", "10:30")], 3, None)
    assert first["items"][0]["name"] == "Amina"
    assert shapes.AppointmentsAnswer.model_validate(first)


async def test_a_doctor_sees_their_own_day_and_no_other(
    live: Live, rui: httpx2.AsyncClient, practice: Practice
) -> None:
    made = await booked(rui, practice)
    async with live.staff(practice.house, Role.DOCTOR, clinics=["lab"], doctor="omar") as omar:
        assert problem(await omar.get(f"{API}/appointments", params={"doctor": "dana"})) == (403, "forbidden")
        assert problem(await omar.get(f"{API}/appointments/{made['appointment']}")) == (403, "forbidden")
        assert (await omar.get(f"{API}/appointments", params={"doctor": "omar"})).json()["items"] == []
        assert problem(await omar.post(f"{API}/appointments/{made['appointment']}/cancel")) == (403, "forbidden")


async def test_strangers_and_other_facilities_get_nothing(
    live: Live, rui: httpx2.AsyncClient, stranger: httpx2.AsyncClient, practice: Practice
) -> None:
    made = await booked(rui, practice)
    other = (await practice.elsewhere()).house
    for path in ("appointments", "appointments/waiting", "doctors/dana/leave", f"appointments/{made['appointment']}"):
        assert problem(await stranger.get(f"{API}/{path}")) == (401, "unauthenticated")
    async with live.staff(other, Role.ADMINISTRATOR) as sam:
        path = f"{API}/appointments/{made['appointment']}"
        assert problem(await sam.get(path)) == (404, "appointment_not_found")
        for verb in ("cancel", "check-in", "no-show", "accept", "decline"):
            assert problem(await sam.post(f"{path}/{verb}")) == (404, "appointment_not_found")


async def test_an_administrator_writes_a_schedule(ada: httpx2.AsyncClient) -> None:
    path = f"{API}/doctors/omar/schedule"
    empty = (await ada.get(path)).json()
    extra = {"date": "2031-03-08", "from": "20:00", "to": "21:00", "slot_minutes": 30, "capacity": 2, "clinic": "lab"}
    answer = await ada.put(path, json={"windows": WEEK, "extra": [extra], "version": empty["version"]})
    written = answer.json()
    assert (answer.status_code, len(written["windows"]), written["extra"]) == (200, 7, [extra])
    assert written["needs_rebooking"] == []
    assert problem(await ada.put(path, json={"windows": [], "version": 9})) == (409, "changed_meanwhile")
    assert problem(await ada.put(path, json={"windows": WEEK * 2})) == (422, "invalid_schedule")
    items = (await ada.get(f"{API}/doctors/omar/slots", params={"date": "2031-03-08"})).json()["items"]
    assert [one["left"] for one in items] == [1, 1, 1, 1, 2, 2]


async def test_leave_by_days_lists_what_must_be_rebooked(rui: httpx2.AsyncClient, practice: Practice) -> None:
    made, path = await booked(rui, practice), f"{API}/doctors/dana/leave"
    answer = await rui.post(path, json={"from": "2031-03-03", "until": "2031-03-04", "reason": "illness"})
    leave = answer.json()
    assert (answer.status_code, leave["from"], leave["until"]) == (201, start("00:00"), "2031-03-05T00:00:00+03:00")
    assert [one["appointment"] for one in leave["needs_rebooking"]] == [made["appointment"]]
    assert [one["leave"] for one in (await rui.get(path)).json()["items"]] == [leave["leave"]]
    gone = (await rui.delete(f"{path}/{leave['leave']}")).json()
    assert (gone["cancelled"], gone["needs_rebooking"], (await rui.get(path)).json()["items"]) == (True, [], [])
    assert problem(await rui.delete(f"{path}/nothing")) == (404, "leave_not_found")


async def test_leave_by_instants(rui: httpx2.AsyncClient) -> None:
    body = {"from": start("10:00"), "until": start("11:00"), "reason": "training"}
    leave = (await rui.post(f"{API}/doctors/dana/leave", json=body)).json()
    assert (leave["from"], leave["until"]) == (start("10:00"), start("11:00"))
    naive = body | {"from": "2031-03-03T10:00:00"}
    assert problem(await rui.post(f"{API}/doctors/dana/leave", json=naive))[0] == 422


async def test_the_waiting_list_over_http(
    rui: httpx2.AsyncClient, stranger: httpx2.AsyncClient, practice: Practice
) -> None:
    wish = {"patient": str(await practice.patient()), "doctor": "dana", "from": start("10:00")}
    entry = (await rui.post(f"{API}/appointments/waiting", json=wish)).json()
    assert (entry["status"], entry["from"]) == ("offered", start("10:00"))
    assert (await rui.get(f"{API}/appointments/waiting", params={"doctor": "dana"})).json()["items"] == [
        entry | {"name": "Amina", "start": start("10:00")}
    ]
    path = f"{API}/appointments/{entry['appointment']}"
    offered = (await rui.get(path)).json()
    accepted = await stranger.post(f"{path}/accept", headers=with_secret(offered))
    assert accepted.json()["status"] == "booked"
    again = await rui.post(f"{API}/appointments/waiting/{entry['waiting']}/withdraw")
    assert problem(again) == (409, "appointment_wrong_state")


async def test_the_waiting_list_by_days(rui: httpx2.AsyncClient, practice: Practice) -> None:
    wish = {"patient": str(await practice.patient()), "doctor": "dana", "from": "2031-03-05", "until": "2031-03-05"}
    entry = (await rui.post(f"{API}/appointments/waiting", json=wish)).json()
    assert (entry["from"], entry["until"]) == ("2031-03-05T00:00:00+03:00", "2031-03-05T23:55:00+03:00")
    offered = (await rui.get(f"{API}/appointments/{entry['appointment']}")).json()
    assert offered["start"][:10] == "2031-03-05"


@pytest.mark.parametrize(
    ("span", "field"),
    [
        ({"from": "2031-03-05", "until": "2031-03-04"}, "until"),
        ({"until": "2031-03-02"}, "until"),
        ({"from": "1999-01-01"}, "from"),
        ({"until": "2200-01-01"}, "until"),
    ],
)
async def test_days_that_cannot_be_are_told_by_their_field(
    rui: httpx2.AsyncClient, practice: Practice, span: dict[str, str], field: str
) -> None:
    wish = {"patient": str(await practice.patient()), "doctor": "dana"} | span
    answer = await rui.post(f"{API}/appointments/waiting", json=wish)
    assert (problem(answer), answer.json()["field"]) == ((422, "invalid_schedule"), field)


async def test_a_facility_decides_its_rules(ada: httpx2.AsyncClient, rui: httpx2.AsyncClient) -> None:
    path = f"{API}/appointments/rules"
    before = (await rui.get(path)).json()
    minutes = {"late_minutes": 15, "no_show_minutes": 60, "offer_minutes": 120}
    assert before == minutes | {"reminders": [1440, 120], "version": 0}
    wanted = before | {"late_minutes": 5, "reminders": [60, 2880]}
    assert problem(await rui.put(path, json=wanted)) == (403, "forbidden")
    assert (await ada.put(path, json=wanted)).json() == wanted | {"reminders": [2880, 60], "version": 1}
    assert problem(await ada.put(path, json=wanted | {"version": 7})) == (409, "changed_meanwhile")
    assert problem(await ada.put(path, json=wanted | {"late_minutes": -1}))[0] == 422


async def test_secrets_cannot_be_tried_without_end(practice: Practice) -> None:
    services = practice.house.services
    limits = RateLimiter(services.db.pool, services.keyring, metrics=services.metrics, enabled=True)
    here = practice.house.here(services=replace(services, limits=limits), address=f"192.0.2.{uuid4()}")

    async def guess(times: int) -> None:
        for _ in range(times):
            await viewer(here, uuid4(), "a guess")

    await guess(BY_ADDRESS.burst)
    # A slow machine leaves time in which a few more are granted.
    with pytest.raises(TooManyRequests):
        await guess(2 * BY_ADDRESS.burst)
