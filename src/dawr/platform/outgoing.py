"""Requests to other people's servers (webhooks, gateways): no redirects, no private networks, no endless answers.

An address is checked where the connection is made, after its name was resolved: what a name means can change between a check
and its use. A name of which any address is private is refused as a whole.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import httpcore2

from dawr.platform.addresses import Address, Network

MOST_BYTES = 64 * 1024
SECONDS = 10.0
LONGEST_WAIT = 600.0
_NAT64, _COMPATIBLE = ip_network("64:ff9b::/96"), ip_network("::/96")


class NotSent(Exception):
    """Nothing has left: the address is wrong or forbidden, or nobody answers there."""


class ForbiddenAddress(NotSent):
    """The address is not one that may be asked: not http(s), or in a private network."""


class OutcomeUnknown(Exception):
    """The request was on its way when the connection ended: it may have been received."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``headers`` by their names in small letters; ``body`` is its first 64 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300

    @property
    def retry_after(self) -> float | None:
        """The seconds that the other side asks to wait, where it says so in seconds; ``LONGEST_WAIT`` at most."""
        asked = self.headers.get("retry-after", "")
        return min(float(asked), LONGEST_WAIT) if asked.isascii() and asked.isdigit() else None


class Outgoing:
    """A client with its connections. ``private`` are networks that may be asked although they are private: a hospital's own."""

    def __init__(self, *, private: Sequence[Network] = (), seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(), network_backend=_Guarded(private), max_connections=200
        )

    async def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        """What the other side answers, whatever its status. Raises ``NotSent`` or ``OutcomeUnknown``."""
        try:
            parts = urlsplit(url)
            known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 80) > 0
        except ValueError:
            known = False
        if not known or not url.isascii():
            raise ForbiddenAddress("not an http address")
        try:
            async with asyncio.timeout(self._seconds):
                return await self._ask(url, content, headers)
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout, httpcore2.UnsupportedProtocol) as error:
            raise NotSent(type(error).__name__) from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, TimeoutError) as error:
            raise OutcomeUnknown(type(error).__name__) from error

    async def _ask(self, url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        limits = dict.fromkeys(("connect", "read", "write", "pool"), self._seconds)
        asking = self._pool.stream(
            "POST", url, headers=list(headers.items()), content=content, extensions={"timeout": limits}
        )
        async with asking as found:
            body = b""
            async for part in found.aiter_stream():
                body += part
                if len(body) >= MOST_BYTES:
                    break
            told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in found.headers}
            return Answer(found.status, told, body[:MOST_BYTES])

    async def close(self) -> None:
        await self._pool.aclose()


async def reach(host: str, port: int, *, private: Sequence[Network] = (), seconds: float = SECONDS) -> socket.socket:
    """A connection to a server that is not asked in HTTP. Raises ``NotSent``; ``ForbiddenAddress`` in a private network."""
    try:
        async with asyncio.timeout(seconds):
            addresses = await _resolved(host, port)
            _require(addresses, private)
            return await _connected(addresses, port)
    except (OSError, TimeoutError, httpcore2.ConnectError) as error:
        raise NotSent(type(error).__name__) from error


async def _connected(addresses: Sequence[str], port: int) -> socket.socket:
    failure: OSError = ConnectionError("the name has no address")
    for one in addresses:
        line = socket.socket(socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM)
        line.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(line, (one, port))
        except OSError as error:
            line.close()
            failure = error
        except BaseException:
            line.close()
            raise
        else:
            return line
    raise failure


def _require(addresses: Sequence[str], private: Sequence[Network]) -> None:
    if not all(_may_ask(one, private) for one in addresses):
        raise ForbiddenAddress("in a private network")


def _may_ask(text: str, private: Sequence[Network]) -> bool:
    plain = _meant(ip_address(text.partition("%")[0]))
    public = plain.is_global and not plain.is_multicast and not getattr(plain, "is_site_local", False)
    return public or any(plain in network for network in private)


def _meant(found: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to: mapped, 6to4, by way of NAT64 or the deprecated compatible form."""
    if isinstance(found, IPv4Address):
        return found
    if found in _NAT64 or found in _COMPATIBLE:
        return IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or found


class _Guarded(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that are public, or in one of the networks allowed."""

    def __init__(self, private: Sequence[Network]) -> None:
        self._private = private
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await _resolved(host, port)
        _require(addresses, self._private)
        failure: Exception = httpcore2.ConnectError("the name has no address")
        for one in addresses:
            try:
                return await self._inner.connect_tcp(
                    one, port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _resolved(host: str, port: int) -> list[str]:
    """The addresses of a name, each once, in the resolver's order."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError("the name is not known") from error
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
