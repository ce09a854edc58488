"""The line with faults does what it says, and nothing where it has no fault."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.proof.proxy import Proxy, proxy

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo:
    """A server that says everything again and remembers what it heard."""

    def __init__(self) -> None:
        self.heard = b""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(1000):
            self.heard += said
            writer.write(said)
        writer.close()


@asynccontextmanager
async def echoing() -> AsyncIterator[tuple[Echo, Proxy]]:
    echo = Echo()
    server = await asyncio.start_server(echo.answer, "127.0.0.1", 0)
    async with proxy(server.sockets[0].getsockname()[1]) as line:
        yield echo, line
    server.close()


@asynccontextmanager
async def client(line: Proxy) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    yield reader, writer
    writer.close()


async def said(line: Line, words: bytes) -> bytes:
    line[1].write(words)
    return await asyncio.wait_for(line[0].read(1000), 5)


async def test_passes_everything_both_ways() -> None:
    async with echoing() as (echo, line), client(line) as one, client(line) as other:
        assert await said(one, b"hello") == b"hello"
        assert await said(other, b"there") == b"there"
        assert (line.connections, echo.heard) == (2, b"hellothere")


async def test_cuts_with_a_reset() -> None:
    async with echoing() as (_, line), client(line) as one:
        await said(one, b"hello")
        assert line.cut() == 1
        with pytest.raises(ConnectionResetError):
            await said(one, b"are you there?")
        assert line.connections == 0


async def test_loses_an_answer_after_the_server_has_heard_the_question() -> None:
    async with echoing() as (echo, line):
        line.loses = 1
        async with client(line) as one:
            with pytest.raises(ConnectionResetError):
                await said(one, b"do it")
        async with client(line) as other:
            assert await said(other, b"did you?") == b"did you?"
        assert echo.heard == b"do itdid you?"


async def test_holds_what_is_sent_until_it_is_released() -> None:
    async with echoing() as (echo, line), client(line) as one:
        line.hold()
        one[1].write(b"later")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one[0].read(1000), 0.2)
        assert echo.heard == b""
        line.release()
        assert await asyncio.wait_for(one[0].read(1000), 5) == b"later"


async def test_slows_down_either_way() -> None:
    async with echoing() as (_, line), client(line) as one:
        line.delay = 0.1
        started = time.monotonic()
        assert await said(one, b"hello") == b"hello"
        assert time.monotonic() - started >= 0.2


async def test_refuses() -> None:
    async with echoing() as (echo, line):
        line.refuses = True
        async with client(line) as one:
            with pytest.raises(ConnectionResetError):
                await said(one, b"hello")
        assert echo.heard == b""


async def test_a_server_that_is_away_is_no_line() -> None:
    async with proxy(1) as line, client(line) as one:
        with pytest.raises(ConnectionResetError):
            await said(one, b"hello")


async def test_a_farewell_is_passed_on_after_all_that_was_said() -> None:
    async def speech(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * 3_000_000)
        writer.close()

    server = await asyncio.start_server(speech, "127.0.0.1", 0)
    async with proxy(server.sockets[0].getsockname()[1]) as line, client(line) as one:
        assert len(await asyncio.wait_for(one[0].read(), 10)) == 3_000_000
    server.close()
