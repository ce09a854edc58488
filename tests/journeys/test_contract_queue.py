"""The contract's queue, line by line, as somebody outside sees it."""

import asyncio

import pytest

from dawr.accounts.rules import Role
from tests.conftest import House, Live, found_house
from tests.journeys.steps import NO_TICKET, QUEUE, WAYS, act, done, enter, in_state, refusal, secret, waiting

MEMBERS = {
    *("ticket", "clinic", "doctor", "number", "series", "code", "service_day", "status", "position", "ahead", "desk"),
    *("wait", "follow", "existing"),
}
FROM = {
    "call": {"waiting"},
    "recall": {"called"},
    "serve": {"called"},
    "done": {"called", "serving"},
    "no_show": {"called"},
    "rejoin": {"no_show"},
    "hold": {"waiting", "called", "serving"},
    "resume": {"held"},
    "cancel": {"waiting", "called", "held"},
    "late": {"called"},
    "transfer": {"waiting", "called", "serving", "held"},
}


async def test_a_ticket_has_what_the_contract_names(live: Live, house: House) -> None:
    async with live.client(house) as phone:
        first, second = await enter(phone, "amina"), await enter(phone, "noor")
    assert first.keys() >= MEMBERS
    assert (first["code"], first["number"], first["series"], first["status"]) == ("LAB-001", 1, 1, "waiting")
    assert [(one["ahead"], one["position"]) for one in (first, second)] == [(0, 1), (1, 2)]
    assert second["wait"].keys() == {"likely_minutes", "low_minutes", "high_minutes", "basis"}


async def test_after_thirty_five_at_once_are_31_to_35(live: Live, house: House) -> None:
    async with live.client(house) as phone:
        for number in range(30):
            await enter(phone, f"before-{number}")
        five = await asyncio.gather(*(enter(phone, f"TEST_{number}") for number in range(5)))
    assert sorted(one["number"] for one in five) == [31, 32, 33, 34, 35]


async def test_two_hundred_requests_of_fifty_people_are_fifty_tickets(live: Live, house: House) -> None:
    async with live.client(house) as phone:
        all_of_them = await asyncio.gather(*(enter(phone, f"user-{number % 50}") for number in range(200)))
    assert {one["number"] for one in all_of_them} == set(range(1, 51))
    assert sum(not one["existing"] for one in all_of_them) == 50


