"""Group commit: callers who come while one batch is under way wait together for the next.

Nobody waits for company: whoever comes first goes at once. A crowd costs one transaction instead of one each, and holds a few
connections instead of all. A batch that is being written lets the next one begin where a crowd waits, so that there is always
one that is made ready, or answered, while another is written: all together, or strictly one after the other, process and
database would wait for each other in turns. Fewer wait until the one before them is written: they would have to in any case
where both come to the same, and small batches beside large ones would cost more than they save.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Generic, TypeVar

from dawr.platform.errors import Unavailable

K = TypeVar("K", bound=Hashable)
Q = TypeVar("Q")
A = TypeVar("A")
MOST = 128
# So many begin beside a batch that is being written.
BESIDE = 32
# Fewer are not parted, many go half by half: a batch has its price, too.
WHOLE = 64
# Whoever has knocked by then comes along: a request that has reached the socket is here after so many turns of the loop.
TURNS = 3


class _Line(Generic[Q, A]):
    """Who waits at one key. ``beside`` is set by a crowd that may begin beside the batch before it; ``None`` while that is not
    being written yet."""

    def __init__(self, *, crowd: int) -> None:
        self._crowd = crowd
        self.waiting: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self.beside: asyncio.Event | None = None
        self.running: asyncio.Task[None] | None = None

    def is_being_written(self, next_may_begin: asyncio.Event) -> None:
        self.beside = next_may_begin
        self.let_a_crowd_begin()

    def let_a_crowd_begin(self) -> None:
        if self.beside is not None and len(self.waiting) >= self._crowd:
            self.beside.set()


class Tray(Generic[K, Q, A]):
    """``work`` answers a batch of one key's questions, each with its answer or the exception that is its answer; the next batch
    begins when it ends, or sooner, where a crowd waits, when it calls what it is given. What must not be mixed up the store has
    to keep apart.

    A batch that fails as a whole fails for each of its callers; where the store is out of reach, for all who wait, so that
    nobody waits for it twice.
    """

    def __init__(
        self,
        work: Callable[[K, Sequence[Q], Callable[[], None]], Awaitable[Sequence[A | Exception]]],
        *,
        most: int = MOST,
    ) -> None:
        self._work = work
        self._most = most
        self._lines: dict[K, _Line[Q, A]] = {}
        self._batches: set[asyncio.Task[None]] = set()

    async def ask(self, key: K, question: Q) -> A:
        """The answer to one question; raises the exception that is its answer."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(crowd=min(BESIDE, self._most))
            line.running = asyncio.create_task(self._empty(key, line))
        line.waiting.append((question, answer))
        line.let_a_crowd_begin()
        return await answer

    async def _empty(self, key: K, line: _Line[Q, A]) -> None:
        waiting = line.waiting
        while waiting:
            # Here, not by the task: until that begins, a batch before it may fail for all who wait.
            batch = [waiting.popleft() for _ in range(_share(len(waiting), self._most))]
            line.beside, next_may_begin = None, asyncio.Event()
            answering = asyncio.create_task(self._answer(key, line, batch, next_may_begin))
            self._batches.add(answering)
            answering.add_done_callback(self._batches.discard)
            await next_may_begin.wait()
            for _ in range(TURNS):
                await asyncio.sleep(0)
        del self._lines[key]

    async def _answer(
        self, key: K, line: _Line[Q, A], batch: list[tuple[Q, asyncio.Future[A]]], next_may_begin: asyncio.Event
    ) -> None:
        try:
            let_begin = partial(line.is_being_written, next_may_begin)
            answers = await self._work(key, [question for question, _ in batch], let_begin)
        except Exception as error:
            if isinstance(error, Unavailable):
                batch += line.waiting
                line.waiting.clear()
            answers = [error] * len(batch)
        finally:
            next_may_begin.set()
        for (_, future), answer in zip(batch, answers, strict=True):
            _settle(future, answer)


def _share(waiting: int, most: int) -> int:
    """How many of those who wait go in the next batch."""
    return min(waiting, most, max(WHOLE, (waiting + 1) // 2))


def _settle(future: asyncio.Future[A], answer: A | Exception) -> None:
    # Whoever hung up has taken their question back.
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
