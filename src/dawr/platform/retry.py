"""Trying again: only for what is safe to repeat (reads, idempotent writes, calls that carry an idempotency key).

Whatever may have taken effect although its answer was lost must not come here: a repeated charge or message is worse
than an error. Pauses grow exponentially with full jitter (a random part of 100, 200, 400 ms …, at most 1 s), so that
callers who failed together do not come back together; and a budget for the whole process keeps retries from multiplying
an outage.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
T = TypeVar("T")


class RetryBudget:
    """Lets retries be at most a share of the recent calls, and always a few, for a process with little to do."""

    def __init__(
        self,
        *,
        share: float = 0.1,
        window: float = 10.0,
        always: int = 3,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``window`` in seconds; it is counted in tenths, so that its memory does not grow with the traffic."""
        self._share = share
        self._always = always
        self._slot = window / 10
        self._monotonic = monotonic
        self._slots: deque[list[int]] = deque(maxlen=11)

    def call(self) -> None:
        """A call is being made for the first time."""
        self._present()[1] += 1

    def take(self) -> bool:
        """Whether one more retry is allowed; if so, it is counted."""
        present = self._present()
        calls, retries = sum(slot[1] for slot in self._slots), sum(slot[2] for slot in self._slots)
        if retries >= max(self._always, int(calls * self._share)):
            return False
        present[2] += 1
        return True

    def _present(self) -> list[int]:
        """The slot of now (number, calls, retries), after those that left the window are gone."""
        number = int(self._monotonic() / self._slot)
        while self._slots and self._slots[0][0] <= number - 10:
            self._slots.popleft()
        if not self._slots or self._slots[-1][0] != number:
            self._slots.append([number, 0, 0])
        return self._slots[-1]


def pause_before(retry_number: int, *, uniform: Callable[[float, float], float] = random.uniform) -> float:
    """Seconds to wait before this retry (1, 2, …)."""
    return uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (retry_number - 1)))


async def retry(
    call: Callable[[], Awaitable[T]],
    *,
    on: tuple[type[BaseException], ...],
    deadline: float,
    attempts: int = 3,
    budget: RetryBudget | None = None,
) -> T:
    """The answer of ``call``, which is tried up to ``attempts`` times while it fails with one of ``on``.

    ``deadline`` is in seconds and holds for everything together: a running attempt is cancelled by it
    (``TimeoutError``), and a pause that would pass it is not begun. Without attempts, budget or time left, the last
    error is raised as it was.
    """
    ends = time.monotonic() + deadline
    if budget is not None:
        budget.call()
    for number in range(1, attempts):
        try:
            return await in_time(call(), ends - time.monotonic())
        except on:
            pause = pause_before(number)
            if time.monotonic() + pause >= ends or not (budget is None or budget.take()):
                raise
        await asyncio.sleep(pause)
    return await in_time(call(), ends - time.monotonic())


async def in_time(work: Awaitable[T], seconds: float) -> T:
    """The answer of ``work``, or ``TimeoutError`` after this long, even where cancelling the work hangs as well.

    (``asyncio.timeout`` waits for the cancelled work to end, which a server that was stopped and not ended never lets
    it do.) The work goes on being cancelled behind the caller's back, so it must own what it uses.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_forget)
    if task.done():
        return task.result()
    raise TimeoutError


def _forget(task: asyncio.Future[T]) -> None:
    """Fetches the late error, which asyncio would otherwise report as never looked at."""
    if not task.cancelled():
        task.exception()