async def test_a_verb_in_the_wrong_state_is_409_with_the_state(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        for state in WAYS:
            ticket = await in_state(rui, state, user=state)
            for verb in (verb for verb, allowed in FROM.items() if state not in allowed):
                answer = await act(rui, verb, ticket)
                assert (*refusal(answer), answer.json()["state"]) == (409, "wrong_state", state), verb


async def test_who_may_do_it(live: Live, house: House) -> None:
    async with (
        live.staff(house, Role.DISPLAY) as display,
        live.staff(house, Role.DOCTOR, clinics=["xray"]) as elsewhere,
        live.client(house) as stranger,
    ):
        ticket = await enter(stranger, "amina")
        for verb in (*FROM, "undo"):
            assert refusal(await act(stranger, verb, ticket)) == (401, "unauthenticated"), verb
            assert refusal(await act(display, verb, ticket)) == (403, "forbidden"), verb
            assert refusal(await act(elsewhere, verb, ticket)) == (403, "forbidden"), verb


async def test_a_patient_may_only_cancel_and_be_late(live: Live, house: House) -> None:
    async with live.client(house) as phone:
        ticket = await enter(phone, "amina")
        phone.headers.update(secret(ticket))
        for verb in FROM.keys() - {"cancel", "late"} | {"undo"}:
            assert refusal(await act(phone, verb, ticket)) == (403, "forbidden"), verb


async def test_a_patient_cancels_by_the_secret_and_by_no_other(live: Live, house: House) -> None:
    other_house = await found_house(house.services)
    async with live.client(house) as phone, live.client(other_house) as other_facility:
        mine, other = await enter(phone, "amina"), await enter(phone, "noor")
        body = {"ticket": mine["ticket"]}
        wrong = await phone.post(f"{QUEUE}/cancel", json=body, headers=secret(other))
        rubbish = await phone.post(f"{QUEUE}/cancel", json=body, headers={"Ticket-Secret": "x" * 43})
        foreign = await other_facility.post(f"{QUEUE}/cancel", json=body, headers=secret(mine))
        right = await phone.post(f"{QUEUE}/cancel", json=body, headers=secret(mine))
    assert [one.status_code for one in (wrong, rubbish, foreign, right)] == [404, 401, 404, 200]


async def test_the_tickets_page_gives_the_cookie_that_opens_it(live: Live, house: House) -> None:
    async with live.client(house) as phone, live.client(house) as other:
        ticket = await enter(phone, "amina")
        address = f"{QUEUE}/ticket/{ticket['ticket']}"
        page = await phone.get(f"/f/{house.facility.slug}{ticket['follow']}")
        assert page.headers["referrer-policy"] == "no-referrer"
        assert (await phone.get(address)).json()["follow"] == ticket["follow"]
        assert refusal(await other.get(address)) == (401, "unauthenticated")


async def test_a_secret_is_shown_only_to_who_may_change_the_ticket_anyway(live: Live, house: House) -> None:
    async with (
        live.staff(house, Role.RECEPTION) as rui,
        live.staff(house, Role.DISPLAY) as display,
        live.staff(house, Role.DOCTOR, clinics=["xray"]) as elsewhere,
    ):
        ticket = await enter(rui, "amina")
        seen = [await one.get(f"{QUEUE}/ticket/{ticket['ticket']}") for one in (rui, display, elsewhere)]
        again = await enter(elsewhere, "amina")
    assert [one.json()["follow"] for one in seen] == [ticket["follow"], None, None]
    assert (again["existing"], again["follow"]) == (True, None)


async def test_whatever_it_looks_like_an_unknown_clinic_is_not_found(live: Live, house: House) -> None:
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        ticket = await enter(ada, "amina")
        for clinic in ("nowhere", "XYZ", "no such clinic", "../lab", "عيادة"):
            answers = [
                await ada.post(f"{QUEUE}/enter", json={"clinic": clinic, "user": "noor"}),
                await ada.get(f"{QUEUE}/status", params={"clinic": clinic}),
                await ada.post(f"{QUEUE}/call", json={"clinic": clinic}),
                await ada.post(f"{QUEUE}/reset", json={"clinic": clinic, "reason": "test"}),
                await act(ada, "transfer", ticket, to=clinic),
            ]
            assert {refusal(one) for one in answers} == {(404, "clinic_not_found")}, clinic


async def test_ids_are_opaque(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        for ticket in (NO_TICKET, "nonsense", "1", "LAB-001"):
            assert refusal(await rui.get(f"{QUEUE}/ticket/{ticket}")) == (404, "ticket_not_found")
            for verb in (*FROM, "undo"):
                assert refusal(await act(rui, verb, {"ticket": ticket})) == (404, "ticket_not_found"), verb


async def test_an_unknown_desk_is_not_found(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        ticket, called = await enter(rui, "amina"), await in_state(rui, "called", "noor")
        for desk in ("99", "counter_9", "Schalter Ä"):
            answers = [
                await rui.post(f"{QUEUE}/call", json={"clinic": "lab", "desk": desk}),
                await act(rui, "call", ticket, desk=desk),
                await act(rui, "recall", called, desk=desk),
            ]
            assert {refusal(one) for one in answers} == {(404, "desk_not_found")}, desk


async def test_doctors_take_their_own_and_nobodys(live: Live, house: House) -> None:
    async with (
        live.staff(house, Role.DOCTOR, clinics=["lab"], doctor="dana") as dana,
        live.staff(house, Role.DOCTOR, clinics=["lab"], doctor="omar") as omar,
        live.client(house) as phone,
    ):
        for user, doctor in (("a", "dana"), ("b", None), ("c", "omar"), ("d", "dana"), ("e", None)):
            await enter(phone, user, doctor=doctor)
        called = [await one.post(f"{QUEUE}/call", json={"clinic": "lab"}) for one in (omar, omar, omar, dana, dana)]
        assert [one.json()["number"] for one in called] == [2, 3, 5, 1, 4]
        assert refusal(await omar.post(f"{QUEUE}/call", json={"clinic": "lab"})) == (409, "queue_empty")


async def test_a_priority_is_for_staff_of_that_clinic(live: Live, house: House) -> None:
    body = {"clinic": "lab", "user": "amina", "priority": "emergency"}
    async with (
        live.client(house) as stranger,
        live.staff(house, Role.DOCTOR, clinics=["xray"]) as elsewhere,
        live.staff(house, Role.DOCTOR, clinics=["lab"]) as dana,
    ):
        await enter(stranger, "before")
        for one in (stranger, elsewhere):
            assert refusal(await one.post(f"{QUEUE}/enter", json=body)) == (403, "priority_not_allowed")
        assert (await dana.post(f"{QUEUE}/enter", json=body)).json()["position"] == 1


async def test_no_ticket_where_nobody_is_taken(live: Live, house: House) -> None:
    noor = {"clinic": "lab", "user": "noor"}
    async with live.staff(house, Role.ADMINISTRATOR) as ada, live.client(house) as phone:
        mine = await enter(phone, "amina")
        await house.change_clinic("lab", capacity=1)
        assert refusal(await phone.post(f"{QUEUE}/enter", json=noor)) == (409, "queue_full")
        await ada.post("/api/v1/clinics/lab/pause", json={"reason": "lunch"})
        assert refusal(await phone.post(f"{QUEUE}/enter", json=noor)) == (409, "queue_paused")
        await ada.post("/api/v1/clinics/lab/close", json={})
        assert refusal(await phone.post(f"{QUEUE}/enter", json=noor)) == (409, "clinic_closed")
        assert (await enter(phone, "amina"))["ticket"] == mine["ticket"]


async def test_back_near_the_front_and_back_to_the_old_place(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        tickets = [await enter(rui, f"user-{number}") for number in range(5)]
        await done(rui, "call", tickets[0])
        await done(rui, "no_show", tickets[0])
        assert (await done(rui, "rejoin", tickets[0]))["position"] == 3
        before = await waiting(rui)
        await done(rui, "hold", tickets[3])
        assert (await done(rui, "resume", tickets[3]))["position"] == 4
        assert await waiting(rui) == before == ["LAB-002", "LAB-003", "LAB-001", "LAB-004", "LAB-005"]


@pytest.mark.parametrize(("place", "position"), [("end", 3), ("front", 1), ("by_arrival", 2)])
async def test_a_transfer_answers_the_ticket_there(live: Live, house: House, place: str, position: int) -> None:
    async with live.staff(house, Role.RECEPTION) as rui, live.client(house) as phone:
        await enter(phone, "before", "xray")
        ticket = await enter(phone, "amina")
        await enter(phone, "after", "xray")
        there = await done(rui, "transfer", ticket, place=place)
        old = (await phone.get(f"{QUEUE}/ticket/{ticket['ticket']}", headers=secret(ticket))).json()
    assert (there["code"], there["position"]) == ("XR-003", position)
    assert (old["status"], old["next"]) == ("transferred", there["follow"])


async def test_a_doctor_passes_on_into_a_clinic_of_others(live: Live, house: House) -> None:
    async with live.staff(house, Role.DOCTOR, clinics=["lab"]) as dana:
        ticket = await enter(dana, "amina")
        there = await done(dana, "transfer", ticket)
        assert refusal(await act(dana, "call", there)) == (403, "forbidden")
        assert (await done(dana, "undo", ticket))["status"] == "waiting"
        assert await waiting(dana, "xray") == []


async def test_only_the_last_step_is_taken_back(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        ticket = await in_state(rui, "done")
        back = await done(rui, "undo", ticket)
        again = await act(rui, "undo", ticket)
    assert (back["status"], back["duration_seconds"]) == ("serving", None)
    assert (*refusal(again), again.json()["state"]) == (409, "nothing_to_undo", "serving")


async def test_a_reset_begins_a_series_with_a_letter(live: Live, house: House) -> None:
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        ticket = await enter(ada, "amina")
        for letter in "BC":
            answer = await ada.post(f"{QUEUE}/reset", json={"clinic": "lab", "reason": "test"})
            assert answer.json().keys() == (await ada.get(f"{QUEUE}/status?clinic=lab")).json().keys()
            assert (await enter(ada, f"after-{letter}"))["code"] == f"LAB-{letter}001"
        assert (await ada.get(f"{QUEUE}/ticket/{ticket['ticket']}")).json()["status"] == "cancelled"


async def test_what_has_not_changed_is_not_sent_again(live: Live, house: House) -> None:
    async with live.client(house) as board:
        first = await board.get(f"{QUEUE}/status?clinic=lab")
        known = {"If-None-Match": f'"other", W/{first.headers["etag"]}'}
        same = await board.get(f"{QUEUE}/status?clinic=lab", headers=known)
        await enter(board, "amina")
        changed = await board.get(f"{QUEUE}/status?clinic=lab", headers=known)
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (changed.status_code, changed.json()["waiting"]) == (200, ["LAB-001"])


async def test_names_are_for_the_staff_of_the_clinic(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as rui, live.staff(house, Role.DISPLAY) as display:
        ticket = await enter(rui, "amina", name="أمينة 🌙", phone="+974 5555 0000")
        seen = (await rui.get(f"{QUEUE}/tickets?clinic=lab")).json()["items"]
        assert refusal(await display.get(f"{QUEUE}/tickets?clinic=lab")) == (403, "forbidden")
        public = await display.get(f"{QUEUE}/ticket/{ticket['ticket']}")
    assert (seen[0]["name"], seen[0]["phone"]) == ("أمينة 🌙", "+974 5555 0000")
    assert "أمينة" not in public.text
