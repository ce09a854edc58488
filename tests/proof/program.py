"""The program as its users run it: a process of its own, a folder of its own, a port of its own."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
    """``dawr serve --demo`` on a folder; started, killed and started again as a test likes."""

    folder: Path
    port: int = field(default_factory=free_port)
    settings: dict[str, str] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> float:
        """Starts and waits until it answers; the seconds that took."""
        own = {"DAWR_DEMO_PASSWORD": PASSWORD, "DAWR_RATE_LIMITS": "off", "PATH": os.environ["PATH"]}
        started = time.monotonic()
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(str(Path(sys.executable).parent / "dawr"), "serve", "--demo"),
                *("--port", str(self.port), "--data", str(self.folder / "data")),
                env=own | self.settings,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        await self._answers()
        return time.monotonic() - started

    async def _answers(self) -> None:
        async with httpx2.AsyncClient(timeout=5) as client:
            for _ in range(1200):
                assert self.process is not None
                assert self.process.returncode is None, (self.folder / "log").read_text()[-3000:]
                try:
                    if (await client.get(f"{self.url}/api/v1/health/ready")).status_code == 200:
                        return
                except httpx2.TransportError:
                    pass
                await asyncio.sleep(0.05)
        raise TimeoutError((self.folder / "log").read_text()[-3000:])

    async def kill(self) -> None:
        """What a power cut looks like to the process: no chance to finish anything."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
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
        return httpx2.AsyncClient(base_url=self.url, timeout=15)


@asynccontextmanager
async def program(**settings: str) -> AsyncIterator[Program]:
    with tempfile.TemporaryDirectory(prefix="dawr-proof-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        made = Program(Path(folder), settings=settings)
        try:
            await made.start()
            yield made
        finally:
            await made.stop()
