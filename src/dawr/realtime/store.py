"""How processes wake each other: NOTIFY after the commit on a connection of its own, and a LISTEN that comes back by itself.

Nothing depends on a notification: one that is lost costs the time until the next poll.
"""

import asyncio
import random
import secrets
from collections.abc import Callable, Iterable, Mapping
from uuid import UUID

import orjson
import psycopg
from psycopg import AsyncConnection

from dawr.platform.db import Stream
from dawr.platform.logging import get_logger

CHANNEL = "dawr_wake"
LARGEST_PAYLOAD = 7_900
GATHER_SECONDS = 0.05
ATTEMPTS = 2
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
_LISTEN = f"LISTEN {CHANNEL}"
_NOTIFY = "SELECT pg_notify(%(channel)s, %(payload)s)"
log = get_logger(__name__)


async def _connect(url: str) -> AsyncConnection[tuple[object, ...]]:
    return await AsyncConnection.connect(
        url,
        autocommit=True,
        connect_timeout=3,
        keepalives_idle=10,
        keepalives_interval=3,
        keepalives_count=3,
        application_name="dawr-wake",
    )


def payloads(sender: str, streams: Iterable[Stream]) -> list[str]:
    """As few notifications as hold all the streams: ``["<sender>", {"<facility>": ["queue:lab", …]}]``, each < 8000 bytes."""
    parts: list[dict[str, list[str]]] = [{}]
    size = 0
    for facility, stream in sorted(streams):
        # JSON writes no character of a stream's name in more than six bytes.
        cost = 6 * len(stream) + 3 + (0 if str(facility) in parts[-1] else 42)
        if size + cost > LARGEST_PAYLOAD - 50:
            parts.append({})
            size, cost = 0, 6 * len(stream) + 45
        parts[-1].setdefault(str(facility), []).append(stream)
        size += cost
    return [orjson.dumps([sender, part]).decode() for part in parts if part]


def read_payload(payload: str) -> tuple[str, Mapping[UUID, list[str]]] | None:
    """Who sent it and what woke; ``None`` for a text that is none of ours."""
    try:
        sender, woke = orjson.loads(payload)
        return str(sender), {UUID(facility): [str(stream) for stream in streams] for facility, streams in woke.items()}
    except (ValueError, TypeError, AttributeError):
        return None


class Bell:
    """Tells the other processes which streams have news: at once, and what happens soon after it, together."""

    def __init__(self, url: str) -> None:
        self.sender = secrets.token_hex(4)
        self._url = url
        self._waiting: set[Stream] = set()
        self._rung = asyncio.Event()
        self._connection: AsyncConnection[tuple[object, ...]] | None = None

    def ring(self, streams: Iterable[Stream]) -> None:
        self._waiting.update(streams)
        self._rung.set()

    async def run(self) -> None:
        try:
            while True:
                await self._rung.wait()
                self._rung.clear()
                streams, self._waiting = self._waiting, set()
                await self._tell(streams)
                await asyncio.sleep(GATHER_SECONDS)
        finally:
            await self._hang_up()

    async def _tell(self, streams: set[Stream]) -> None:
        """Tries twice: the first attempt finds out that an idle connection was cut. What fails then is left to the poll."""
        for attempt in range(ATTEMPTS):
            try:
                await self._notify(streams)
                return
            except (psycopg.Error, OSError) as error:
                await self._hang_up()
                if attempt == ATTEMPTS - 1:
                    log.warning("wake_not_sent", error=type(error).__name__)
                    await asyncio.sleep(FIRST_PAUSE)

    async def _notify(self, streams: set[Stream]) -> None:
        if self._connection is None:
            self._connection = await _connect(self._url)
        for payload in payloads(self.sender, streams):
            await self._connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": payload})

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


class Ear:
    """Hears what other processes tell. ``listening`` says whether it does at the moment."""

    def __init__(
        self, url: str, *, own: str, heard: Callable[[UUID, list[str]], None], deaf: Callable[[], None]
    ) -> None:
        """``own`` notifications are passed over; ``deaf`` is called when some may have been missed."""
        self.listening = False
        self._url = url
        self._own = own
        self._heard = heard
        self._deaf = deaf

    async def run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as error:
                pause = FIRST_PAUSE if self.listening else min(pause * 2, LONGEST_PAUSE)
                log.warning("wake_not_heard", error=type(error).__name__)
            finally:
                self.listening = False
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311

    async def _listen(self) -> None:
        async with await _connect(self._url) as connection:
            await connection.execute(_LISTEN)
            self.listening = True
            self._deaf()
            async for notification in connection.notifies():
                self._take(notification.payload)

    def _take(self, payload: str) -> None:
        found = read_payload(payload)
        if found is None:
            log.warning("wake_not_understood")
            return
        sender, woke = found
        if sender != self._own:
            for facility, streams in woke.items():
                self._heard(facility, streams)
