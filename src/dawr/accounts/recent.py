"""What was read a moment ago. Answers are kept for at most half a second, so that what ends a session or takes a role away
is felt in every process within a second, and a busy screen does not ask the store for each of its requests.

Who works in a house works on: with whatever has to be read, all that was asked for in the last seconds is read again, in the
same trip. So fifty desks cost two readings a second, not a hundred."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

SECONDS = 0.5
KEEN_SECONDS = 3.0
MOST = 10_000
MOST_TOGETHER = 200
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Read = Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]


class Recent(Generic[K, V]):
    """One reading a key at a time: who asks while it is being read waits for the same answer. Failures are not kept."""

    def __init__(
        self,
        *,
        seconds: float = SECONDS,
        most: int = MOST,
        monotonic: Callable[[], float] = time.monotonic,
        beside: Callable[[K, K], bool] = lambda one, other: True,
    ) -> None:
        """``beside`` tells which keys one reading serves as cheaply as one of them."""
        self._beside = beside
        self._seconds = seconds
        self._most = most
        self._monotonic = monotonic
        self._kept: dict[K, tuple[float, asyncio.Future[Mapping[K, V]]]] = {}
        self._asked: dict[K, float] = {}

    async def get(self, key: K, read: Read[K, V]) -> V:
        """The answer to a reading that began less than ``seconds`` ago, else that of a reading begun now. ``read`` gives an
        answer for each key."""
        now = self._monotonic()
        found = self._kept.get(key)
        if found is None or now - found[0] >= self._seconds:
            found = self._begin([key, *self._keen(key, now)], read, now)
        # Whoever is cancelled leaves the others their answer.
        answer = (await asyncio.shield(found[1]))[key]
        if answer is not None:
            # What does not exist is not read again: whoever makes things up must not make others' readings long.
            self._note(key, now)
        return answer

    def clear(self) -> None:
        self._kept.clear()
        self._asked.clear()

    def __len__(self) -> int:
        return len(self._kept)

    def _note(self, key: K, now: float) -> None:
        """Keys stand in the order in which they were last asked for."""
        self._asked.pop(key, None)
        self._asked[key] = now

    def _keen(self, key: K, now: float) -> list[K]:
        """What somebody asked for lately, and whose answer is no longer young."""
        while self._asked and now - next(iter(self._asked.values())) > KEEN_SECONDS:
            del self._asked[next(iter(self._asked))]
        return [
            one
            for one in islice(reversed(self._asked), min(MOST_TOGETHER, self._most) - 1)
            if one != key
            and self._beside(one, key)
            and (one not in self._kept or now - self._kept[one][0] >= self._seconds / 2)
        ]

    def _begin(self, keys: Sequence[K], read: Read[K, V], now: float) -> tuple[float, asyncio.Future[Mapping[K, V]]]:
        for key in keys:
            self._kept.pop(key, None)
        self._make_room(len(keys), now)
        begun = (now, asyncio.ensure_future(read(keys)))
        self._kept |= dict.fromkeys(keys, begun)
        begun[1].add_done_callback(lambda done: self._drop_failure(keys, done))
        return begun

    def _make_room(self, many: int, now: float) -> None:
        """Readings stand in the order they began: the old ones are in front."""
        while self._kept:
            oldest = next(iter(self._kept))
            if len(self._kept) + many <= self._most and now - self._kept[oldest][0] < self._seconds:
                break
            del self._kept[oldest]

    def _drop_failure(self, keys: Sequence[K], done: "asyncio.Future[Any]") -> None:
        if done.cancelled() or done.exception() is not None:
            for key in keys:
                if self._kept.get(key, (0, None))[1] is done:
                    del self._kept[key]
