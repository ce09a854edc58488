"""A line between a client and a server that can be cut, held, slowed down, and made to lose what the server answers."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 64 * 1024
# Closes with a reset instead of a farewell, and throws away what is not sent yet.
NO_FAREWELL = struct.pack("ii", 1, 0)


@dataclass
class Proxy:
    """Leads from a port of this machine to ``target``, another one.

    ``delay``: seconds that each piece takes, either way. ``loses``: of so many connections, the first piece that the server
    sends is not passed on and the connection is reset: what was asked is done, and nobody is told.
    """

    target: int
    delay: float = 0.0
    loses: int = 0
    port: int = 0
    cuts: int = 0
    refuses: bool = False
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many clients have a line at present."""
        return len(self._open) // 2

    def cut(self) -> int:
        """Resets every line, on both sides; how many there were."""
        found = self.connections
        for one in list(self._open):
            self._reset(one)
        self.cuts += found
        return found

    def hold(self) -> None:
        """From now on nothing passes, as where a cable is pulled: nobody is told."""
        self._flowing.clear()

    def release(self) -> None:
        self._flowing.set()

    def _reset(self, line: asyncio.StreamWriter) -> None:
        """Once only: a line that was closed in peace keeps its peace."""
        if line not in self._open:
            return
        self._open.discard(line)
        with suppress(OSError):
            line.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_FAREWELL)
        line.transport.abort()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            # Whoever cancels it does so at the end, and nobody is left who wants to know.
            with suppress(asyncio.CancelledError):
                if await self._lead(reader, writer):
                    self._open.discard(writer)
                    writer.close()
        finally:
            self._reset(writer)
            self._tasks.discard(task)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether both sides parted in peace."""
        if self.refuses:
            return False
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            return False
        self._open.add(back)
        ways = [
            asyncio.create_task(self._pass_on(reader, back)),
            asyncio.create_task(self._pass_on(there, writer, answers=True)),
        ]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            return all(one.result() for one in done)
        finally:
            for one in ways:
                one.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._reset(back)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> bool:
        """Until one side says farewell (true) or the line is lost (false)."""
        with suppress(OSError):
            while piece := await reader.read(CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._flowing.wait()
                if answers and self.loses > 0:
                    self.loses -= 1
                    self.cuts += 1
                    return False
                writer.write(piece)
                await writer.drain()
            return True
        return False

    async def end(self) -> None:
        for one in list(self._tasks):
            one.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def proxy(target: int, *, port: int = 0) -> AsyncIterator[Proxy]:
    """A proxy to a port of this machine while the block runs; ``port``: its own, any free one where it is 0."""
    made = Proxy(target)
    made.release()
    server = await asyncio.start_server(made._joined, "127.0.0.1", port)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.end()
