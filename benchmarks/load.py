"""A load generator that costs little itself: HTTP/1.1 over kept connections, closed loop or open loop, one process.

Answers are kept whole, so that what was answered can be judged (numbers, for one) after the clock has stopped.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import httptools
import orjson

Make = Callable[[int], bytes]
MOST_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Answered:
    """``status`` is 0 where the connection broke; ``seconds`` from when the request was due until its last byte came."""

    status: int
    seconds: float
    started: float
    body: bytes


def request(
    method: str, path: str, *, json: object = None, headers: Mapping[str, str] | None = None, host: str = "127.0.0.1"
) -> bytes:
    """The bytes of one request."""
    body = b"" if json is None else orjson.dumps(json)
    sent = {"Host": host} | dict(headers or {})
    if json is not None:
        sent |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Line(asyncio.Protocol):
    """One kept connection, one request at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._body: list[bytes] = []
        self.closed = False

    async def ask(self, sent: bytes) -> tuple[int, bytes]:
        """Status and body; status 0 where the connection broke."""
        self._answer = asyncio.get_running_loop().create_future()
        self._body = []
        if self._transport is None or self.closed:
            return 0, b""
        self._transport.write(sent)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._settle(0)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self.closed = True
        self._parser = httptools.HttpResponseParser(self)
        self._settle(status)

    def _settle(self, status: int) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((status, b"".join(self._body)))


async def connect(port: int, host: str = "127.0.0.1") -> Line:
    _, line = await asyncio.get_running_loop().create_connection(Line, host, port)
    return line


async def closed_loop(port: int, make: Make, *, clients: int, total: int) -> list[Answered]:
    """``clients`` ask one after the other, without a pause, until ``total`` requests are answered.

    ``make(n)`` gives the bytes of request ``n`` (0, 1, …). ``TimeoutError`` where that takes longer than ``MOST_SECONDS``.
    """
    answered: list[Answered] = []
    numbers = iter(range(total))

    async def client() -> None:
        line = await connect(port)
        for n in numbers:
            if line.closed:
                line = await connect(port)
            sent = make(n)
            started = time.perf_counter()
            status, body = await line.ask(sent)
            answered.append(Answered(status, time.perf_counter() - started, started, body))
        line.close()

    # Whatever hangs is to be seen, not waited for.
    async with asyncio.timeout(MOST_SECONDS):
        await asyncio.gather(*(client() for _ in range(clients)))
    return answered


async def open_loop(port: int, make: Make, *, rate: float, seconds: float, patience: float = 10.0) -> list[Answered]:
    """Requests at their due times whatever the server does, as strangers come; the time counts from when each was due.

    A connection is taken from those that are free, or made. After ``patience`` seconds a request counts as status 0.
    """
    free: list[Line] = []
    answered: list[Answered] = []
    begun = time.perf_counter()

    async def one(n: int, due: float) -> None:
        status, body = 0, b""
        line: Line | None = None
        try:
            async with asyncio.timeout(patience):
                # One that nobody needed for some seconds may have been closed meanwhile, as browsers know, too.
                while free and free[-1].closed:
                    free.pop()
                line = free.pop() if free else await connect(port)
                status, body = await line.ask(make(n))
        except (TimeoutError, OSError):
            if line is not None:
                line.close()
        else:
            if not line.closed:
                free.append(line)
        answered.append(Answered(status, time.perf_counter() - due, due - begun, body))

    tasks = []
    for n in range(int(rate * seconds)):
        due = begun + n / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(n, due)))
    await asyncio.gather(*tasks)
    for line in free:
        line.close()
    return answered


def quantile(values: Sequence[float], share: float) -> float:
    """The least of the values that ``share`` of them do not exceed (nearest rank); 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def per_second(answered: Sequence[Answered]) -> float:
    """Answers a second from the first request's start to the last answer."""
    if not answered:
        return 0.0
    first = min(one.started for one in answered)
    last = max(one.started + one.seconds for one in answered)
    return len(answered) / (last - first)


async def timed(work: Awaitable[object]) -> float:
    """The seconds that something took."""
    started = time.perf_counter()
    await work
    return time.perf_counter() - started
