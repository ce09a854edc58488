"""What was read a moment ago. Answers are kept for at most half a second, so that what ends a session or takes a role away
is felt in every process within a second, and a busy screen does not ask the store for each of its requests."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

SECONDS = 0.5
MOST = 10_000
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """One reading a key at a time: who asks while it is being read waits for the same answer. Failures are not kept."""

    def __init__(
        self, *, seconds: float = SECONDS, most: int = MOST, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._most = most
        self._monotonic = monotonic
        self._kept: dict[K, tuple[float, asyncio.Future[V]]] = {}

    async def get(self, key: K, read: Callable[[], Awaitable[V]]) -> V:
        """The answer to a reading that began less than ``seconds`` ago, else that of a reading begun now."""
        now = self._monotonic()
        found = self._kept.get(key)
        if found is None or now - found[0] >= self._seconds:
            self._kept.pop(key, None)
            self._make_room(now)
            found = (now, asyncio.ensure_future(read()))
            self._kept[key] = found
            found[1].add_done_callback(lambda done: self._drop_failure(key, done))
        # Whoever is cancelled leaves the others their answer.
        return await asyncio.shield(found[1])

    def clear(self) -> None:
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

    def _make_room(self, now: float) -> None:
        """Readings stand in the order they began: the old ones are in front."""
        while self._kept:
            oldest = next(iter(self._kept))
            if len(self._kept) < self._most and now - self._kept[oldest][0] < self._seconds:
                break
            del self._kept[oldest]

    def _drop_failure(self, key: K, done: "asyncio.Future[Any]") -> None:
        failed = done.cancelled() or done.exception() is not None
        if failed and self._kept.get(key, (0, None))[1] is done:
            del self._kept[key]
