"""The program as its users run it: a process of its own, a folder of its own, a port of its own."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

PASSWORD = "a demo passphrase"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class Program:
    """``dawr serve --demo`` on a folder; started, killed and started again as a test likes.

    ``data`` is its data folder where that shall not be in ``folder``; ``command`` what runs it instead of ``dawr``.
    """

    folder: Path
    port: int = field(default_factory=free_port)
    settings: dict[str, str] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    data: Path | None = None
    command: tuple[str, ...] = (str(Path(sys.executable).parent / "dawr"),)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data_folder(self) -> Path:
        return self.data or self.folder / "data"

    @property
    def log(self) -> str:
        """The end of what it said."""
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def start(self) -> float:
        """Starts and waits until it answers; the seconds that took."""
        started = time.monotonic()
        await self.launch()
        await self.answers()
        return time.monotonic() - started

    async def launch(self) -> None:
        """Starts, and does not wait."""
        own = {"DAWR_DEMO_PASSWORD": PASSWORD, "DAWR_RATE_LIMITS": "off", "PATH": os.environ["PATH"]}
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(*self.command, "serve", "--demo"),
                *("--port", str(self.port), "--data", str(self.data_folder)),
                env=own | self.settings,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )

    async def answers(self, *, within: float = 60) -> None:
        """Waits until it is ready; ``TimeoutError`` with its last words where it is not in time."""
        ends = time.monotonic() + within
        async with httpx2.AsyncClient(timeout=5, verify=False) as client:
            while time.monotonic() < ends:
                assert self.runs, self.log
                try:
                    if (await client.get(f"{self.url}/api/v1/health/ready")).status_code == 200:
                        return
                except httpx2.TransportError:
                    pass
                await asyncio.sleep(0.05)
        raise TimeoutError(self.log)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def kill(self) -> None:
        """What a power cut looks like to the process: no chance to finish anything."""
        assert self.process is not None
        self.signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> float:
        """Asks it to end; the seconds that took."""
        if self.process is None or self.process.returncode is not None:
            return 0.0
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(self.process.wait(), 20)
        return time.monotonic() - started

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, timeout=15, verify=False)


@asynccontextmanager
async def own_folder() -> AsyncIterator[Path]:
    """A folder for one program, which every user may pass through, as PostgreSQL's must."""
    with tempfile.TemporaryDirectory(prefix="dawr-proof-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@asynccontextmanager
async def program(**settings: str) -> AsyncIterator[Program]:
    async with own_folder() as folder:
        made = Program(folder, settings=settings)
        try:
            await made.start()
            yield made
        finally:
            await made.stop()
