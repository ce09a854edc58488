"""How a floor is served: by the server and with the settings that serve the product."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


def run(app: App, *, port: int) -> None:
    """Serves until it is told to end; prints ``ready`` when it listens."""
    config = uvicorn.Config(
        app, port=port, loop="uvloop", http="httptools", ws="none", lifespan="off", log_config=None, access_log=False
    )
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(config))


async def _serve(config: uvicorn.Config) -> None:
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await running
