"""A clinic's public stream: what comes first, and that every change comes once, in order, and in time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from dawr.tickets.rules import Priority, Verb
from tests.conftest import House, Live, found_house
from tests.realtime.folding import fresh, proves_stream
from tests.realtime.sse import connect
from tests.tickets.conftest import Floor

LATEST = 0.25
ONE_DAY = timedelta(days=1)


async def test_says_what_it_is(base: str) -> None:
    async with connect(base, clinic="lab") as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"


async def test_begins_with_the_status(base: str, floor: Floor) -> None:
    await floor.enter("amina")
    await floor.call(desk="2")
    await floor.enter("noor")
    async with connect(base, clinic="lab") as stream:
        first = await stream.next()
        assert first is not None
        assert first.name == "connected"
        assert stream.retry == 1000
        assert first.id == first.data["cursor"]
        assert {**first.data, "as_of": ""} == {**(await fresh(base, "lab")), "as_of": ""}


async def test_tells_a_change_in_full(base: str, floor: Floor) -> None:
    async with connect(base, clinic="lab") as stream:
        await stream.one("connected")
        ticket = await floor.enter("amina")
        update = (await stream.one()).data
        at = update.pop("at")
        assert at == ticket.entered_at.isoformat()
        assert update == {
            "type": "ticket_entered",
            "code": "LAB-001",
            "number": 1,
            "desk": None,
            "from": None,
            "to": "waiting",
            "ahead": 0,
        }


async def test_tells_each_change_once_and_in_order(base: str, floor: Floor) -> None:
    async with connect(base, clinic="lab") as stream:
        await stream.one("connected")
        for number in range(30):
            await floor.enter(f"person-{number}")
        heard = [await stream.one() for _ in range(30)]
        assert [event.data["number"] for event in heard] == list(range(1, 31))
        assert len({event.id for event in heard}) == 30
        assert await stream.quiet()


async def test_tells_a_change_soon_after_its_commit(
    base: str, floor: Floor, record_property: Callable[[str, object], None]
) -> None:
    late = []
    async with connect(base, clinic="lab") as stream:
        await stream.one("connected")
        for number in range(20):
            await floor.enter(f"person-{number}")
            committed = time.monotonic()
            late.append((await stream.one()).at - committed)
    record_property("median_milliseconds", round(sorted(late)[10] * 1000, 1))
    assert sorted(late)[10] < LATEST


async def test_is_not_told_of_other_clinics(base: str, floor: Floor) -> None:
    async with connect(base, clinic="lab") as stream:
        await stream.one("connected")
        await floor.enter("amina", clinic="xray")
        assert await stream.quiet()


async def test_is_not_told_of_other_facilities(base: str, live: Live) -> None:
    async with connect(base, clinic="lab") as stream:
        await stream.one("connected")
        await Floor(await found_house(live.services)).enter("sam")
        assert await stream.quiet()


Story = Callable[[Floor], Awaitable[object]]


async def _undo_call(floor: Floor) -> None:
    await floor.undo(await floor.called("amina"))


async def _undo_done(floor: Floor) -> None:
    ticket = await floor.called("amina")
    await floor.called("noor")
    await floor.undo(await floor.move(ticket, Verb.DONE))


async def _hold_and_resume(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    await floor.enter("noor")
    await floor.move(ticket, Verb.HOLD)
    await floor.move(ticket, Verb.RESUME)


async def _recall(floor: Floor) -> None:
    first = await floor.called("amina")
    await floor.called("noor")
    await floor.call_ticket(first, verb=Verb.RECALL, desk="2")


async def _transfer(floor: Floor) -> None:
    await floor.transfer(await floor.called("amina"), "xray")
    await floor.transfer(await floor.enter("noor", clinic="xray"), "lab")


async def _emergency(floor: Floor) -> None:
    for name in ("amina", "noor", "omar"):
        await floor.enter(name)
    await floor.enter("sana", actor=floor.house.rui, priority=Priority.EMERGENCY)
    await floor.enter("hind", actor=floor.house.rui, priority=Priority.PRIORITY)


async def _reset(floor: Floor) -> None:
    await floor.called("amina")
    await floor.enter("noor")
    await floor.reset()
    await floor.enter("omar")


async def _no_show_and_back(floor: Floor) -> None:
    for name in ("a", "b", "c", "d"):
        await floor.enter(name)
    ticket = await floor.move(await floor.call(desk="1"), Verb.NO_SHOW)
    await floor.move(ticket, Verb.REJOIN)


async def _late(floor: Floor) -> None:
    for name in ("a", "b", "c", "d"):
        await floor.enter(name)
    await floor.move(await floor.call(desk="1"), Verb.LATE)


async def _through(floor: Floor) -> None:
    ticket = await floor.called("amina")
    await floor.move(ticket, Verb.SERVE)
    await floor.move(ticket, Verb.DONE)


async def _cancel(floor: Floor) -> None:
    await floor.enter("amina")
    await floor.move(await floor.enter("noor"), Verb.CANCEL)


STORIES: dict[str, Story] = {
    "through": _through,
    "cancel": _cancel,
    "hold and resume": _hold_and_resume,
    "no show and back": _no_show_and_back,
    "late": _late,
    "recall": _recall,
    "transfer": _transfer,
    "emergency": _emergency,
    "undo a call": _undo_call,
    "undo done": _undo_done,
    "reset": _reset,
}


@pytest.mark.parametrize("story", STORIES)
async def test_snapshot_and_events_are_the_fresh_status(base: str, floor: Floor, story: str) -> None:
    await floor.enter("first")
    async with proves_stream(base, "lab") as heard:
        await STORIES[story](floor)
    assert heard


async def test_a_new_series_starts_from_a_snapshot(base: str, floor: Floor) -> None:
    await floor.enter("amina")
    async with connect(base, clinic="lab") as stream:
        await stream.one("connected")
        await floor.reset()
        assert (await stream.one()).data["type"] == "ticket_reset"
        reset = await stream.one("reset")
        assert reset.data["series"] == 2
        await floor.enter("noor")
        assert (await stream.one()).data["code"] == "LAB-B001"


async def test_a_new_service_day_starts_from_a_snapshot(base: str, house: House, floor: Floor) -> None:
    await floor.enter("amina")
    async with connect(base, clinic="lab") as stream:
        before = await stream.one("connected")
        house.clock.offset += ONE_DAY
        await floor.enter("noor")
        reset = await stream.one("reset")
        assert reset.data["service_day"] > before.data["service_day"]
        assert len(reset.data["waiting"]) == 2


async def test_a_client_that_comes_after_the_pivot_sees_the_present_day(base: str, house: House, floor: Floor) -> None:
    await floor.enter("amina")
    house.clock.offset += ONE_DAY
    async with connect(base, clinic="lab") as stream:
        first = await stream.one("connected")
        assert first.data["service_day"] == house.facility.service_day(house.clock.now()).isoformat()


async def test_whoever_comes_while_the_queue_moves_sees_it_right(base: str, floor: Floor) -> None:
    """A snapshot and the events after it fit exactly, wherever between two changes the client comes in."""

    async def watch(delay: float) -> None:
        await asyncio.sleep(delay)
        async with proves_stream(base, "lab"):
            await moved.wait()

    moved = asyncio.Event()
    watching = [asyncio.create_task(watch(number * 0.01)) for number in range(15)]
    for number in range(12):
        await floor.enter(f"person-{number}")
        await floor.move(await floor.call(desk="1"), Verb.HOLD if number % 2 else Verb.DONE)
    moved.set()
    await asyncio.gather(*watching)
