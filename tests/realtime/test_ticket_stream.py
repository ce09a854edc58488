"""One ticket's stream: its own changes one by one, its place as others move, and nobody else's business."""

import httpx2
import pytest

from dawr.accounts.rules import Role
from dawr.tickets.queries import follow_of
from dawr.tickets.rules import Ticket, Verb
from tests.conftest import House, Live, found_house
from tests.realtime.sse import Stream, connect
from tests.tickets.conftest import Floor


def _secret(house: House, ticket: Ticket) -> dict[str, str]:
    return {"Ticket-Secret": follow_of(house.here(), ticket.id).removeprefix("/t/")}


def _place(data: dict[str, object]) -> tuple[object, ...]:
    return data["status"], data["position"], data["ahead"], data["desk"]


async def _place_after(stream: Stream) -> tuple[object, ...]:
    return _place((await stream.one()).data)


async def test_begins_with_the_ticket_as_it_is(base: str, house: House, floor: Floor) -> None:
    await floor.enter("noor")
    ticket = await floor.enter("amina")
    secret = _secret(house, ticket)
    async with connect(base, ticket=str(ticket.id), headers=secret) as stream:
        first = await stream.one("connected")
        async with httpx2.AsyncClient(headers=secret, verify=False) as client:
            now = await client.get(f"{base}/api/v1/queue/ticket/{ticket.id}")
        assert first.data == now.json()
        assert first.id


async def test_tells_its_own_way_through(base: str, house: House, floor: Floor) -> None:
    ticket = await floor.enter("amina")
    async with connect(base, ticket=str(ticket.id), headers=_secret(house, ticket)) as stream:
        await stream.one("connected")
        await floor.call(desk="2")
        assert await _place_after(stream) == ("called", 0, 0, "2")
        await floor.move(ticket, Verb.SERVE)
        assert await _place_after(stream) == ("serving", 0, 0, "2")
        await floor.move(ticket, Verb.DONE)
        update = (await stream.one()).data
        assert update["status"] == "done"
        assert (update["type"], update["code"], update["from"], update["to"]) == (
            "ticket_done",
            "LAB-001",
            "serving",
            "done",
        )


async def test_tells_how_its_place_moves(base: str, house: House, floor: Floor) -> None:
    for name in ("a", "b", "c"):
        await floor.enter(name)
    ticket = await floor.enter("amina")
    async with connect(base, ticket=str(ticket.id), headers=_secret(house, ticket)) as stream:
        assert _place((await stream.one("connected")).data) == ("waiting", 4, 3, None)
        for ahead in (2, 1, 0):
            await floor.call(desk="1")
            update = (await stream.one()).data
            assert _place(update) == ("waiting", ahead + 1, ahead, None)
            assert update["wait"]


async def test_is_not_told_of_what_does_not_concern_it(base: str, house: House, floor: Floor) -> None:
    ticket = await floor.called("amina")
    async with connect(base, ticket=str(ticket.id), headers=_secret(house, ticket)) as stream:
        await stream.one("connected")
        await floor.enter("noor")
        await floor.called("omar")
        assert await stream.quiet()


async def test_its_own_changes_are_never_merged(base: str, house: House, floor: Floor) -> None:
    """What happened while nobody listened comes step by step, each with the state it led to."""
    ticket = await floor.enter("amina")
    secret = _secret(house, ticket)
    async with connect(base, ticket=str(ticket.id), headers=secret) as stream:
        first = await stream.one("connected")
    await floor.call(desk="1")
    await floor.move(ticket, Verb.HOLD)
    await floor.enter("noor")
    await floor.move(ticket, Verb.RESUME)
    await floor.call(desk="2")
    async with connect(base, ticket=str(ticket.id), headers=secret, last_event_id=first.id or "") as stream:
        assert (await stream.one("connected")).data == {"resumed": True}
        steps = [await _place_after(stream) for _ in range(4)]
        assert steps == [("called", 0, 0, "1"), ("held", 0, 0, None), ("waiting", 1, 0, None), ("called", 0, 0, "2")]
        assert await stream.quiet()


async def test_a_missed_move_of_others_comes_once(base: str, house: House, floor: Floor) -> None:
    await floor.enter("a")
    await floor.enter("b")
    ticket = await floor.enter("amina")
    secret = _secret(house, ticket)
    async with connect(base, ticket=str(ticket.id), headers=secret) as stream:
        first = await stream.one("connected")
    await floor.call(desk="1")
    await floor.call(desk="2")
    async with connect(base, ticket=str(ticket.id), headers=secret, last_event_id=first.id or "") as stream:
        await stream.one("connected")
        assert await _place_after(stream) == ("waiting", 1, 0, None)
        assert await stream.quiet()


async def test_a_new_series_gives_the_ticket_anew(base: str, house: House, floor: Floor) -> None:
    ticket = await floor.enter("amina")
    async with connect(base, ticket=str(ticket.id), headers=_secret(house, ticket)) as stream:
        await stream.one("connected")
        await floor.reset()
        assert (await stream.one()).data["status"] == "cancelled"
        assert (await stream.one("reset")).data["status"] == "cancelled"


async def test_many_tickets_of_a_queue_each_hear_their_own(base: str, house: House, floor: Floor) -> None:
    first, second = await floor.enter("amina"), await floor.enter("noor")
    async with (
        connect(base, ticket=str(first.id), headers=_secret(house, first)) as one,
        connect(base, ticket=str(second.id), headers=_secret(house, second)) as two,
    ):
        await one.one("connected")
        await two.one("connected")
        await floor.call(desk="1")
        assert await _place_after(one) == ("called", 0, 0, "1")
        assert await _place_after(two) == ("waiting", 1, 0, None)


async def test_staff_may_follow_a_ticket(live: Live, base: str, house: House, floor: Floor) -> None:
    ticket = await floor.enter("amina")
    async with live.staff(house, Role.RECEPTION) as client:
        headers = {"Authorization": client.headers["Authorization"]}
    async with connect(base, ticket=str(ticket.id), headers=headers) as stream:
        assert (await stream.one("connected")).data["code"] == "LAB-001"


async def test_a_page_follows_with_its_cookie(base: str, house: House, floor: Floor) -> None:
    ticket = await floor.enter("amina")
    cookie = f"dawr_ticket_{ticket.id.hex[:8]}={_secret(house, ticket)['Ticket-Secret']}"
    async with connect(base, ticket=str(ticket.id), headers={"Cookie": cookie}) as stream:
        assert (await stream.one("connected")).data["code"] == "LAB-001"


async def test_nobody_else_may(live: Live, base: str, house: House, floor: Floor) -> None:
    ticket, other = await floor.enter("amina"), await floor.enter("noor")
    elsewhere = await found_house(live.services)
    foreign = await Floor(elsewhere).enter("sam")
    refused = [
        ({}, 401),
        ({"Ticket-Secret": "x" * 43}, 401),
        (_secret(house, other), 404),
        (_secret(elsewhere, foreign), 404),
    ]
    for headers, status in refused:
        async with connect(base, ticket=str(ticket.id), headers=headers) as stream:
            assert stream.status == status, headers
            assert stream.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("unknown", ["x", "00000000-0000-0000-0000-000000000000"])
async def test_an_unknown_ticket_is_not_found(live: Live, base: str, house: House, unknown: str) -> None:
    async with live.staff(house, Role.RECEPTION) as client:
        headers = {"Authorization": client.headers["Authorization"]}
    async with connect(base, ticket=unknown, headers=headers) as stream:
        assert stream.status == 404
        assert (await stream.json())["code"] == "ticket_not_found"
