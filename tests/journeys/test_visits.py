"""A patient's day from each side: what they see themselves, what reception and the doctor see, what was sent. Through HTTP, the
workers and the live streams; mail server and gateway are real ones on loopback."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.appointments.conftest import MONDAY
from tests.conftest import House, Live
from tests.journeys.hospital import INBOX_SECONDS, Hospital, hospital
from tests.realtime.sse import connect

NOTES = "Cough for two weeks.\nLungs clear."
PHONE, AMINA = "•••• 4321", "Amina Noor"
MORNING = "Mon, Mar 3 at 10:00 AM"


@pytest.fixture
async def place(live: Live, house: House) -> AsyncIterator[Hospital]:
    async with hospital(live, house) as found:
        yield found


def secret(address: str) -> str:
    return address.rpartition("/")[2]


async def test_a_walk_in(place: Hospital) -> None:
    # Amina comes without an appointment. Reception does not know her, registers her and sends her to the lab.
    assert (await place.post(place.rui, "/patients/search", query="Amina"))["items"] == []
    amina = (await place.patient())["patient"]
    async with connect(place.live.url, headers={"X-Facility": place.house.facility.slug}, clinic="lab") as board:
        await board.one("connected")
        visit = await place.post(place.rui, "/visits", patient=amina, clinic="lab", reason="A cough")
        ticket = visit["tickets"][0]
        # The board shows a code; everybody concerned has the visit in their inbox, within five seconds; no name in either.
        assert (await board.one()).data["code"] == ticket["code"] == "LAB-001"
        for who in (place.rui, place.dana, place.ada):
            found = await place.soon(lambda who=who: place.inbox(who), bool, within=INBOX_SECONDS)  # type: ignore[misc]
            assert found == [f"New visit {visit['visit_number']}: Lab"]
        # She reads on her phone that she is the next one.
        seen = await place.ticket(ticket)
        assert (seen["status"], seen["position"], seen["ahead"]) == ("waiting", 1, 0)
        assert "LAB-001" in await place.page(ticket["follow"])
        # Dana calls the next person and sees who it is; Amina gets a text message, and her phone says where to go.
        await place.post(place.dana, "/queue/call", clinic="lab", desk="2")
        (at_desk,) = (await place.get(place.dana, "/queue/tickets?clinic=lab"))["items"]
        assert (at_desk["name"], at_desk["status"]) == (AMINA, "called")
        await place.told(texts=1)
        assert place.texts == ["LAB-001: it is your turn. Lab, desk 2"]
        assert (await board.one()).data["desk"] == (await place.ticket(ticket))["desk"] == "2"
    # The consultation ends the visit; she thanks with five stars.
    await place.post(place.dana, "/consultations", ticket=ticket["ticket"], notes=NOTES)
    assert (await place.get(place.rui, f"/visits/{visit['visit']}"))["status"] == "completed"
    rating = {"ticket": ticket["ticket"], "stars": 5, "word": "Kind", "Ticket_Secret": secret(ticket["follow"])}
    await place.post(place.phone, "/queue/rating", **rating)
    assert (await place.get(place.rui, "/ratings"))["mean"] == 5
    assert await place.log() == [("your_turn", "sms", PHONE, "sent")]


async def test_booked_reminded_checked_in_called_consulted_referred(place: Hospital) -> None:
    # Reception books ten o'clock; Amina has it by mail and as a text message.
    amina = (await place.patient(email="amina@example.org"))["patient"]
    booked = await place.book(amina, "10:00")
    await place.told(texts=1, mails=1)
    assert place.texts == place.mails == [f"Test house: your appointment is on {MORNING}"]
    # Two hours before, she is reminded, once by each.
    await place.set_clock("08:01")
    await place.told(texts=2, mails=2)
    assert place.texts[1] == place.mails[1] == f"Test house: please remember your appointment on {MORNING}"
    # She comes in time. Somebody who walked in before ten o'clock is before her, somebody after is not.
    await place.set_clock("09:50")
    early = await place.post(place.phone, "/queue/enter", clinic="lab", user="early")
    came = await place.post(place.rui, f"/appointments/{booked['appointment']}/check-in")
    ticket = came["tickets"][0]
    assert (came["status"], came["late"], ticket["ahead"]) == ("checked_in", False, 1)
    found = await place.soon(lambda: place.inbox(place.dana), bool, within=INBOX_SECONDS)
    assert found == [f"New visit {came['visit_number']}: Lab"]
    await place.post(place.dana, "/queue/call", ticket=early["ticket"], desk="1")
    await place.post(place.dana, "/queue/done", ticket=early["ticket"])
    # Her phone is told live that it is her turn, and gets a text message.
    own = {"X-Facility": place.house.facility.slug, "Ticket-Secret": secret(ticket["follow"])}
    async with connect(place.live.url, headers=own, ticket=ticket["ticket"]) as phone:
        await phone.one("connected")
        await place.post(place.dana, "/queue/call", clinic="lab", desk="1")
        changed = (await phone.one()).data
        assert (changed["status"], changed["desk"], changed["position"]) == ("called", "1", 0)
    await place.told(texts=3, mails=2)
    assert place.texts[2] == f"{ticket['code']}: it is your turn. Lab, desk 1"
    # Dana writes down what she found and sends her on to X-ray: there she waits, and her page leads there.
    await place.post(place.dana, "/queue/serve", ticket=ticket["ticket"])
    finding = {"ticket": ticket["ticket"], "notes": NOTES, "outcome": "referred", "refer_to": "xray"}
    made = await place.post(place.dana, "/consultations", **finding)
    old = await place.ticket(ticket)
    assert old["status"] == "transferred"
    there = await place.ticket({"ticket": made["referred_to"], "follow": old["next"]})
    assert (there["clinic"], there["code"], there["status"], there["position"]) == ("xray", "XR-001", "waiting", 1)
    # The visit goes on. Dana reads her history, newest first, with her notes; reception reads it without them.
    visit = await place.get(place.rui, f"/visits/{came['visit']}")
    assert (visit["status"], [one["code"] for one in visit["tickets"]]) == ("in_progress", [ticket["code"], "XR-001"])
    assert [step["type"] for step in visit["history"]][:2] == ["visit_created", "visit_started"]
    history = (await place.get(place.dana, f"/patients/{amina}/history"))["items"]
    assert sorted(one["kind"] for one in history) == ["appointment", "consultation", "visit"]
    assert [one["at"] for one in history] == sorted((one["at"] for one in history), reverse=True)
    assert [one["notes"] for one in history if one["kind"] == "consultation"] == [NOTES]
    assert NOTES not in str(await place.get(place.rui, f"/patients/{amina}/history"))
    # A receptionist can tell what Amina was told.
    moments = ["appointment_booked"] * 2 + ["appointment_reminder"] * 2 + ["your_turn"]
    log = await place.log()
    assert ([one[0] for one in log], {one[2] for one in log}) == (moments, {PHONE, "a•••@example.org"})
    assert {one[3] for one in log} == {"sent"}


async def test_cancelled(place: Hospital) -> None:
    # Ten o'clock is Amina's; Omar would like to come just then, and waits for it to become free.
    amina, omar = (await place.patient())["patient"], (await place.patient("Omar", phone="+97455508765"))["patient"]
    booked = await place.book(amina, "10:00")
    wish = {
        "patient": omar,
        "doctor": "dana",
        "from": booked["start"],
        "until": booked["start"].replace(":00+", ":01+"),
    }
    await place.post(place.rui, "/appointments/waiting", **wish)
    await place.told(texts=1)
    # She cancels from her phone, by the secret of her appointment: she is told that it is so, and the time is offered to Omar.
    mine = {"Appointment_Secret": secret(booked["follow"])}
    gone = await place.post(place.phone, f"/appointments/{booked['appointment']}/cancel", **mine)
    assert gone["status"] == "cancelled"
    await place.told(texts=3)
    assert place.texts_to("+97455508765") == [f"Test house: an earlier appointment is free, on {MORNING}"]
    # He takes it, by his secret. Later he is reminded of it, and she of nothing; nor can she be checked in.
    (offered,) = (await place.get(place.rui, "/appointments?status=offered"))["items"]
    his = {
        "Appointment_Secret": secret((await place.get(place.rui, f"/appointments/{offered['appointment']}"))["follow"])
    }
    assert (await place.post(place.phone, f"/appointments/{offered['appointment']}/accept", **his))[
        "status"
    ] == "booked"
    await place.told(texts=4)
    await place.set_clock("08:01")
    await place.told(texts=5)
    assert place.texts_to("+97455508765")[-1] == f"Test house: please remember your appointment on {MORNING}"
    assert place.texts_to("+97455504321")[-1] == f"Test house: your appointment on {MORNING} is cancelled"
    refused = await place.rui.post(f"/api/v1/appointments/{booked['appointment']}/check-in")
    assert (refused.status_code, refused.json()["state"]) == (409, "cancelled")
    # She comes all the same, and leaves again: she cancels her ticket on its page, and the visit is over.
    visit = await place.post(place.rui, "/visits", patient=amina, clinic="lab")
    ticket = visit["tickets"][0]
    page = await place.phone.post(f"{ticket['follow']}/cancel", follow_redirects=True)
    assert (page.status_code, (await place.ticket(ticket))["status"]) == (200, "cancelled")
    assert (await place.get(place.rui, f"/visits/{visit['visit']}"))["status"] == "cancelled"
    empty = await place.dana.post("/api/v1/queue/call", json={"clinic": "lab", "desk": "1"})
    assert (empty.status_code, empty.json()["code"]) == (409, "queue_empty")


async def test_rescheduled(place: Hospital) -> None:
    tuesday = MONDAY + timedelta(days=1)
    amina = (await place.patient(email="amina@example.org"))["patient"]
    booked = await place.book(amina, "10:00")
    await place.told(texts=1, mails=1)
    # Monday does not suit her: she moves it to Tuesday by herself, and is told so. The earlier time is free for others again.
    start = booked["start"].replace(MONDAY.isoformat(), tuesday.isoformat())
    wish = {"start": start, "Appointment_Secret": secret(booked["follow"])}
    moved = await place.post(place.phone, f"/appointments/{booked['appointment']}/reschedule", **wish)
    assert (moved["start"], moved["status"]) == (start, "booked")
    slots = (await place.get(place.phone, f"/doctors/dana/slots?date={MONDAY}"))["items"]
    assert (len(slots), all(one["free"] for one in slots)) == (16, True)
    await place.told(texts=2, mails=2)
    assert place.texts[1] == place.mails[1] == "Test house: your appointment is now on Tue, Mar 4 at 10:00 AM"
    # Nothing reminds her of what is no more; a day and two hours before the time it is now, she is reminded.
    await place.set_clock("08:01")
    await place.set_clock("10:01")
    await place.told(texts=3, mails=3)
    await place.set_clock("08:01", tuesday)
    await place.told(texts=4, mails=4)
    reminder = "Test house: please remember your appointment on Tue, Mar 4 at 10:00 AM"
    assert place.texts[2:] == place.mails[2:] == [reminder] * 2
    # Dana has her in Tuesday's list, nobody in Monday's; on Tuesday she comes in time.
    for day, expected in ((MONDAY, []), (tuesday, [AMINA])):
        listed = await place.get(place.dana, f"/appointments?doctor=dana&date={day}")
        assert [one["name"] for one in listed["items"]] == expected
    await place.set_clock("09:55", tuesday)
    came = await place.post(place.rui, f"/appointments/{booked['appointment']}/check-in")
    assert (came["late"], came["visit_number"]) == (False, f"V-{tuesday:%Y%m%d}-0001")


async def test_erased(place: Hospital) -> None:
    # Amina was here, was called and seen.
    amina = (await place.patient(national_id="28463400017"))["patient"]
    visit = await place.post(place.rui, "/visits", patient=amina, clinic="lab", reason="A cough")
    ticket = visit["tickets"][0]
    erasure = f"/api/v1/patients/{amina}/erase"
    why = {"reason": "Asked for it by letter"}
    refused = await place.ada.post(erasure, json=why)
    assert (refused.status_code, refused.json()["code"]) == (409, "still_in_use")
    await place.post(place.dana, "/queue/call", clinic="lab", desk="1")
    await place.told(texts=1)
    made = await place.post(place.dana, "/consultations", ticket=ticket["ticket"], notes=NOTES)
    # She asks for everything that is kept of her, and then for nothing to be kept.
    export = await place.get(place.ada, f"/patients/{amina}/export")
    assert AMINA in str(export["identity"])
    assert [one["visit"] for one in export["visits"]] == [visit["visit"]]
    assert (await place.post(place.ada, f"/patients/{amina}/erase", **why))["erased"] is True
    # Reception finds nobody, the doctor reads nothing, and the log says of no message whom it went to.
    for query in ("Amina", "+97455504321", "28463400017"):
        assert (await place.post(place.rui, "/patients/search", query=query))["items"] == []
    for who, path in ((place.rui, ""), (place.dana, "/history"), (place.ada, "/export")):
        gone = await who.get(f"/api/v1/patients/{amina}{path}")
        assert (gone.status_code, gone.json()["code"]) == (404, "patient_not_found")
    notes = await place.dana.get(f"/api/v1/consultations/{made['consultation']}")
    assert NOTES not in notes.text
    assert [one[2:] for one in await place.log()] == [(None, "sent")]
    # That somebody was here stays: the visit, its number, its steps, without a name; she can be registered anew.
    kept = await place.get(place.rui, f"/visits/{visit['visit']}")
    assert (kept["visit_number"], kept["patient"]["name"], kept["reason"]) == (visit["visit_number"], None, None)
    (at_desk,) = (await place.get(place.dana, "/queue/tickets?clinic=lab&ended=true"))["items"]
    assert (at_desk["code"], at_desk["name"], at_desk["phone"]) == ("LAB-001", None, None)
    again = await place.patient()
    assert (again["patient"] != amina, again["duplicates"]) == (True, [])
