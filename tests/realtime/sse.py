"""A client of live streams on a bare socket: it sees exactly the bytes that are sent."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import orjson

PATIENCE = 5.0
KEPT = 100_000


@dataclass(frozen=True)
class Event:
    """``at`` is the monotonic time at which it was read."""

    name: str
    data: Any
    id: str | None
    retry: int | None
    at: float


@dataclass
class Stream:
    """An open response. ``last_id`` is what a client would come back with, ``raw`` the latest of what was sent."""

    status: int
    headers: Mapping[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    last_id: str | None = None
    retry: int | None = None
    raw: str = field(default="", repr=False)
    _text: str = field(default="", repr=False)
    _blocks: deque[str] = field(default_factory=deque, repr=False)

    async def next(self, *, within: float = PATIENCE) -> Event | None:
        """The next event with a name, ``None`` at the end of the stream. ``retry`` alone is kept and passed over."""
        async with asyncio.timeout(within):
            while True:
                while not self._blocks:
                    chunk = await self._chunk()
                    if chunk is None:
                        return None
                    self.raw = (self.raw + chunk)[-KEPT:]
                    *blocks, self._text = (self._text + chunk).split("\n\n")
                    self._blocks.extend(blocks)
                event = _parsed(self._blocks.popleft())
                self.last_id = event.id or self.last_id
                self.retry = event.retry if event.retry is not None else self.retry
                if event.name:
                    return event

    async def one(self, name: str = "queue_update", *, within: float = PATIENCE) -> Event:
        """The next event but for heartbeats, which has this name."""
        event = await self.next(within=within)
        while event is not None and event.name == "heartbeat" != name:
            event = await self.next(within=within)
        assert event is not None, "the stream ended"
        assert event.name == name, event
        return event

    async def end(self, *, within: float = PATIENCE) -> list[Event]:
        """All events until the stream ends."""
        events = []
        while (event := await self.next(within=within)) is not None:
            events.append(event)
        return events

    async def quiet(self, seconds: float = 0.15) -> bool:
        """Whether nothing comes for so long."""
        try:
            await self.next(within=seconds)
        except TimeoutError:
            return True
        return False

    async def json(self) -> Any:
        """The body of an answer that is no stream."""
        return json.loads(await self.reader.read())

    async def _chunk(self) -> str | None:
        head = await self.reader.readline()
        size = int(head or b"0", 16)
        if not size:
            return None
        body = await self.reader.readexactly(size + 2)
        return body[:-2].decode()


def _parsed(block: str) -> Event:
    fields = dict(line.split(": ", 1) for line in block.split("\n"))
    assert set(fields) <= {"retry", "id", "event", "data"}, fields
    data = orjson.loads(fields["data"]) if "data" in fields else None
    retry = int(fields["retry"]) if "retry" in fields else None
    return Event(fields.get("event", ""), data, fields.get("id"), retry, time.monotonic())


@asynccontextmanager
async def connect(
    base: str, *, headers: Mapping[str, str] | None = None, method: str = "GET", **query: str
) -> AsyncIterator[Stream]:
    """Opens ``<base>/api/v1/events/stream?…`` and reads the head of the answer."""
    parts = urlsplit(base)
    asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    target = f"{parts.path}/api/v1/events/stream?{asked}"
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        yield Stream(int(head[0].split(" ")[1]), {name.lower(): value for name, value in pairs}, reader, writer)
    finally:
        writer.close()
