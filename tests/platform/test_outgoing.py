"""Asking other people's servers: what may be asked, and what is known when it fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest

from dawr.platform import outgoing
from dawr.platform.outgoing import MOST_BYTES, Answer, ForbiddenAddress, NotSent, OutcomeUnknown, Outgoing

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    listening = await asyncio.start_server(one, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/hook"


def answering(text: bytes, *, asked: list[bytes] | None = None) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(heard)
        writer.write(text)
        await writer.drain()

    return serve


async def post(url: str, *, private: bool = True, seconds: float = 5.0) -> Answer:
    client = Outgoing(private=LOOPBACK if private else (), seconds=seconds)
    try:
        return await client.post(url, b"{}", {"content-type": "application/json"})
    finally:
        await client.close()


async def test_the_answer_comes_back_with_its_wish_to_wait() -> None:
    text = b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno"
    async with server(answering(text)) as url:
        answer = await post(url)
    assert (answer.status, answer.body, answer.retry_after, answer.accepted) == (429, b"no", 7.0, False)


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    asked: list[bytes] = []
    text = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with server(answering(text, asked=asked)) as url:
        assert (await post(url)).status == 302
    assert len(asked) == 1


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "10.1.2.3",
        "192.168.0.1",
        "169.254.169.254",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "224.0.0.1",
    ],
)
async def test_private_networks_are_not_asked(host: str) -> None:
    with pytest.raises(ForbiddenAddress):
        await post(f"http://{host}:9/hook", private=False)


async def test_a_name_that_means_a_private_address_too_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def both(host: str, port: int) -> list[str]:
        return ["93.184.216.34", "10.0.0.7"]

    monkeypatch.setattr(outgoing, "_resolved", both)
    with pytest.raises(ForbiddenAddress):
        await post("http://rebound.example/hook", private=False)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http:///x", "gopher://127.0.0.1/"])
async def test_only_http_is_spoken(url: str) -> None:
    with pytest.raises(NotSent):
        await post(url)


async def test_where_nobody_listens_nothing_was_sent() -> None:
    async with server(answering(b"")) as url:
        pass
    with pytest.raises(NotSent):
        await post(url)


async def test_a_connection_that_ends_before_the_answer_leaves_the_outcome_unknown() -> None:
    async with server(answering(b"")) as url:
        with pytest.raises(OutcomeUnknown):
            await post(url)


async def test_a_server_that_never_answers_leaves_the_outcome_unknown() -> None:
    never = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await never.wait()

    async with server(silent) as url:
        with pytest.raises(OutcomeUnknown):
            await post(url, seconds=0.3)
        never.set()


async def test_an_endless_answer_is_cut_off() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 65536)
            try:
                await writer.drain()
            except ConnectionError:
                return

    async with server(endless) as url:
        assert len((await post(url)).body) == MOST_BYTES
