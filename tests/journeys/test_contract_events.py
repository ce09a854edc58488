"""The contract's live streams: whatever is done over HTTP, a screen that only listens shows what a fresh fetch shows."""

import base64
from typing import Any

import httpx2
import orjson
import pytest

from dawr.accounts.rules import Role
from tests.conftest import House, Live, found_house
from tests.journeys.steps import QUEUE, act, done, enter, in_state, secret
from tests.realtime.sse import Stream, connect

GROUPS = ("waiting", "called", "serving", "held")


class Screen:
    """What a screen shows that was given one snapshot and only listens from then on."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.groups = {name: sorted(map(_code, snapshot[name])) for name in GROUPS}
        self.counts = snapshot["counts"]

    def take(self, update: dict[str, Any]) -> None:
        assert update.keys() >= {"type", "code", "number", "desk", "from", "to", "at"}
        for group, step in ((update["from"], -1), (update["to"], +1)):
            if group:
                self.counts[group] += step
        if update["from"] in GROUPS:
            self.groups[update["from"]].remove(update["code"])
        if update["to"] in GROUPS:
            self.groups[update["to"]] = sorted([*self.groups[update["to"]], update["code"]])


def _code(shown: Any) -> str:
    return shown if isinstance(shown, str) else str(shown["code"])


def at(live: Live, house: House) -> str:
    return f"{live.url}/f/{house.facility.slug}"


async def status(client: httpx2.AsyncClient) -> dict[str, Any]:
    shown: dict[str, Any] = (await client.get(f"{QUEUE}/status?clinic=lab")).json()
    return shown


async def follow(stream: Stream, screen: Screen, cursor: str) -> None:
    while stream.last_id != cursor:
        screen.take((await stream.one()).data)


async def test_every_state_over_http_is_told_and_folds_to_the_status(live: Live, house: House) -> None:
    states = ("waiting", "serving", "held", "done", "no_show", "cancelled", "transferred")
    async with live.staff(house, Role.RECEPTION) as rui, connect(at(live, house), clinic="lab") as stream:
        shown = Screen((await stream.one("connected")).data)
        tickets = [await in_state(rui, state, user=state) for state in states]
        for ticket in tickets[1:]:
            await done(rui, "undo", ticket)
        fresh = await status(rui)
        await follow(stream, shown, fresh["cursor"])
    assert (shown.groups, shown.counts) == (Screen(fresh).groups, fresh["counts"])


async def test_a_screen_that_was_away_goes_on_where_it_was(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        async with connect(at(live, house), clinic="lab") as stream:
            shown = Screen((await stream.one("connected")).data)
            ticket = await enter(rui, "amina")
            shown.take((await stream.one()).data)
        for verb in ("call", "hold", "resume", "call", "serve"):
            await done(rui, verb, ticket)
        known = {"Last-Event-ID": stream.last_id or ""}
        async with connect(at(live, house), clinic="lab", headers=known) as again:
            assert (await again.one("connected")).data == {"resumed": True}
            fresh = await status(rui)
            await follow(again, shown, fresh["cursor"])
    assert (shown.groups, shown.counts) == (Screen(fresh).groups, fresh["counts"])


async def test_two_transfers_and_a_reset_leave_every_clinic_right(live: Live, house: House) -> None:
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        bearer = {"Authorization": ada.headers["Authorization"]}
        async with connect(at(live, house), facility=house.facility.slug, headers=bearer) as stream:
            await stream.one("connected")
            there = await done(ada, "transfer", await enter(ada, "amina"))
            await done(ada, "transfer", there, to="lab")
            await ada.post(f"{QUEUE}/reset", json={"clinic": "lab", "reason": "test"})
            told = [(await stream.one()).data for _ in range(6)]
            anew = (await stream.one("reset")).data
    way = {name: [(one["code"], one["to"]) for one in told if one["clinic"] == name] for name in ("lab", "xray")}
    assert way == {
        "lab": [("LAB-001", "waiting"), ("LAB-001", "gone"), ("LAB-002", "waiting"), ("LAB-002", "gone")],
        "xray": [("XR-001", "waiting"), ("XR-001", "gone")],
    }
    assert [(one["clinic"], one["series"], one["waiting"]) for one in anew["items"]] == [
        ("lab", 2, []),
        ("xray", 1, []),
    ]


async def test_a_patient_is_told_of_the_own_ticket(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as rui, live.client(house) as phone:
        first, mine = await enter(rui, "before"), await enter(phone, "amina")
        async with connect(at(live, house), ticket=mine["ticket"], headers=secret(mine)) as stream:
            assert (await stream.one("connected")).data["follow"] == mine["follow"]
            await done(rui, "call", first)
            moved = (await stream.one()).data
            await done(rui, "call", mine, desk="2")
            called = (await stream.one()).data
    shown = ("status", "position", "ahead", "desk")
    assert [moved[name] for name in shown] == ["waiting", 1, 0, None]
    assert [called[name] for name in shown] == ["called", 0, 0, "2"]


async def test_a_tickets_stream_is_for_its_holder_and_the_staff_of_its_clinic(live: Live, house: House) -> None:
    async with (
        live.staff(house, Role.DOCTOR, clinics=["lab"]) as dana,
        live.staff(house, Role.DOCTOR, clinics=["xray"]) as elsewhere,
        live.staff(house, Role.DISPLAY) as display,
    ):
        ticket = await enter(dana, "amina")
        answers = {}
        for name, client in (("dana", dana), ("elsewhere", elsewhere), ("display", display)):
            bearer = {"Authorization": client.headers["Authorization"]}
            async with connect(at(live, house), ticket=ticket["ticket"], headers=bearer) as stream:
                answers[name] = stream.status
    assert answers == {"dana": 200, "elsewhere": 403, "display": 403}


async def test_another_facilitys_cursor_gives_a_fresh_snapshot(live: Live, house: House) -> None:
    other = await found_house(house.services)
    async with connect(at(live, other), clinic="lab") as stream:
        await stream.one("connected")
    async with connect(at(live, house), clinic="lab", headers={"Last-Event-ID": stream.last_id or ""}) as stream:
        assert (await stream.one("reset")).data["waiting"] == []


@pytest.mark.parametrize("version", [True, 1.0, "1", None, -1, 10**18, [1]])
async def test_a_forged_cursor_gives_a_fresh_snapshot(live: Live, house: House, version: object) -> None:
    async with live.client(house) as board:
        await enter(board, "amina")
        parts = orjson.loads(base64.urlsafe_b64decode((await status(board))["cursor"] + "=="))
    forged = base64.urlsafe_b64encode(orjson.dumps([*parts[:3], {"lab": version}])).decode()
    async with connect(at(live, house), clinic="lab", headers={"Last-Event-ID": forged}) as stream:
        assert (await stream.one("reset")).data["waiting"] == ["LAB-001"]


async def test_what_is_refused_is_not_told(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as rui, connect(at(live, house), clinic="lab") as stream:
        await stream.one("connected")
        ticket = await enter(rui, "amina")
        assert (await act(rui, "done", ticket)).status_code == 409
        assert (await act(rui, "transfer", ticket, to="lab")).status_code == 409
        await done(rui, "call", ticket)
        assert [(await stream.one()).data["type"] for _ in range(2)] == ["ticket_entered", "ticket_called"]
