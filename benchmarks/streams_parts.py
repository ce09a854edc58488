"""What the measurement of live streams is made of: the watchers' process, the floor's, and desks at work."""

import asyncio
import json
import random
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from benchmarks.load import Line, connect, request
from dawr.platform.embedded_postgres_home import running_url
from tests.proof.program import PASSWORD, Program, free_port

STREAM = "/api/v1/events/stream?clinic={}"
ENTER = "/api/v1/queue/enter"
# What the product sends for one change of one ticket, as long as its own.
FRAME = (
    "id: {}\nevent: queue_update\n"
    'data: {{"type":"ticket_entered","code":"{}","number":31,"desk":null,"from":null,"to":"waiting","ahead":30,'
    '"at":"{}"}}\n\n'
)


def allow_many_files() -> None:
    """This process and those it starts may open as many files as the machine allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@dataclass
class Process:
    """A process that was started, and what can be seen of it from outside."""

    running: asyncio.subprocess.Process

    @property
    def kilobytes(self) -> int:
        """Memory that is resident."""
        status = Path(f"/proc/{self.running.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    @property
    def files(self) -> int:
        """Open files, sockets among them."""
        return sum(1 for _ in Path(f"/proc/{self.running.pid}/fd").iterdir())


class Watchers(Process):
    """See ``benchmarks/streams_client.py``."""

    async def do(self, *command: object) -> Any:
        assert self.running.stdin is not None
        assert self.running.stdout is not None
        self.running.stdin.write(json.dumps(command).encode() + b"\n")
        answer = await asyncio.wait_for(self.running.stdout.readline(), 180)
        assert answer, "the watchers' process has ended"
        return json.loads(answer)


@asynccontextmanager
async def watchers(port: int) -> AsyncIterator[Watchers]:
    async with _started("benchmarks.streams_client", str(port)) as running:
        yield Watchers(running)


@asynccontextmanager
async def floor_on(server: Program) -> AsyncIterator[tuple[Process, int]]:
    """The floor as a process on the product's PostgreSQL server, and its port."""
    address, port = running_url(server.folder / "data" / "postgres"), free_port()
    assert address is not None
    async with _started("benchmarks.streams_floor", address, str(port)) as running:
        assert running.stdout is not None
        assert await running.stdout.readline() == b"ready\n"
        yield Process(running), port


@asynccontextmanager
async def _started(module: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdin=pipe, stdout=pipe, limit=1 << 24
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.terminate()
        await running.wait()


Change = Callable[[int], Awaitable[str]]


def product_change(line: Line, name: str) -> Change:
    """Somebody takes a ticket; what the streams are then to say."""

    async def change(n: int) -> str:
        status, body = await line.ask(request("POST", ENTER, json={"clinic": "lab", "user": f"{name}-{n}"}))
        assert status == 201, (status, body)
        return f"ticket_entered/{orjson.loads(body)['code']}"

    return change


def floor_change(line: Line, name: str) -> Change:
    """As many bytes to everybody as the product would send."""

    async def change(n: int) -> str:
        code = f"{name}-{n:03d}"
        frame = FRAME.format("x" * 60, code, datetime.now(UTC).isoformat()).encode()
        head = f"POST /change HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(frame)}\r\n\r\n".encode()
        status, _ = await line.ask(head + frame)
        assert status == 201, status
        return f"ticket_entered/{code}"

    return change


async def changes(change: Change, many: int, *, pause: float) -> list[str]:
    """Makes changes, one each ``pause`` seconds; what the streams are then to say."""
    told = []
    for n in range(many):
        begun = time.perf_counter()
        told.append(await change(n))
        await asyncio.sleep(max(0.0, begun + pause - time.perf_counter()))
    return told


class Desks:
    """Doctors who call, serve and finish, and people who come meanwhile."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}"}
        self._chance = random.Random(1)
        self._coming = 0

    async def work(self, seconds: float, *, desks: int = 2) -> list[float]:
        """How long each call, serve and done took."""
        until = time.perf_counter() + seconds
        came = asyncio.create_task(self._come(until))
        worked = await asyncio.gather(*(self._desk(str(1 + n), until) for n in range(desks)))
        await came
        return [one for desk in worked for one in desk]

    async def _come(self, until: float) -> None:
        line = await connect(self._port)
        while time.perf_counter() < until:
            self._coming += 1
            await product_change(line, "comes")(self._coming)
            await asyncio.sleep(self._chance.uniform(0.5, 1.0))
        line.close()

    async def _desk(self, desk: str, until: float) -> list[float]:
        line, took = await connect(self._port), []
        while time.perf_counter() < until:
            ticket = ""
            for verb in ("call", "serve", "done"):
                body = {"clinic": "lab", "desk": desk} if verb == "call" else {"ticket": ticket}
                begun = time.perf_counter()
                sent = request("POST", f"/api/v1/queue/{verb}", json=body, headers=self._headers)
                status, answer = await line.ask(sent)
                took.append(time.perf_counter() - begun)
                assert status == 200, (verb, answer)
                ticket = orjson.loads(answer)["ticket"]
                await asyncio.sleep(self._chance.uniform(0.4, 0.8))
        line.close()
        return took


async def signed_in(port: int) -> str:
    line = await connect(port)
    body = {"email": "reception@mmc.demo", "password": PASSWORD}
    status, answer = await line.ask(request("POST", "/api/v1/auth/login", json=body))
    assert status == 200, answer
    line.close()
    token: str = orjson.loads(answer)["access_token"]
    return token
