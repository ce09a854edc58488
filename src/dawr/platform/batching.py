"""Group commit: callers who come while one batch is under way wait together for the next.

Nobody waits for company: whoever comes first goes at once. A crowd costs one transaction instead of one each, and holds a few
connections instead of all. Of many who wait half go at once, and a batch that is being written lets the next one begin,
so that there is always one that is made ready, or answered, while another is written: all together, or strictly one after
the other, process and database would wait for each other in turns.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from dawr.platform.errors import Unavailable

K = TypeVar("K", bound=Hashable)
Q = TypeVar("Q")
A = TypeVar("A")
MOST = 128
# Fewer are not parted: a batch has its price, too.
WHOLE = 32


class Tray(Generic[K, Q, A]):
    """``work`` answers a batch of one key's questions, each with its answer or the exception that is its answer; the next batch
    begins when it ends, or sooner, when it calls what it is given. What must not be mixed up the store has to keep apart.

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
        self._waiting: dict[K, deque[tuple[Q, asyncio.Future[A]]]] = {}
        self._running: dict[K, asyncio.Task[None]] = {}
        self._batches: set[asyncio.Task[None]] = set()

    async def ask(self, key: K, question: Q) -> A:
        """The answer to one question; raises the exception that is its answer."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append((question, answer))
        if key not in self._running:
            self._running[key] = asyncio.create_task(self._empty(key))
        return await answer

    async def _empty(self, key: K) -> None:
        waiting = self._waiting[key]
        while waiting:
            # Here, not by the task: until that begins, a batch before it may fail for all who wait.
            batch = [waiting.popleft() for _ in range(_share(len(waiting), self._most))]
            next_may_begin = asyncio.Event()
            answering = asyncio.create_task(self._answer(key, batch, next_may_begin))
            self._batches.add(answering)
            answering.add_done_callback(self._batches.discard)
            await next_may_begin.wait()
        del self._waiting[key], self._running[key]

    async def _answer(self, key: K, batch: list[tuple[Q, asyncio.Future[A]]], next_may_begin: asyncio.Event) -> None:
        try:
            answers = await self._work(key, [question for question, _ in batch], next_may_begin.set)
        except Exception as error:
            if isinstance(error, Unavailable):
                waiting = self._waiting.get(key, deque())
                batch += waiting
                waiting.clear()
            answers = [error] * len(batch)
        finally:
            next_may_begin.set()
        for (_, future), answer in zip(batch, answers, strict=True):
            _settle(future, answer)


@asynccontextmanager
async def meanwhile(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Begins ``work`` before the block, and ends with it: the block's computing falls into the time that the work waits."""
    task = asyncio.create_task(work)
    try:
        # One turn of the loop, in which the work comes as far as its first wait.
        await asyncio.sleep(0)
        yield
    except Exception as error:
        # What the work met comes first: the block may have failed of nothing else.
        if cause := await _ended(task):
            raise cause from error
        raise
    except BaseException:
        await _ended(task)
        raise
    await task


async def _ended(task: asyncio.Task[None]) -> BaseException | None:
    """What a task failed of; one that still runs is cancelled."""
    task.cancel()
    await asyncio.wait([task])
    return None if task.cancelled() else task.exception()


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
