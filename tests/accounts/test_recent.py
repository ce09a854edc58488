"""What was just read is kept for a moment, read once, and never kept when it failed."""

import asyncio
from collections.abc import Sequence

import pytest

from dawr.accounts.recent import KEEN_SECONDS, Recent


class Source:
    """Something to read, that counts how often and can be held up."""

    def __init__(self) -> None:
        self.reads = 0
        self.last: set[str] = set()
        self.open = asyncio.Event()
        self.open.set()
        self.broken = False

    async def read(self, keys: Sequence[str]) -> dict[str, int | None]:
        self.reads += 1
        self.last = set(keys)
        number = self.reads
        await self.open.wait()
        if self.broken:
            raise LookupError
        return {key: None if key.startswith("no") else number for key in keys}


class Watch:
    """A monotonic clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_within_its_time_the_answer_is_the_one_just_read() -> None:
    source, watch = Source(), Watch()
    recent: Recent[str, int | None] = Recent(seconds=0.5, monotonic=watch)
    assert await recent.get("a", source.read) == 1
    watch.now += 0.49
    assert await recent.get("a", source.read) == 1
    watch.now += 0.01
    assert await recent.get("a", source.read) == 2


async def test_the_age_counts_from_when_the_reading_began() -> None:
    source, watch = Source(), Watch()
    recent: Recent[str, int | None] = Recent(seconds=0.5, monotonic=watch)
    source.open.clear()
    slow = asyncio.create_task(recent.get("a", source.read))
    await asyncio.sleep(0)
    watch.now += 0.6
    source.open.set()
    assert await recent.get("a", source.read) == 2
    assert await slow == 1


async def test_who_asks_at_once_shares_one_reading() -> None:
    source = Source()
    recent: Recent[str, int | None] = Recent()
    assert await asyncio.gather(*(recent.get("a", source.read) for _ in range(50))) == [1] * 50


async def test_different_keys_are_different_readings() -> None:
    source = Source()
    recent: Recent[str, int | None] = Recent()
    assert await recent.get("a", source.read) != await recent.get("b", source.read)


async def test_what_was_asked_for_lately_is_read_with_the_next() -> None:
    source, watch = Source(), Watch()
    recent: Recent[str, int | None] = Recent(seconds=0.5, monotonic=watch)
    for key in ("a", "b"):
        await recent.get(key, source.read)
    watch.now += 0.5
    await recent.get("a", source.read)
    assert source.last == {"a", "b"}
    assert await recent.get("b", source.read) == source.reads == 3


async def test_what_is_young_or_long_forgotten_is_not_read_with_it() -> None:
    source, watch = Source(), Watch()
    recent: Recent[str, int | None] = Recent(seconds=0.5, monotonic=watch)
    await recent.get("forgotten", source.read)
    watch.now += KEEN_SECONDS + 0.1
    await recent.get("young", source.read)
    assert source.last == {"young"}
    watch.now += 0.1
    await recent.get("a", source.read)
    assert source.last == {"a"}


async def test_what_does_not_exist_is_not_read_with_anything() -> None:
    source, watch = Source(), Watch()
    recent: Recent[str, int | None] = Recent(seconds=0.5, monotonic=watch)
    assert await recent.get("nobody", source.read) is None
    watch.now += 0.5
    await recent.get("a", source.read)
    assert source.last == {"a"}


async def test_a_failure_is_told_to_who_asked_and_to_nobody_later() -> None:
    source = Source()
    recent: Recent[str, int | None] = Recent()
    source.broken = True
    results = await asyncio.gather(*(recent.get("a", source.read) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in results] == [LookupError] * 3
    source.broken = False
    assert await recent.get("a", source.read) == 2


async def test_who_gives_up_leaves_the_others_their_answer() -> None:
    source = Source()
    recent: Recent[str, int | None] = Recent()
    source.open.clear()
    impatient, patient = (asyncio.create_task(recent.get("a", source.read)) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    source.open.set()
    assert await patient == 1


async def test_it_never_holds_more_than_it_may() -> None:
    source, watch = Source(), Watch()
    recent: Recent[str, int | None] = Recent(most=10, monotonic=watch)
    for key in range(100):
        await recent.get(str(key), source.read)
        assert len(recent) <= 10
    watch.now += KEEN_SECONDS + 1
    await recent.get("0", source.read)
    assert len(recent) == 1


async def test_what_is_cleared_is_read_again() -> None:
    source = Source()
    recent: Recent[str, int | None] = Recent()
    await recent.get("a", source.read)
    recent.clear()
    assert await recent.get("a", source.read) == 2
