"""Whose request is it? The address of the client behind the proxies that the installation trusts.

A proxy appends the address it saw to ``X-Forwarded-For``; whatever stands further left may be made up by the caller.
So the list is walked from the right, from the connection's own peer, and the first address that is no trusted proxy's
is the client's. With no proxies trusted the header is not looked at.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UNKNOWN = "unknown"
_MOST_HOPS = 20
_LONGEST_HOP = 64
_IPV6_BUCKET = 64


def parse_networks(text: str) -> tuple[Network, ...]:
    """``"10.0.0.0/8, 127.0.0.1"`` as networks; ``ValueError`` names the part that is none."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def client_address(scope: Mapping[str, Any], trusted_proxies: Sequence[Network]) -> str:
    """The client's address as text, ``unknown`` where the connection has none (a Unix socket without a trusted proxy).

    A peer on a Unix socket is a proxy on this machine: it is trusted as soon as any proxy is. A hop that is no address
    ends the walk: what stands left of it cannot be believed.
    """
    peer = scope["client"][0] if scope.get("client") else ""
    client = _address(peer)
    if not trusted_proxies or not (client is None or _trusted(client, trusted_proxies)):
        return _written(peer)
    for hop in _hops(scope["headers"]):
        found = _address(hop)
        if found is None:
            break
        client = found
        if not _trusted(client, trusted_proxies):
            break
    return str(client or UNKNOWN)


@lru_cache(maxsize=4096)
def limit_bucket(address: str) -> str:
    """What a limit per address counts: the address, or the /64 of an IPv6 one, since a household has all of it."""
    found = _address(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, _IPV6_BUCKET), strict=False))
    return address


def _trusted(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _hops(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """The nearest first. Only so many are looked at as an honest chain can have."""
    values = [value for name, value in headers if name.lower() == b"x-forwarded-for"]
    parts = b",".join(values)[-_MOST_HOPS * _LONGEST_HOP :].split(b",")
    return [part.decode("latin-1").strip() for part in reversed(parts[-_MOST_HOPS:])]


@lru_cache(maxsize=4096)
def _written(text: str) -> str:
    return str(_address(text) or UNKNOWN)


@lru_cache(maxsize=4096)
def _address(text: str) -> Address | None:
    """An address as proxies write it: bare, with a port, or in brackets; an IPv4 one inside IPv6 comes out as IPv4."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
