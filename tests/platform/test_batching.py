"""Callers who come together are answered together, each with what is theirs."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from dawr.platform.batching import BESIDE, WHOLE, Tray
from dawr.platform.errors import NotFound, Unavailable


class Counter:
    """Answers each number doubled and keeps the sizes of its batches; odd ones are not found; a gate holds each batch."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.gate = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self, _: str, asked: Sequence[int], __: Callable[[], None]) -> list[int | Exception]:
        self.sizes.append(len(asked))
        await self.gate.wait()
        if self.failure:
            raise self.failure
        return [NotFound() if one % 2 else one * 2 for one in asked]


async def gathered(tray: Tray[str, int, int], numbers: Sequence[int]) -> list[int | BaseException]:
    return await asyncio.gather(*(tray.ask("a", one) for one in numbers), return_exceptions=True)


async def started(
    tray: Tray[str, int, int], counter: Counter, numbers: Sequence[int]
) -> asyncio.Future[list[int | BaseException]]:
    asking = asyncio.ensure_future(gathered(tray, numbers))
    while not counter.sizes:
        await asyncio.sleep(0)
    return asking


async def test_whoever_comes_first_goes_at_once_and_the_rest_together() -> None:
    counter = Counter()
    asking = await started(Tray(counter, most=5), counter, range(0, 18, 2))
    counter.gate.set()
    assert await asking == [one * 2 for one in range(0, 18, 2)]
    assert counter.sizes == [5, 4] or counter.sizes == [1, 5, 3]


@pytest.mark.parametrize(
    ("many", "sizes"),
    [(WHOLE, [WHOLE]), (2 * WHOLE, [WHOLE, WHOLE]), (3 * WHOLE, [96, 64, 32]), (300, [128, 86, 64, 22])],
    ids=["few go at once", "two halves", "always half", "no more than a batch takes"],
)
async def test_of_many_half_go_and_the_others_are_made_ready_meanwhile(many: int, sizes: list[int]) -> None:
    counter = Counter()
    counter.gate.set()
    assert await gathered(Tray(counter), [0] * many) == [0] * many
    assert counter.sizes == sizes


async def test_a_batch_that_lets_the_next_begin_is_answered_all_the_same() -> None:
    """What the store keeps apart needs no waiting; whatever has not been let begin waits."""
    gates = [asyncio.Event() for _ in range(3)]
    begun: list[int] = []

    async def doubled(_: str, asked: Sequence[int], next_may_begin: Callable[[], None]) -> list[int | Exception]:
        mine = len(begun)
        begun.extend(asked)
        if mine == 0:
            next_may_begin()
        await gates[mine].wait()
        return [one * 2 for one in asked]

    tray = Tray(doubled, most=1)
    asking = [asyncio.ensure_future(tray.ask("a", one)) for one in (1, 2, 3)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert begun == [1, 2]
    gates[1].set()
    assert await asking[1] == 4
    assert not asking[0].done()
    gates[0].set()
    gates[2].set()
    assert await asyncio.gather(*asking) == [2, 4, 6]


@pytest.mark.parametrize(("many", "sizes"), [(BESIDE - 1, [1]), (BESIDE, [1, BESIDE])], ids=["a few", "a crowd"])
async def test_beside_a_batch_that_is_being_written_only_a_crowd_begins(many: int, sizes: list[int]) -> None:
    gate, begun = asyncio.Event(), list[int]()

    async def doubled(_: str, asked: Sequence[int], next_may_begin: Callable[[], None]) -> list[int | Exception]:
        begun.append(len(asked))
        next_may_begin()
        await gate.wait()
        return [one * 2 for one in asked]

    tray = Tray(doubled)
    first = asyncio.ensure_future(tray.ask("a", 1))
    while not begun:
        await asyncio.sleep(0)
    asking = asyncio.ensure_future(gathered(tray, range(many)))
    for _ in range(20):
        await asyncio.sleep(0)
    assert begun == sizes
    gate.set()
    assert (await first, len(await asking)) == (2, many)
    assert begun == [1, many]


async def test_whoever_has_knocked_when_a_batch_ends_comes_along() -> None:
    """A request that has reached its socket is read, begun and asked, each in a turn of the loop of its own."""
    gate, sizes = asyncio.Event(), list[int]()

    async def doubled(_: str, asked: Sequence[int], __: Callable[[], None]) -> list[int | Exception]:
        sizes.append(len(asked))
        await gate.wait()
        return [one * 2 for one in asked]

    tray = Tray(doubled)

    async def late() -> int:
        await gate.wait()
        for _ in range(3):
            await asyncio.sleep(0)
        return await tray.ask("a", 2)

    async def first() -> int:
        return await tray.ask("a", 1)

    asking = asyncio.gather(first(), late(), late())
    while not sizes:
        await asyncio.sleep(0)
    waiting = asyncio.ensure_future(first())
    await asyncio.sleep(0)
    gate.set()
    assert list(await asking) == [2, 4, 4]
    assert await waiting == 2
    assert sizes == [1, 3]


async def test_each_gets_an_answer_or_an_error_of_their_own() -> None:
    counter = Counter()
    counter.gate.set()
    answers = await gathered(Tray(counter), [2, 3, 4])
    assert (answers[0], type(answers[1]), answers[2]) == (4, NotFound, 8)


async def test_a_store_out_of_reach_is_said_to_all_who_wait() -> None:
    counter = Counter()
    asking = await started(Tray(counter, most=2), counter, range(6))
    counter.failure = Unavailable()
    counter.gate.set()
    assert [type(one) for one in await asking] == [Unavailable] * 6
    assert len(counter.sizes) == 1


@pytest.mark.parametrize("turns", range(4))
async def test_a_store_that_goes_after_the_next_was_let_begin_leaves_no_empty_batch(turns: int) -> None:
    """However many turns of the loop lie between the two."""
    sizes: list[int] = []

    async def lost(_: str, asked: Sequence[int], next_may_begin: Callable[[], None]) -> list[int | Exception]:
        sizes.append(len(asked))
        next_may_begin()
        for _turn in range(turns):
            await asyncio.sleep(0)
        raise Unavailable

    answers = await gathered(Tray(lost, most=1), range(4))
    assert [type(one) for one in answers] == [Unavailable] * 4
    assert 0 not in sizes


async def test_after_a_failure_the_next_are_served() -> None:
    counter = Counter()
    counter.gate.set()
    tray: Tray[str, int, int] = Tray(counter)
    counter.failure = RuntimeError("once")
    with pytest.raises(RuntimeError):
        await tray.ask("a", 2)
    counter.failure = None
    assert await tray.ask("a", 2) == 4


async def test_who_hangs_up_keeps_nobody_waiting() -> None:
    counter = Counter()
    tray: Tray[str, int, int] = Tray(counter)
    impatient = asyncio.ensure_future(tray.ask("a", 2))
    patient = await started(tray, counter, [4])
    impatient.cancel()
    counter.gate.set()
    assert await patient == [8]
