"""What people and desks of a morning hold in their hands: requests whose times are kept, and live streams."""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, cast

import httptools
import orjson

from benchmarks.load import Line, connect, request

GOOD = frozenset({200, 201})
IDLE_SECONDS = 10.0
COME_BACK_SECONDS = 1.0
_EVENT = re.compile(rb"(?:id: ([^\n]*)\n)?event: ([^\n]*)\ndata: ([^\n]*)\n\n")
Heard = Callable[[str, dict[str, Any]], None]


@dataclass
class Wire:
    """``ports`` are those of the app's processes, asked in turns. ``times`` has the seconds of every route, ``wrong`` what should
    not have been answered."""

    ports: Sequence[int]
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)
    _free: dict[int, list[tuple[Line, float]]] = field(default_factory=lambda: defaultdict(list))
    _asked: int = 0

    async def ask(
        self,
        method: str,
        path: str,
        *,
        route: str | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        also: frozenset[int] = frozenset(),
    ) -> tuple[int, bytes]:
        """Status and body. ``also`` are statuses that are no mistake here; ``route`` names what ``path`` is one of."""
        sent = request(method, path, json=json, headers=headers)
        started = time.perf_counter()
        port = self._port()
        line = await self._line(port)
        status, body = await line.ask(sent)
        name = f"{method} {route or path.partition('?')[0]}"
        self.times[name].append(time.perf_counter() - started)
        if status not in GOOD | also:
            self.wrong.append(f"{name}: {status} {body[:200]!r}")
        if not line.closed:
            self._free[port].append((line, time.perf_counter()))
        return status, body

    def _port(self) -> int:
        self._asked += 1
        return self.ports[self._asked % len(self.ports)]

    async def _line(self, port: int) -> Line:
        """A connection that the server is not about to close for having been idle, or a fresh one."""
        while self._free[port]:
            line, used_at = self._free[port].pop()
            if not line.closed and time.perf_counter() - used_at < IDLE_SECONDS:
                return line
            line.close()
        return await connect(port)

    async def follow(self, path: str, headers: Mapping[str, str], heard: Heard, over: asyncio.Event) -> None:
        """Hears a live stream until ``over`` is set; comes back with its cursor when the stream is closed for its age."""
        last_id = None
        while not over.is_set():
            # Made anew: whoever is signed in may have another token by now.
            sent = request("GET", path, headers={**headers, **({"Last-Event-ID": last_id} if last_id else {})})
            started = time.perf_counter()
            loop = asyncio.get_running_loop()
            _, stream = await loop.create_connection(partial(Stream, sent, heard), "127.0.0.1", self._port())
            ended = asyncio.create_task(over.wait())
            await asyncio.wait((ended, stream.closed), return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            stream.close()
            name = f"GET {path.partition('?')[0]}"
            if stream.status == 200:
                self.times[f"{name} (first event)"].append(stream.first_at - started)
            elif not over.is_set():
                self.wrong.append(f"{name}: {stream.status}")
                await asyncio.sleep(COME_BACK_SECONDS)
            last_id = stream.last_id or last_id

    def close(self) -> None:
        for line, _ in chain.from_iterable(self._free.values()):
            line.close()


class Stream(asyncio.Protocol):
    """One connection of a live stream."""

    def __init__(self, sent: bytes, heard: Heard) -> None:
        self._sent = sent
        self._heard = heard
        self._parser = httptools.HttpResponseParser(self)
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.status = 0
        self.last_id: str | None = None
        self.first_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's, only of the same form.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._sent)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        whole, end = self._rest + body, 0
        for found in _EVENT.finditer(whole):
            end = found.end()
            self._take(found)
        self._rest = whole[end:]

    def on_message_complete(self) -> None:
        self.close()

    def _take(self, found: re.Match[bytes]) -> None:
        cursor, event, data = found.groups()
        self.first_at = self.first_at or time.perf_counter()
        if cursor:
            self.last_id = cursor.decode()
        self._heard(event.decode(), orjson.loads(data))
