"""A plugin's process as its keeper sees it: started when it is needed, told one happening at a time, killed when it hangs."""

import asyncio
import os
import sys
from contextlib import suppress
from typing import Any

import orjson

from dawr.hooks import SECONDS
from dawr.platform.followers import CannotFollow
from dawr.platform.logging import get_logger

START_SECONDS = 20
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "SSL_CERT_FILE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
log = get_logger(__name__)


class PluginError(Exception):
    """The message is what is shown of a failure."""


class CannotStart(CannotFollow):
    """The plugin is not there, or not one: what happens has to wait for it."""


class PluginProcess:
    def __init__(self, name: str, *, seconds: float = SECONDS) -> None:
        self.name = name
        self._seconds = seconds
        self._process: asyncio.subprocess.Process | None = None

    async def tell(self, happening: dict[str, Any]) -> None:
        """Calls the plugin's hooks for one happening; ``PluginError`` where they raise, hang, or the process does not live.
        ``CannotStart`` where there is none to be had."""
        process = self._process or await self._start()
        try:
            answer = await self._asked(process, orjson.dumps(happening) + b"\n", self._seconds)
        except (OSError, TimeoutError, ValueError) as error:
            await self.close()
            reason = f"took longer than {self._seconds:g} s" if isinstance(error, TimeoutError) else "its process ended"
            raise PluginError(reason) from error
        if answer["error"]:
            raise PluginError(answer["error"])

    async def _start(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dawr.plugins.child", self.name),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=_environment(),
        )
        self._process = process
        try:
            hello = await self._asked(process, b"", START_SECONDS)
        except (OSError, TimeoutError, ValueError) as error:
            await self.close()
            raise CannotStart(type(error).__name__) from error
        if "error" in hello:
            await self.close()
            raise CannotStart(hello["error"])
        log.info("plugin_started", plugin=self.name, hooks=hello["hooks"])
        return process

    async def _asked(self, process: asyncio.subprocess.Process, line: bytes, seconds: float) -> dict[str, Any]:
        """The next line of answer; ``ValueError`` where the process ended instead."""
        assert process.stdin is not None
        assert process.stdout is not None
        async with asyncio.timeout(seconds):
            if line:
                process.stdin.write(line)
                await process.stdin.drain()
            answer: dict[str, Any] = orjson.loads(await process.stdout.readline())
        return answer

    async def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _environment() -> dict[str, str]:
    """What the plugin's process has of ours: nothing with a secret of the installation in it."""
    return {name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith("DAWR_PLUGIN_")}
