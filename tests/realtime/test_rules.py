"""The parts of a stream that need no server: ring and batches, outbox, notifications, bytes."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dawr.platform.events import Recorded
from dawr.realtime.channel import Batch, Channel, Place
from dawr.realtime.outlet import Message, Outlet
from dawr.realtime.rules import frame, retry
from dawr.realtime.store import payloads, read_payload

PLACE = Place(uuid4(), uuid4())
AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def _event(version: int, type_: str = "ticket_entered") -> Recorded:
    data = {"code": f"LAB-{version:03d}", "number": version, "desk": None, "from": None, "to": "waiting", "ahead": 0}
    return Recorded("queue:lab", version, "x", type_, data, "patient", AT)


def _batch(*versions: int, upset_at: int | None = None) -> Batch:
    types = {upset_at: "series_started"}
    return Batch("lab", PLACE, [_event(one, types.get(one, "ticket_entered")) for one in versions])


def _versions(chunk: bytes | None) -> list[int]:
    assert chunk is not None
    ids = [line.removeprefix("id: ") for line in chunk.decode().split("\n") if line.startswith("id: ")]
    return [(PLACE.versions(one) or {})["lab"] for one in ids]


@given(st.integers(0, 40), st.lists(st.integers(1, 9), max_size=8), st.integers(1, 20), st.integers(0, 90))
def test_the_ring_gives_everything_after_a_version_or_says_that_it_cannot(
    start: int, sizes: list[int], keep: int, asked: int
) -> None:
    channel, head = Channel("lab", start, keep=keep), start
    for size in sizes:
        channel.advance(_batch(*range(head + 1, head + size + 1)))
        head += size
    missed = channel.missed(asked)
    if missed is None:
        assert asked > head or asked < max(start, head - keep)
    else:
        assert _versions(missed) == list(range(asked + 1, head + 1))


@given(st.integers(0, 20), st.integers(1, 20), st.integers(0, 40))
def test_a_part_is_what_a_reader_does_not_know(first: int, count: int, version: int) -> None:
    part = _batch(*range(first + 1, first + count + 1)).part(version)
    gap = version < first
    expected = [] if gap else list(range(max(first, version) + 1, first + count + 1))
    assert [one.version for one in part.entries] == expected
    assert part.upset is gap


def test_a_part_ends_where_a_snapshot_is_needed() -> None:
    batch = _batch(1, 2, 3, 4, upset_at=3)
    assert [one.version for one in batch.part(0).entries] == [1, 2]
    assert batch.part(0).upset
    assert [one.version for one in batch.part(3).entries] == [4]
    assert not batch.part(3).upset


def test_a_missing_event_asks_for_a_snapshot() -> None:
    part = _batch(1, 2, 4).part(0)
    assert [one.version for one in part.entries] == [1, 2]
    assert part.upset


def test_nobody_resumes_from_memory_across_an_upset() -> None:
    channel = Channel("lab", 0, keep=10)
    channel.advance(_batch(1, 2, 3, 4, upset_at=3))
    assert channel.version == 4
    assert channel.missed(1) is None
    assert channel.missed(4) == b""


def test_all_readers_at_one_version_share_the_bytes() -> None:
    batch = _batch(1, 2)
    assert batch.chunk(0) is batch.chunk(0)
    assert _versions(batch.chunk(1)) == [2]


def test_an_event_is_one_block_of_lines() -> None:
    assert frame("queue_update", b'{"a":1}', "abc") == b'id: abc\nevent: queue_update\ndata: {"a":1}\n\n'
    assert frame("heartbeat", b"{}") == b"event: heartbeat\ndata: {}\n\n"
    assert retry(1500) == b"retry: 1500\n\n"


_streams = st.sets(
    st.tuples(st.uuids(), st.text('abcdefghijklmnopqrstuvwxyz0123456789.-_é"', min_size=1, max_size=63)), max_size=400
)


@given(_streams)
def test_notifications_hold_all_streams_and_fit(streams: set[tuple[UUID, str]]) -> None:
    heard: set[tuple[UUID, str]] = set()
    for payload in payloads("me", streams):
        assert len(payload.encode()) < 8000
        found = read_payload(payload)
        assert found is not None
        assert found[0] == "me"
        heard |= {(facility, stream) for facility, names in found[1].items() for stream in names}
    assert heard == streams


@pytest.mark.parametrize("text", ["", "x", "[]", "[1]", "{}", '["a", 1]', '["a", {"x": ["y"]}]', '["a", {"x": 1}]'])
def test_foreign_notifications_are_passed_over(text: str) -> None:
    assert read_payload(text) is None


class Wire:
    """A connection whose client reads only while it is ``open``."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.gone = asyncio.Event()
        self.sent = b""
        self.ended = False

    async def send(self, message: Message) -> None:
        await self.open.wait()
        self.sent += message.get("body", b"")
        if message["type"] == "http.response.body" and not message["more_body"]:
            self.ended = True
            self.gone.set()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}


async def _settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def _served(wire: Wire, *, room: int = 10) -> tuple[Outlet, "asyncio.Task[None]"]:
    outlet = Outlet(wire.send, room=room, ends_at=0, beat_at=0)
    return outlet, asyncio.create_task(outlet.serve(wire.receive))


async def test_an_outbox_is_sent_in_order() -> None:
    wire = Wire()
    outlet, serving = _served(wire)
    outlet.first(b"0")
    for chunk in (b"1", b"2", b"3"):
        outlet.push(chunk)
        await _settled()
    assert wire.sent == b"0123"
    outlet.end(b"4")
    await asyncio.wait_for(serving, 1)
    assert wire.sent == b"01234"
    assert wire.ended


async def test_a_full_outbox_is_dropped_and_the_stream_ends_when_the_client_reads_again() -> None:
    wire = Wire()
    outlet, serving = _served(wire)
    await _settled()
    wire.open.clear()
    for chunk in (b"in flight", b"0123456789", b"x", b"too much", b"ignored"):
        outlet.push(chunk)
        await _settled()
    assert outlet.over
    wire.open.set()
    await asyncio.wait_for(serving, 1)
    assert wire.sent == b"in flight"
    assert wire.ended


async def test_who_takes_no_heartbeat_is_given_up() -> None:
    wire = Wire()
    outlet, serving = _served(wire)
    await _settled()
    wire.open.clear()
    for _ in range(4):
        assert not outlet.cut
        outlet.beat(b".")
        await _settled()
    await asyncio.wait_for(serving, 1)
    assert outlet.cut
    assert not wire.ended


async def test_a_slow_client_that_makes_progress_is_kept() -> None:
    wire = Wire()
    outlet, serving = _served(wire)
    for _ in range(8):
        wire.open.clear()
        outlet.beat(b".")
        await _settled()
        wire.open.set()
        await _settled()
    assert not outlet.over
    wire.gone.set()
    await asyncio.wait_for(serving, 1)


async def test_the_servers_own_cancellation_goes_through() -> None:
    outlet, serving = _served(Wire())
    await _settled()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert outlet.over
