"""One client's end of a stream: a small outbox that is sent in order and that nobody waits for.

A client costs the task its request runs in and no other: that task only waits for the disconnect. Whoever pushes sends
itself, as far as that goes without waiting. A client that does not read makes a sender of its own wait, which ends when the
outbox is empty. When then the outbox is full, nothing more is kept for it: should it read again, its stream ends, and it
comes back with its cursor. When several heartbeats have not gone out, the connection is given up.
"""

import asyncio
import types
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
STALLED_BEATS = 2


class Outlet:
    __slots__ = (
        "_busy",
        "_ending",
        "_room",
        "_send",
        "_sender",
        "_serving",
        "_size",
        "_waiting",
        "beat_at",
        "cut",
        "ends_at",
        "missed",
    )

    def __init__(self, send: Send, *, room: int, ends_at: float, beat_at: float) -> None:
        """``room`` in bytes; ``ends_at`` and ``beat_at`` (the loop's time) are the hub's. Nothing is sent before ``serve``."""
        self._send = send
        self._room = room
        self._waiting: list[bytes] = []
        self._size = 0
        self._busy = True
        self._ending = False
        self._serving: asyncio.Task[None] | None = None
        self._sender: asyncio.Task[None] | None = None
        self.cut = False
        self.missed = 0
        self.beat_at = beat_at
        self.ends_at = ends_at

    @property
    def over(self) -> bool:
        return self._ending or self.cut

    def first(self, chunk: bytes) -> None:
        """What the client must get however much it is: the snapshot, or all it has missed."""
        self._waiting.append(chunk)

    def push(self, chunk: bytes) -> None:
        """Sends it after what waits already; where that is more than it has ``room`` for, the stream is to end instead.

        Nearly always the server takes it at once: a task for each client and event would cost more than the sending.
        """
        if self._ending or self.cut:
            return
        if self._busy:
            self._keep(chunk)
            return
        sending = self._send({"type": "http.response.body", "body": chunk, "more_body": True}).__await__()
        try:
            waits_for = next(sending)
        except StopIteration:
            return
        except Exception:  # whoever broke must not keep the others from hearing
            self._give_up()
        else:
            self._busy = True
            self._sender = asyncio.create_task(self._drain(_rest(sending, waits_for)))

    def _keep(self, chunk: bytes) -> None:
        if self._size > self._room:
            self._waiting.clear()
            self._ending = True
        else:
            self._waiting.append(chunk)
            self._size += len(chunk)

    def beat(self, chunk: bytes) -> None:
        """A heartbeat, where nothing else waits; gives up who has taken nothing since several of them."""
        self.missed = self.missed + 1 if self._busy else 0
        if self.missed > STALLED_BEATS:
            self._give_up()
        elif not self._waiting:
            self.push(chunk)

    def end(self, last: bytes) -> None:
        """Sends this and closes the response."""
        self.push(last)
        if not (self._busy or self.over):
            self._busy = True
            self._sender = asyncio.create_task(self._drain())
        self._ending = True

    def _give_up(self) -> None:
        if self.cut:
            return
        self.cut = True
        self._waiting.clear()
        if self._serving is not None:
            self._serving.cancel()

    async def serve(self, receive: Receive) -> None:
        """Sends, the response having been started, until the client goes, or the stream is ended or cut off."""
        self._serving = asyncio.current_task()
        try:
            await self._drain()
            while not self.cut and (await receive())["type"] != "http.disconnect":
                pass
        except asyncio.CancelledError:
            if not self.cut or (self._serving and self._serving.uncancel()):
                raise
        finally:
            self.cut = True
            self._serving = None
            if self._sender is not None:
                self._sender.cancel()

    async def _drain(self, begun: Awaitable[None] | None = None) -> None:
        try:
            if begun is not None:
                await begun
            while self._waiting:
                chunk = b"".join(self._waiting)
                self._waiting.clear()
                self._size = 0
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
                self.missed = 0
            if self._ending:
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError:  # a server that says so when the client has gone; ``receive`` tells the rest
            self.cut = True
        self._busy = False
        self._sender = None


@types.coroutine
def _rest(begun: Generator[Any, Any, None], waits_for: object) -> Generator[Any, Any, None]:
    """What is left of an awaitable that has been begun by hand, and waits for this."""
    try:
        yield waits_for
        yield from begun
    finally:
        begun.close()
