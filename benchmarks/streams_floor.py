"""The floor under the live streams: a bare ASGI app that commits a row and then writes the same bytes to everybody.

``GET`` opens a ``text/event-stream``; a ``POST``'s body is what all of them are sent. It runs on the product's server with
the product's settings of it, and knows no readers, no versions, no cursors, no heartbeats, and no clients that are slow.

Run as a program: ``python -m benchmarks.streams_floor DATABASE_URL PORT`` prints ``ready`` when it listens.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import psycopg

from benchmarks import serving

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Writes leave the process when the loop turns: a round without a turn would keep the first client waiting for the last.
SLICE = 200
CONNECTED = b'event: connected\ndata: {"floor":true}\n\n'
_TABLE = "CREATE TABLE IF NOT EXISTS streams_floor (id bigserial PRIMARY KEY, data bytea NOT NULL)"
_STREAM = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]


class FanOut:
    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._open: set[Send] = set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["method"] == "GET":
            await self._stream(receive, send)
        else:
            await self._change((await receive())["body"])
            await send({"type": "http.response.start", "status": 201, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

    async def _stream(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _STREAM})
        await send({"type": "http.response.body", "body": CONNECTED, "more_body": True})
        self._open.add(send)
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self._open.discard(send)

    async def _change(self, chunk: bytes) -> None:
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
            await self._connection.execute(_TABLE)
        await self._connection.execute("INSERT INTO streams_floor (data) VALUES (%s)", (chunk,))
        message = {"type": "http.response.body", "body": chunk, "more_body": True}
        for place, send in enumerate(tuple(self._open)):
            await send(message)
            if place % SLICE == SLICE - 1:
                await asyncio.sleep(0)


if __name__ == "__main__":
    serving.run(FanOut(sys.argv[1]), port=int(sys.argv[2]))
