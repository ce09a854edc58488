"""A client's end: what is sent at once, what waits, and in which order it goes out."""

import asyncio
from typing import Any

import pytest

from dawr.realtime.outlet import Message, Outlet


class Server:
    """The server's side of one response: what it took, a client that may stop reading, and one that may go."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.ended = False
        self.broken = False
        self.reads = asyncio.Event()
        self.reads.set()
        self.gone = asyncio.Event()

    async def send(self, message: Message) -> None:
        if self.broken:
            raise RuntimeError("this response is over")
        await self._passed_on(message)

    async def _passed_on(self, message: Message) -> None:
        # As servers do: it waits only where the client is behind.
        if not self.reads.is_set():
            await self.reads.wait()
        assert not self.ended
        self.taken += [message["body"]] if message["body"] else []
        self.ended = not message["more_body"]
        if self.ended:
            self.gone.set()

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}


class Client:
    """An outlet at work on a server of its own."""

    def __init__(self, *, room: int = 100) -> None:
        self.server = Server()
        self.outlet = Outlet(self.server.send, room=room, ends_at=0, beat_at=0)
        self.serving: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        self.outlet.first(b"first")
        self.serving = asyncio.create_task(self.outlet.serve(self.server.receive))
        await _turns()
        assert self.server.taken == [b"first"]

    async def over(self) -> None:
        assert self.serving is not None
        await asyncio.wait_for(self.serving, 5)


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def client() -> Client:
    made = Client()
    await made.begin()
    return made


async def test_what_a_client_can_take_is_sent_without_a_task(client: Client) -> None:
    tasks = asyncio.all_tasks()
    client.outlet.push(b"one")
    client.outlet.push(b"two")
    assert client.server.taken == [b"first", b"one", b"two"]
    assert asyncio.all_tasks() == tasks


async def test_what_waits_goes_out_in_order(client: Client) -> None:
    client.server.reads.clear()
    for chunk in (b"one", b"two", b"three"):
        client.outlet.push(chunk)
    await _turns()
    assert client.server.taken == [b"first"]
    client.server.reads.set()
    await _turns()
    assert b"".join(client.server.taken) == b"firstonetwothree"
    client.outlet.push(b"four")
    assert client.server.taken[-1] == b"four"


async def test_nothing_is_sent_before_the_beginning() -> None:
    waiting = Client()
    waiting.outlet.push(b"early")
    assert waiting.server.taken == []


@pytest.mark.parametrize("reads", [True, False])
async def test_an_end_is_sent_once_after_what_waits(client: Client, reads: bool) -> None:
    if not reads:
        client.server.reads.clear()
        client.outlet.push(b"one,")
    client.outlet.end(b"last")
    client.outlet.push(b"late")
    client.server.reads.set()
    await client.over()
    assert client.server.ended
    assert b"".join(client.server.taken) == (b"firstlast" if reads else b"firstone,last")


async def test_an_end_in_the_middle_of_a_sending_that_waits(client: Client) -> None:
    client.server.reads.clear()
    client.outlet.push(b"one,")
    await _turns()
    client.outlet.end(b"last")
    client.server.reads.set()
    await client.over()
    assert client.server.ended
    assert b"".join(client.server.taken) == b"firstone,last"


async def test_a_response_that_breaks_breaks_nobody_else(client: Client) -> None:
    client.server.broken = True
    client.outlet.push(b"one")
    await client.over()
    assert client.outlet.cut
    client.outlet.push(b"two")
    client.outlet.end(b"last")


async def test_a_client_that_goes_while_it_is_waited_for(client: Client) -> None:
    tasks: set[asyncio.Task[Any]] = asyncio.all_tasks()
    client.server.reads.clear()
    client.outlet.push(b"one")
    senders = asyncio.all_tasks() - tasks
    client.server.gone.set()
    await client.over()
    await asyncio.gather(*senders, return_exceptions=True)
    assert len(senders) == 1
    assert all(one.cancelled() for one in senders)
